#pragma once

#include <chrono>
#include <concepts>
#include <optional>
#include <utility>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/resilience/outcome.hpp"

namespace belay::resilience {

// What PolicyCall wants of the parts that may turn a call away. A part that is shared by calls on several threads makes
// itself safe for that. None of them may call back into the call.

/// The rate limiter's answer: from when on the call may go on, or nothing and when to come back.
struct LimiterAnswer {
  std::optional<Deadline::time_point> at{};
  std::optional<std::chrono::nanoseconds> retry_after{};
};

template <class L>
concept LimiterGate = requires(L& limiter, typename L::Reservation& reservation, Deadline::time_point now,
                               Deadline deadline) {
  /// Refuses, and then has consumed nothing, when the turn would come after the deadline. What it needs to remember of
  /// this call goes into the reservation.
  { limiter.reserve(reservation, now, deadline) } -> std::same_as<LimiterAnswer>;
  /// A turn that was given and has not come yet is not wanted any more.
  {limiter.give_back(reservation, now)};
};

/// Whether the bulkhead let the call in.
struct BulkheadAnswer {
  enum class Kind {
    entered,
    queued,  ///< not yet: when that changes, whoever runs the call is told, and calls PolicyCall::turn_came()
    refused
  };
  Kind kind = Kind::entered;
  std::optional<std::chrono::nanoseconds> retry_after{};
};

/// How the call that leaves a bulkhead ended: its duration is a sample for an adaptive limit only if it succeeded at
/// once, because a call keeps its place during the pauses before its retries.
struct CallEnd {
  std::optional<ErrorClass> failure{};
  unsigned attempts = 0;
};

template <class B>
concept BulkheadGate = requires(B& bulkhead, typename B::Ticket& ticket, Deadline::time_point now, Deadline deadline,
                                CallEnd const& end) {
  /// The ticket lies still at its address until leave() or withdraw(); it may be a node of the queue.
  { bulkhead.enter(ticket, now, deadline) } -> std::same_as<BulkheadAnswer>;
  /// One who was queued and has been told to look again takes what was offered; `queued` when nothing was.
  { bulkhead.accept(ticket, now) } -> std::same_as<BulkheadAnswer>;
  /// One who is queued, or was offered a place and has not accepted, gives up.
  {bulkhead.withdraw(ticket, now)};
  /// One who is inside goes.
  {bulkhead.leave(ticket, end, now)};
};

/// The breaker's permit for one attempt; or leave to wait until it has news; or nothing, and when to come back.
template <class Permit, class Wait>
struct BreakerAnswer {
  std::optional<Permit> permit{};
  std::optional<Wait> wait{};
  std::optional<std::chrono::nanoseconds> retry_after{};
};

template <class B>
concept BreakerGate = requires(B& breaker, B const& seen, typename B::Permit permit, typename B::Wait wait,
                               Deadline::time_point now, Deadline deadline, BreakerSignal signal) {
  { breaker.try_enter(now, deadline) } -> std::same_as<BreakerAnswer<typename B::Permit, typename B::Wait>>;
  /// How the attempt ended; every permit is recorded once.
  {breaker.record(std::move(permit), signal, now)};
  /// One who was told to wait does so no longer. After the breaker's next news a wait ends by itself.
  {breaker.stop_waiting(std::move(wait))};
  /// Whether a call would be turned away now; spares the pause before a retry that could not be made.
  { seen.is_open(now) } -> std::same_as<bool>;
};

/// The parts left out.
struct NoLimiter {
  struct Reservation {};
  LimiterAnswer reserve(Reservation&, Deadline::time_point now, Deadline) noexcept { return {.at = now}; }
  void give_back(Reservation&, Deadline::time_point) noexcept {}
};
struct NoBulkhead {
  struct Ticket {};
  BulkheadAnswer enter(Ticket&, Deadline::time_point, Deadline) noexcept { return {}; }
  BulkheadAnswer accept(Ticket&, Deadline::time_point) noexcept { return {}; }
  void withdraw(Ticket&, Deadline::time_point) noexcept {}
  void leave(Ticket&, CallEnd const&, Deadline::time_point) noexcept {}
};
struct NoBreaker {
  struct Permit {};
  struct Wait {};
  BreakerAnswer<Permit, Wait> try_enter(Deadline::time_point, Deadline) noexcept { return {.permit = Permit()}; }
  void record(Permit, BreakerSignal, Deadline::time_point) noexcept {}
  void stop_waiting(Wait) noexcept {}
  bool is_open(Deadline::time_point) const noexcept { return false; }
};

}  // namespace belay::resilience
