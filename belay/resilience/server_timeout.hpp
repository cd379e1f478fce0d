#pragma once

#include <chrono>
#include <optional>

#include "belay/core/deadline.hpp"

namespace belay::resilience {

/// The time-out to set at the server for work that has this much time left: rounded up to 50, 100, 250, 500 ms, 1, 2,
/// 5, 10, 30 s and beyond that to whole multiples of 30 s, so that the setting rarely changes from call to call.
///
/// The local timer enforces the exact deadline; the server's is the net below it that ends orphaned work. Hence it is
/// never shorter than what is left, and at most one step longer. nullopt for Deadline::never(), and for what lies
/// beyond 2^31 ms (24 days), the longest that the engines accept: no time-out.
std::optional<std::chrono::milliseconds> server_timeout(Deadline::duration remaining) noexcept;

inline std::optional<std::chrono::milliseconds> server_timeout(Deadline deadline, Deadline::time_point now) noexcept {
  return server_timeout(deadline.remaining(now));
}

}  // namespace belay::resilience
