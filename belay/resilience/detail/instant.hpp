#pragma once

#include <chrono>

#include "belay/core/deadline.hpp"

namespace belay::resilience::detail {

/// `wait` after `instant`; time_point::max() where the sum cannot be told. wait >= 0.
constexpr Deadline::time_point later(Deadline::time_point instant, std::chrono::nanoseconds wait) noexcept {
  if (instant >= Deadline::time_point::max() - wait) return Deadline::time_point::max();
  return instant + wait;
}

/// The time from `earlier` to `now`: zero when that lies ahead, nanoseconds::max() where it cannot be told.
constexpr std::chrono::nanoseconds elapsed(Deadline::time_point earlier, Deadline::time_point now) noexcept {
  if (now <= earlier) return std::chrono::nanoseconds::zero();
  auto const zero = Deadline::time_point();
  if (earlier < zero && now > Deadline::time_point::max() + (earlier - zero)) return std::chrono::nanoseconds::max();
  return now - earlier;
}

/// base * 2^doublings, at most `cap`. base > 0, cap >= base, doublings >= 0.
constexpr std::chrono::nanoseconds doubled(std::chrono::nanoseconds base, std::chrono::nanoseconds cap,
                                           int doublings) noexcept {
  for (; doublings > 0 && base < cap; --doublings) base = base > cap / 2 ? cap : base * 2;
  return base < cap ? base : cap;
}

}  // namespace belay::resilience::detail
