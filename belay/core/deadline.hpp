#pragma once

#include <chrono>
#include <compare>

namespace belay {

/// The instant by which an operation must have answered: absolute, monotonic, carried by value through every layer.
///
/// Immune to wall-clock jumps. "No deadline" is spelled out (never()); a duration of zero is a deadline that has
/// passed.
class Deadline {
 public:
  using clock = std::chrono::steady_clock;
  using time_point = clock::time_point;
  using duration = clock::duration;

  /// From now; saturates instead of overflowing. A negative duration is already expired.
  static Deadline in(duration) noexcept;
  static constexpr Deadline at(time_point instant) noexcept { return Deadline(instant); }
  static constexpr Deadline never() noexcept { return Deadline(time_point::max()); }

  constexpr time_point at() const noexcept { return at_; }
  constexpr bool is_never() const noexcept { return at_ == time_point::max(); }
  constexpr bool expired(time_point now) const noexcept { return now >= at_ && !is_never(); }
  bool expired() const noexcept { return expired(clock::now()); }
  /// Time left, never negative; duration::max() for never().
  constexpr duration remaining(time_point now) const noexcept {
    if (is_never()) return duration::max();
    return now >= at_ ? duration::zero() : at_ - now;
  }
  duration remaining() const noexcept { return remaining(clock::now()); }

  /// The earlier of the two: how a local time-out joins the caller's deadline.
  friend constexpr Deadline earlier(Deadline a, Deadline b) noexcept { return a.at_ < b.at_ ? a : b; }
  friend constexpr auto operator<=>(Deadline, Deadline) noexcept = default;

 private:
  constexpr explicit Deadline(time_point instant) noexcept : at_(instant) {}
  time_point at_;
};

}  // namespace belay
