#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

#include "belay/core/deadline.hpp"

namespace belay::resilience {

/// What a call spends its time on, in the order in which one deadline is consumed.
enum class Phase {
  admission,   ///< rate limiter and bulkhead
  queue,       ///< waiting for a connection of the pool
  connect,     ///< a connection is made for this call
  test,        ///< the connection lent is tested
  query,       ///< the database works
  retry_wait,  ///< the pause before another attempt
  fallback     ///< what is served instead
};

/// "retry_wait": the label of metrics.
std::string_view name_of(Phase) noexcept;

/// How long a call was in each phase. It is always in exactly one, so the times add up to the time since it began.
/// Not thread-safe.
class PhaseTimes {
 public:
  using time_point = Deadline::time_point;
  static constexpr std::size_t phase_count = 7;

  explicit PhaseTimes(time_point began) noexcept : since_(began) {}

  /// Ends the current phase and enters another, or the same again. A `now` before the last one counts as no time.
  void enter(Phase phase, time_point now) noexcept {
    if (now > since_) {
      spent_[static_cast<std::size_t>(phase_)] += now - since_;
      since_ = now;
    }
    phase_ = phase;
  }
  Phase current() const noexcept { return phase_; }
  /// Without the time since the last enter().
  std::chrono::nanoseconds spent_in(Phase phase) const noexcept { return spent_[static_cast<std::size_t>(phase)]; }

 private:
  std::array<std::chrono::nanoseconds, phase_count> spent_{};
  time_point since_;
  Phase phase_ = Phase::admission;
};

}  // namespace belay::resilience
