#pragma once

#include <chrono>

#include "belay/core/datetime.hpp"

namespace belay {

/// Where time comes from. What decides takes `now` as an argument; what performs asks a Clock, so that tests can
/// move the three times independently. Implementations are thread-safe.
class Clock {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  virtual ~Clock() = default;
  /// Monotonic; stands still while the machine is suspended. What deadlines and all rules are measured by.
  virtual time_point now() const noexcept = 0;
  /// Like now(), but goes on while the machine is suspended (CLOCK_BOOTTIME). Only differences have a meaning.
  virtual std::chrono::nanoseconds since_boot() const noexcept = 0;
  /// The calendar. May jump: for display and durable timestamps only, never for a rule.
  virtual Datetime wall() const = 0;
};

/// The machine's own clocks.
Clock const& system_clock() noexcept;

}  // namespace belay
