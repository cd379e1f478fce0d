#include "belay/resilience/rate_limiter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "belay/core/error.hpp"
#include "belay/resilience/detail/monotonic.hpp"
#include "belay/resilience/detail/option_range.hpp"

namespace belay::resilience {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

namespace {

constexpr auto furthest = std::numeric_limits<std::int64_t>::max();
constexpr double overload_factor = 0.7;
constexpr double recovery_per_second = 0.05;
constexpr int share_shift = 44;
constexpr std::uint64_t millis_max = (std::uint64_t{1} << share_shift) - 1;
constexpr double full_share = 1'000'000;

std::int64_t saturating_sum(std::int64_t a, std::int64_t b) noexcept {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return a < 0 ? std::numeric_limits<std::int64_t>::min() : furthest;
  return sum;
}

std::int64_t ns_of(Deadline::time_point instant) noexcept { return nanoseconds(instant.time_since_epoch()).count(); }

/// At a time of at_ns from now_ns on: never negative.
nanoseconds wait_until(std::int64_t at_ns, std::int64_t now_ns) noexcept {
  return nanoseconds(at_ns <= now_ns ? 0 : saturating_sum(at_ns, -now_ns));
}

}  // namespace

void check(RateLimit const& limit) {
  detail::require_range("rate limit per_second", limit.per_second, 0.001, 1'000'000);
  detail::require_range("rate limit burst", std::uint64_t{limit.burst}, 1, 1'000'000);
  detail::require_range("rate limit burst / per_second (seconds to refill)", limit.burst / limit.per_second, 0,
                        1'000'000);
  detail::require_range("rate limit wait_max", limit.wait_max, 0ns, 24h);
}

GcraRule::GcraRule(RateLimit const& limit) : limit_(limit), interval_ns_(0), tolerance_ns_(0) {
  check(limit);
  interval_ns_ = static_cast<std::int64_t>(std::ceil(1e9 / limit.per_second));
  tolerance_ns_ = interval_ns_ * limit.burst;  // <= 1e15 by check(), and a millionth or so of rounding
}

GcraRule::Slot GcraRule::next(std::int64_t tat_ns, std::uint32_t n, std::int64_t now_ns, double share) const noexcept {
  auto const interval =
      share >= 1 ? interval_ns_ : static_cast<std::int64_t>(std::ceil(static_cast<double>(interval_ns_) / share));
  auto const cost = interval * n;  // <= tolerance / share_min
  auto const start = std::max(tat_ns, now_ns);
  auto const after = saturating_sum(start, cost);
  // At a reduced rate n permits may cost more than the whole tolerance: then they wait for an idle limiter. Tolerance
  // stays that of the full rate, or each reduction would hand out another burst.
  auto const at = saturating_sum(after, -std::max(tolerance_ns_, cost));
  return Slot{std::max(at, now_ns), after};
}

std::uint32_t GcraRule::remaining(std::int64_t tat_ns, std::int64_t now_ns) const noexcept {
  auto const used = wait_until(tat_ns, now_ns).count();
  return used >= tolerance_ns_ ? 0 : static_cast<std::uint32_t>((tolerance_ns_ - used) / interval_ns_);
}

void GcraRule::require_possible(std::uint32_t n) const {
  if (n >= 1 && n <= limit_.burst) return;
  throw Error(ErrorClass::request, SendState::never_sent,
              "asked a rate limiter for " + std::to_string(n) +
                  " permits at once, it must be between 1 and its burst of " + std::to_string(limit_.burst));
}

RateLimiter::RateLimiter(RateLimit const& limit, time_point now)
    : rule_(limit), origin_(now), tat_ns_(std::numeric_limits<std::int64_t>::min()) {}

RateAdmission RateLimiter::try_acquire(time_point now, std::uint32_t n) {
  rule_.require_possible(n);
  auto const now_ns = ns_of(now);
  auto const in_force = share(now);
  // Relaxed: the number guards nothing but itself.
  auto tat = tat_ns_.load(std::memory_order_relaxed);
  for (;;) {
    auto const slot = rule_.next(tat, n, now_ns, in_force);
    if (slot.at_ns > now_ns) return RateAdmission{false, wait_until(slot.at_ns, now_ns)};
    if (tat_ns_.compare_exchange_weak(tat, slot.tat_ns, std::memory_order_relaxed)) return RateAdmission{true, 0ns};
  }
}

RateReservation RateLimiter::reserve(time_point now, Deadline deadline, std::uint32_t n) {
  rule_.require_possible(n);
  auto const now_ns = ns_of(now);
  auto const in_force = share(now);
  auto const longest = std::min<nanoseconds>(deadline.remaining(now), rule_.limit().wait_max);
  auto tat = tat_ns_.load(std::memory_order_relaxed);
  for (;;) {
    auto const slot = rule_.next(tat, n, now_ns, in_force);
    RateReservation reservation;
    reservation.wait = wait_until(slot.at_ns, now_ns);
    reservation.at = detail::time_after(now, reservation.wait);
    if (reservation.wait > longest || deadline.expired(reservation.at)) return reservation;
    if (!tat_ns_.compare_exchange_weak(tat, slot.tat_ns, std::memory_order_relaxed)) continue;
    reservation.granted = true;
    reservation.tat_before_ns = tat;
    reservation.tat_after_ns = slot.tat_ns;
    return reservation;
  }
}

bool RateLimiter::cancel(RateReservation const& reservation, time_point now) noexcept {
  if (!reservation.granted || now >= reservation.at) return false;
  auto latest = reservation.tat_after_ns;
  return tat_ns_.compare_exchange_strong(latest, reservation.tat_before_ns, std::memory_order_relaxed);
}

void RateLimiter::overloaded(time_point now) noexcept {
  auto const elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(detail::time_between(origin_, now));
  auto const at = std::min(static_cast<std::uint64_t>(elapsed.count()), millis_max);
  auto reduction = reduction_.load(std::memory_order_relaxed);
  for (;;) {
    auto const share = std::max(share_of(reduction, now) * overload_factor, share_min);
    auto const packed = static_cast<std::uint64_t>(share * full_share) << share_shift | at;
    if (reduction_.compare_exchange_weak(reduction, packed, std::memory_order_relaxed)) return;
  }
}

double RateLimiter::share(time_point now) const noexcept {
  return share_of(reduction_.load(std::memory_order_relaxed), now);
}

double RateLimiter::share_of(std::uint64_t reduction, time_point now) const noexcept {
  if (reduction == 0) return 1;
  auto const at = detail::time_after(origin_, std::chrono::milliseconds(reduction & millis_max));
  auto const since = std::chrono::duration<double>(detail::time_between(at, now)).count();
  return std::min(1.0, static_cast<double>(reduction >> share_shift) / full_share + recovery_per_second * since);
}

std::uint32_t RateLimiter::remaining(time_point now) const noexcept { return rule_.remaining(tat_ns(), ns_of(now)); }

}  // namespace belay::resilience
