#pragma once

#include "belay/core/deadline.hpp"
#include "belay/resilience/policy_gates.hpp"
#include "belay/resilience/rate_limiter.hpp"

namespace belay::resilience {

/// A RateLimiter as PolicyCall wants it: one permit a call. Null: no limit.
///
/// Thread-safe, as the limiter is, which outlives it.
class RateLimiterGate {
 public:
  using Reservation = RateReservation;

  explicit RateLimiterGate(RateLimiter* limiter) noexcept : limiter_(limiter) {}

  LimiterAnswer reserve(Reservation& reservation, Deadline::time_point now, Deadline deadline) {
    if (!limiter_) return {.at = now};
    reservation = limiter_->reserve(now, deadline);
    if (!reservation) return {.retry_after = reservation.wait};
    return {.at = reservation.at};
  }
  void give_back(Reservation& reservation, Deadline::time_point now) noexcept {
    if (limiter_) limiter_->cancel(reservation, now);
  }

 private:
  RateLimiter* limiter_;
};

static_assert(LimiterGate<RateLimiterGate>);

}  // namespace belay::resilience
