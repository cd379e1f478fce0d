#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "belay/core/deadline.hpp"
#include "belay/resilience/adaptive_limit.hpp"
#include "belay/resilience/waiter_lanes.hpp"

namespace belay::resilience {

struct BulkheadOptions {
  std::uint32_t concurrent_max = 20;  ///< calls under way at once. 1…100'000
  std::uint32_t queue_max = 200;  ///< calls that may wait; 0: none waits, what cannot start is refused. 0…1'000'000
  LaneWeights weights{};
  /// How much of the time it has left a call may be predicted to wait, by lane: health, high, normal, low. Beyond that
  /// it is refused while there is time to do something else, lowest lane first. > 0…1.
  std::array<double, lane_count> wait_shares{1, 0.8, 0.8, 0.5};
  /// A call with less time left than this when its turn comes is refused: it could only fail. 0…1 min.
  std::chrono::nanoseconds useful_min = std::chrono::milliseconds(1);
  AdaptiveLimitOptions adaptive{};  ///< between adaptive.min and concurrent_max
};

/// Error(request) that names the option out of its range.
void check(BulkheadOptions const&);

/// One place in a bulkhead, handed back exactly once.
struct BulkheadPermit {
  Deadline::time_point since;
};

/// How the call in a place ended, for the adaptive limit.
enum class HoldOutcome {
  done,        ///< its duration is a sample
  overloaded,  ///< the server refused it for being overloaded
  ignored      ///< its duration says nothing: failed early, cancelled
};

/// The answer to a call that wants in.
struct BulkheadEntry {
  enum class Kind { admitted, queued, refused };
  Kind kind = Kind::refused;
  BulkheadPermit permit;                                 ///< when admitted
  BulkheadRefusal reason = BulkheadRefusal::queue_full;  ///< when refused
  std::chrono::nanoseconds predicted_wait{};             ///< zero when admitted or nothing is known yet
};

/// Bounds how many calls are under way at once, and who waits for how long.
///
/// Pure state: no I/O, no clock, no lock, no allocation. The caller serialises access and after every call performs
/// what next() returns, until it returns nothing. A place is handed straight to the waiter whose turn it is: while
/// anybody waits, a newcomer queues. An offered place belongs to the bulkhead until the waiter accepts; a waiter that
/// was cancelled in between withdraws, and the place goes on to the next.
///
/// Waits are predicted from the average time places are held (after 20 of them) and from who would be served before. A
/// waiter's own timer withdraws it at its deadline; next() refuses those it meets too late to be useful.
class Bulkhead {
 public:
  using time_point = Deadline::time_point;
  using nanoseconds = std::chrono::nanoseconds;

  struct Counters {
    std::uint64_t admitted = 0;  ///< at once or after waiting
    std::uint64_t queued = 0;
    std::uint64_t withdrawn = 0;
    std::array<std::uint64_t, 4> refused{};  ///< by BulkheadRefusal
  };

  /// Throws Error(request) that names an option out of its range.
  Bulkhead(BulkheadOptions const&, time_point now);

  /// Wants a place. When queued, the waiter (idle, or done with an earlier wait) is linked until it is resumed or
  /// withdrawn.
  [[nodiscard]] BulkheadEntry enter(LaneWaiter&, Lane, Deadline, time_point now) noexcept;

  /// The next waiter to resume: `offered`, to accept() its place, or `refused`. Null when there is none.
  [[nodiscard]] LaneWaiter* next(time_point now) noexcept;

  /// The resumed waiter takes the place it was offered; nothing when it was not, or withdrew.
  [[nodiscard]] std::optional<BulkheadPermit> accept(LaneWaiter&, time_point now) noexcept;
  /// Gives up waiting, in any state. True when it was queued or offered.
  bool withdraw(LaneWaiter&) noexcept;

  /// Hands a place back.
  void leave(BulkheadPermit, HoldOutcome, time_point now) noexcept;

  /// Another maximum from now on; places beyond it end as they are handed back. No effect on the queue. With an
  /// adaptive limit the options hold and this is refused. 1…100'000. Throws Error(request).
  void set_concurrent_max(std::uint32_t);

  /// Places that may be in use now.
  std::uint32_t limit() const noexcept;
  /// Places in use, offered ones included.
  std::uint32_t in_use() const noexcept { return in_use_; }
  std::uint32_t waiting() const noexcept { return lanes_.size(); }
  std::uint32_t waiting(Lane lane) const noexcept { return lanes_.size(lane); }
  /// How long a newcomer of the lane would wait; zero while fewer than 20 places have been handed back.
  nanoseconds predicted_wait(Lane) const noexcept;
  AdaptiveLimit const& adaptive() const noexcept { return adaptive_; }
  Counters const& counters() const noexcept { return counters_; }

 private:
  BulkheadEntry refuse(BulkheadRefusal, nanoseconds predicted) noexcept;
  nanoseconds wait_behind(std::uint64_t ahead) const noexcept;
  bool is_too_long(nanoseconds wait, Lane, Deadline, time_point now) const noexcept;
  bool shed_below(Lane) noexcept;
  void shed_hopeless(time_point now) noexcept;
  void drop(LaneWaiter&, BulkheadRefusal) noexcept;

  BulkheadOptions options_;
  WaiterLanes lanes_;
  WaiterList dropped_;  ///< refused while queued, not resumed yet
  std::uint32_t in_use_ = 0;
  double hold_ns_ = 0;       ///< moving average
  std::uint32_t holds_ = 0;  ///< stops at holds_known
  AdaptiveLimit adaptive_;
  Counters counters_;
};

}  // namespace belay::resilience
