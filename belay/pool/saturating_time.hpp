#pragma once

#include <chrono>

#include "belay/core/deadline.hpp"

namespace belay::pool {

/// A connection that has just proven itself may be lent at that very instant, whatever the mode.
inline constexpr std::chrono::nanoseconds an_instant{1};

/// `at` + `wait`, held at time_point::max() ("never") where it would overflow. wait >= 0.
constexpr Deadline::time_point later(Deadline::time_point at, std::chrono::nanoseconds wait) noexcept {
  return at > Deadline::time_point::max() - wait ? Deadline::time_point::max() : at + wait;
}

}  // namespace belay::pool
