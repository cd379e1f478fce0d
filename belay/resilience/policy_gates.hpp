#pragma once

#include <chrono>
#include <concepts>
#include <optional>

#include "belay/core/deadline.hpp"
#include "belay/resilience/outcome.hpp"

namespace belay::resilience {

// What PolicyCall wants of the parts that may turn a call away. A part that is shared by calls on several threads makes
// itself safe for that. None of them may call back into the call.

/// Time from the rate limiter: from when on the call may go on, or nothing and when to come back.
struct LimiterAnswer {
  std::optional<Deadline::time_point> at{};
  std::optional<std::chrono::nanoseconds> retry_after{};
};

template <class L>
concept LimiterGate = requires(L& limiter, Deadline::time_point at, Deadline deadline) {
  /// Refuses, and then has consumed nothing, when the turn would come after the deadline.
  { limiter.reserve(at, deadline) } -> std::same_as<LimiterAnswer>;
  /// A turn that was given for `at` and not come yet is not wanted any more (the second argument is now).
  {limiter.give_back(at, at)};
};

/// Whether the bulkhead let the call in.
struct BulkheadAnswer {
  enum class Kind {
    entered,
    queued,  ///< the turn comes later: whoever runs the call is told, and calls PolicyCall::turn_came()
    refused
  };
  Kind kind = Kind::entered;
  std::optional<std::chrono::nanoseconds> retry_after{};
};

template <class B>
concept BulkheadGate = requires(B& bulkhead, typename B::Ticket& ticket, Deadline::time_point now, Deadline deadline) {
  /// The ticket lies still at its address until leave() or withdraw(); it may be a node of the queue.
  { bulkhead.enter(ticket, now, deadline) } -> std::same_as<BulkheadAnswer>;
  /// One who is inside goes.
  {bulkhead.leave(ticket, now)};
  /// One who is queued, or whose turn came without his knowing yet, gives up.
  {bulkhead.withdraw(ticket, now)};
};

/// The breaker's permit for one attempt, or nothing and when to come back.
template <class Permit>
struct BreakerAnswer {
  std::optional<Permit> permit{};
  std::optional<std::chrono::nanoseconds> retry_after{};
};

template <class B>
concept BreakerGate = requires(B& breaker, B const& seen, typename B::Permit permit, Deadline::time_point now,
                               Deadline deadline, BreakerSignal verdict) {
  { breaker.try_enter(now, deadline) } -> std::same_as<BreakerAnswer<typename B::Permit>>;
  /// How the attempt ended; every permit is recorded once.
  {breaker.record(std::move(permit), verdict, now)};
  /// Whether a call would be turned away now; spares the pause before a retry that could not be made.
  { seen.is_open(now) } -> std::same_as<bool>;
};

/// The parts left out.
struct NoLimiter {
  LimiterAnswer reserve(Deadline::time_point now, Deadline) noexcept { return {.at = now}; }
  void give_back(Deadline::time_point, Deadline::time_point) noexcept {}
};
struct NoBulkhead {
  struct Ticket {};
  BulkheadAnswer enter(Ticket&, Deadline::time_point, Deadline) noexcept { return {}; }
  void leave(Ticket&, Deadline::time_point) noexcept {}
  void withdraw(Ticket&, Deadline::time_point) noexcept {}
};
struct NoBreaker {
  struct Permit {};
  BreakerAnswer<Permit> try_enter(Deadline::time_point, Deadline) noexcept { return {.permit = Permit()}; }
  void record(Permit, BreakerSignal, Deadline::time_point) noexcept {}
  bool is_open(Deadline::time_point) const noexcept { return false; }
};

}  // namespace belay::resilience
