#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "belay/core/deadline.hpp"

namespace belay::resilience {

struct RateLimit {
  double per_second = 100;   ///< 0.001…1'000'000; held exactly or up to 0.1 % below
  std::uint32_t burst = 10;  ///< permits an idle limiter gives at once. 1…1'000'000, and refilled within 10^6 s
  /// The longest wait reserve() promises, whatever the deadline. 0…24 h.
  std::chrono::nanoseconds wait_max = std::chrono::seconds(30);
};

/// Error(request) that names the option out of its range.
void check(RateLimit const&);

/// The arithmetic of the "generic cell rate algorithm" on one number, the theoretical arrival time (TAT): how far the
/// permits already given reach into the future at the limited rate. It never gives more than per_second * w + burst
/// permits in any span w. Pure functions, no state.
///
/// Source: ITU-T I.371 (2004), annex A, in its virtual scheduling form.
class GcraRule {
 public:
  using time_point = Deadline::time_point;

  /// When a request may go ahead, and the TAT it leaves.
  struct Slot {
    std::int64_t at_ns = 0;
    std::int64_t tat_ns = 0;
  };

  /// Throws Error(request) as check() does.
  explicit GcraRule(RateLimit const&);

  /// Of n permits at a limiter whose TAT is tat_ns. n: 1…burst, share: of the full rate, > 0…1. Saturates.
  Slot next(std::int64_t tat_ns, std::uint32_t n, std::int64_t now_ns, double share) const noexcept;
  /// Permits available at once.
  std::uint32_t remaining(std::int64_t tat_ns, std::int64_t now_ns) const noexcept;
  /// Error(request) unless n is 1…burst: no other number can ever be satisfied.
  void require_possible(std::uint32_t n) const;

  RateLimit const& limit() const noexcept { return limit_; }

 private:
  RateLimit limit_;
  std::int64_t interval_ns_;   ///< between permits at the full rate, rounded up
  std::int64_t tolerance_ns_;  ///< burst intervals
};

/// The answer to a request that does not wait.
struct RateAdmission {
  bool admitted = false;
  /// When refused: until the same request could be admitted if nobody else came.
  std::chrono::nanoseconds retry_after{};

  explicit operator bool() const noexcept { return admitted; }
};

/// A place in the future, or a refusal that consumed nothing.
struct RateReservation {
  bool granted = false;
  Deadline::time_point at;                           ///< when granted: go ahead then
  std::chrono::nanoseconds wait{};                   ///< until then; when refused: what the wait would have been
  std::int64_t tat_before_ns = 0, tat_after_ns = 0;  ///< for cancel()

  explicit operator bool() const noexcept { return granted; }
};

/// Limits a rate, one for all callers. Reservations are first come, first served: who tries without waiting never gets
/// ahead of those who wait.
///
/// Thread-safe and lock-free: its state is two atomic 64-bit numbers, each changed by compare-exchange. No allocation.
class RateLimiter {
 public:
  using time_point = Deadline::time_point;
  using nanoseconds = std::chrono::nanoseconds;

  /// How far overload may push the rate down.
  static constexpr double share_min = 0.01;

  /// now: what the adaptive rate's time is counted from. Throws Error(request) that names an option out of its range.
  RateLimiter(RateLimit const&, time_point now);

  /// Takes n permits now or none. n outside 1…burst is Error(request).
  [[nodiscard]] RateAdmission try_acquire(time_point now, std::uint32_t n = 1);

  /// Takes n permits for the earliest instant at which they are due, if that is before the deadline and within
  /// wait_max; otherwise leaves the state as it was, to the bit.
  [[nodiscard]] RateReservation reserve(time_point now, Deadline deadline, std::uint32_t n = 1);

  /// Gives a reservation back before its time, at most once. True when it was the latest, so that its permits are free
  /// again; otherwise they are lost, because later ones have been promised on top of them. Past its time it has no
  /// effect.
  bool cancel(RateReservation const&, time_point now) noexcept;

  /// The server said it is overloaded: the rate falls to 0.7 of what it is, at least to share_min of the full rate, and
  /// rises again by 5 % of the full rate per second.
  void overloaded(time_point now) noexcept;

  /// The share of the full rate that is in force, share_min…1.
  double share(time_point now) const noexcept;
  std::uint32_t remaining(time_point now) const noexcept;
  RateLimit const& limit() const noexcept { return rule_.limit(); }
  /// The theoretical arrival time in nanoseconds since the clock's epoch, for tests and display.
  std::int64_t tat_ns() const noexcept { return tat_ns_.load(std::memory_order_relaxed); }

 private:
  double share_of(std::uint64_t reduction, time_point now) const noexcept;

  GcraRule rule_;
  time_point origin_;
  std::atomic<std::int64_t> tat_ns_;
  /// Zero: the full rate. Else the share at the last overload in millionths (upper 20 bits) and its time in
  /// milliseconds since origin_ (lower 44).
  std::atomic<std::uint64_t> reduction_{0};
};

}  // namespace belay::resilience
