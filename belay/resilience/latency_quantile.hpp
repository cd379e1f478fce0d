#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "belay/core/deadline.hpp"

namespace belay::resilience {

/// An estimate of the p99 of a stream of latencies in a few words of memory: every three seconds, or 200 samples if
/// those take longer, it moves by up to 0.7 %, up when more than one sample in a hundred was above it, down when fewer.
///
/// The estimate is long-term: it at most doubles or halves in five minutes, however many samples arrive, because a
/// yardstick that follows an outage cannot measure it. During the first 100 samples it is their maximum.
///
/// Plain state, not thread-safe, no allocation. Source: the stochastic approximation of H. Robbins and S. Monro, Ann.
/// Math. Statist. 22, 1951, with multiplicative steps.
class LatencyQuantile {
 public:
  using time_point = Deadline::time_point;
  static constexpr std::uint32_t warm_up = 100;

  explicit LatencyQuantile(time_point now) noexcept : period_ends_at_(now) {}

  void add(std::chrono::nanoseconds took, time_point now) noexcept {
    // A year is longer than any call and keeps the estimate far from the end of the integers.
    auto const sample = static_cast<double>(std::clamp<std::int64_t>(took.count(), 1, 31'536'000'000'000'000));
    if (warm_up_left_ > 0) return warm(sample, now);
    ++samples_;
    if (sample > estimate_ns_) ++above_;
    if (now >= period_ends_at_ && samples_ >= samples_min) move(now);
  }
  /// Zero before the first sample.
  std::chrono::nanoseconds p99() const noexcept {
    return std::chrono::nanoseconds(static_cast<std::int64_t>(estimate_ns_));
  }

 private:
  static constexpr std::uint32_t samples_min = 200;  ///< of a period

  void warm(double sample, time_point now) noexcept;
  void move(time_point now) noexcept;

  double estimate_ns_ = 0;
  std::uint32_t warm_up_left_ = warm_up;
  std::uint32_t samples_ = 0;  ///< of this period
  std::uint32_t above_ = 0;    ///< of these
  time_point period_ends_at_;
};

}  // namespace belay::resilience
