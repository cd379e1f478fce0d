#include "belay/resilience/latency_quantile.hpp"

#include <algorithm>

#include "belay/resilience/detail/monotonic.hpp"

namespace belay::resilience {

namespace {

constexpr auto period = std::chrono::seconds(3);
constexpr double share_above = 0.01;
constexpr double step_max = 0.007;  // 1.007 to the power of 100 periods, five minutes, is 2.0

}  // namespace

void LatencyQuantile::warm(double sample, time_point now) noexcept {
  --warm_up_left_;
  estimate_ns_ = std::max(estimate_ns_, sample);
  period_ends_at_ = detail::time_after(now, period);
}

void LatencyQuantile::move(time_point now) noexcept {
  auto const excess = static_cast<double>(above_) / samples_ / share_above - 1;
  estimate_ns_ = std::max(estimate_ns_ * (1 + step_max * std::min(excess, 1.0)), 1.0);
  samples_ = above_ = 0;
  period_ends_at_ = detail::time_after(now, period);
}

}  // namespace belay::resilience
