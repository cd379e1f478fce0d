#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "belay/core/deadline.hpp"

namespace belay::pool {

/// How many cancel requests may open a socket of their own: half of the pool per second, at least one, so that a burst
/// of cancellations is no burst of connects. A generic cell rate algorithm with a burst of one second's worth.
class CancelBudget {
 public:
  using time_point = Deadline::time_point;

  explicit CancelBudget(std::uint32_t connections) noexcept
      : interval_(std::chrono::nanoseconds(std::chrono::seconds(1)) / std::max<std::uint32_t>(connections / 2, 1)) {}

  bool try_take(time_point now) noexcept {
    auto const next = std::max(arrival_, now) + interval_;
    if (next - now > std::chrono::seconds(1)) return false;
    arrival_ = next;
    return true;
  }

 private:
  std::chrono::nanoseconds interval_;
  time_point arrival_ = time_point::min();
};

}  // namespace belay::pool
