#pragma once

#include <chrono>

#include "belay/core/deadline.hpp"

namespace belay::resilience::detail {

using std::chrono::nanoseconds;

/// start + wait for wait >= 0; the end of time instead of an overflow.
constexpr Deadline::time_point time_after(Deadline::time_point start, nanoseconds wait) noexcept {
  using time_point = Deadline::time_point;
  if (start > time_point() && wait > time_point::max() - start) return time_point::max();
  return start + wait;
}

/// end - start, zero when they stand the other way round: callers read the clock before they take the lock, so a later
/// call may carry an earlier instant.
constexpr nanoseconds time_between(Deadline::time_point start, Deadline::time_point end) noexcept {
  using time_point = Deadline::time_point;
  if (end <= start) return nanoseconds::zero();
  if (start < time_point() && end > time_point::max() + start.time_since_epoch()) return nanoseconds::max();
  return end - start;
}

}  // namespace belay::resilience::detail
