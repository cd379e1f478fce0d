#include "belay/resilience/adaptive_limit.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "belay/resilience/detail/monotonic.hpp"
#include "belay/resilience/detail/option_range.hpp"

namespace belay::resilience {

using detail::require_range;
using detail::time_after;
using namespace std::chrono_literals;

namespace {

constexpr double used_share = 0.8;
constexpr double steepest_fall = 0.5;
constexpr double overload_fall = 0.8;

}  // namespace

void check(AdaptiveLimitOptions const& options, std::uint32_t max) {
  if (options.mode == AdaptiveMode::off) return;
  require_range("adaptive.min", std::uint64_t{options.min}, 1, max);
  require_range("adaptive.window", options.window, 10ms, 1min);
  require_range("adaptive.samples_min", std::uint64_t{options.samples_min}, 1, 1'000'000);
  require_range("adaptive.tolerance", options.tolerance, 1.1, 10);
  require_range("adaptive.baseline_age_max", options.baseline_age_max,
                std::max<std::chrono::nanoseconds>(10s, 10 * options.window), 24h);
}

AdaptiveLimit::AdaptiveLimit(AdaptiveLimitOptions const& options, std::uint32_t max, time_point now)
    : options_(options),
      max_(max),
      computed_(max),
      window_ends_at_(time_after(now, options.window)),
      minimum_ends_at_(time_after(now, options.baseline_age_max / minima_count)) {
  check(options, max);
}

void AdaptiveLimit::record(std::chrono::nanoseconds took, std::uint32_t in_use, time_point now) noexcept {
  if (options_.mode == AdaptiveMode::off) return;
  ++histogram_[bucket_of(static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0)))];
  ++samples_;
  in_use_max_ = std::max(in_use_max_, in_use);
  judge_window(now);
}

void AdaptiveLimit::overloaded(std::uint32_t in_use, time_point now) noexcept {
  if (options_.mode == AdaptiveMode::off) return;
  ++overloads_;
  in_use_max_ = std::max(in_use_max_, in_use);
  judge_window(now);
}

void AdaptiveLimit::judge_window(time_point now) noexcept {
  if (now < window_ends_at_ || samples_ + overloads_ < options_.samples_min) return;
  double fall = overloads_ > 0 ? overload_fall : 1;
  if (samples_ > 0) {
    auto const p90 = p90_ns();
    keep_minimum(p90, now);
    auto const gradient = options_.tolerance * static_cast<double>(baseline().count()) / static_cast<double>(p90);
    fall = std::min(fall, std::max(gradient, steepest_fall));
  }
  if (in_use_max_ > used_share * computed_) {
    auto const before = static_cast<double>(computed_);
    auto const after = fall < 1 ? std::floor(before * fall) : before + std::floor(std::sqrt(before));
    computed_ = static_cast<std::uint32_t>(std::clamp<double>(after, options_.min, max_));
  }
  histogram_.fill(0);
  samples_ = overloads_ = in_use_max_ = 0;
  window_ends_at_ = time_after(now, options_.window);
}

void AdaptiveLimit::keep_minimum(std::uint64_t p90, time_point now) noexcept {
  auto const length = options_.baseline_age_max / minima_count;
  for (std::size_t step = 0; now >= minimum_ends_at_ && step < minima_count; ++step) {
    current_minimum_ = (current_minimum_ + 1) % minima_count;
    minima_ns_[current_minimum_] = 0;
    minimum_ends_at_ = time_after(minimum_ends_at_, length);
  }
  if (now >= minimum_ends_at_) minimum_ends_at_ = time_after(now, length);  // after a pause longer than all of them
  auto& minimum = minima_ns_[current_minimum_];
  minimum = minimum == 0 ? p90 : std::min(minimum, p90);
}

std::chrono::nanoseconds AdaptiveLimit::baseline() const noexcept {
  std::uint64_t best = 0;
  for (auto const minimum : minima_ns_) {
    if (minimum != 0 && (best == 0 || minimum < best)) best = minimum;
  }
  return std::chrono::nanoseconds(static_cast<std::int64_t>(best));
}

std::uint64_t AdaptiveLimit::p90_ns() const noexcept {
  std::uint64_t const rank = (std::uint64_t{samples_} * 9 + 9) / 10;  // of the sample that 90 % do not exceed
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < bucket_count; ++bucket) {
    seen += histogram_[bucket];
    if (seen >= rank) return upper_edge_of(bucket);
  }
  return upper_edge_of(bucket_count - 1);
}

std::size_t AdaptiveLimit::bucket_of(std::uint64_t ns) noexcept {
  if (ns < buckets_per_octave) return ns;
  auto const shift = static_cast<std::size_t>(std::bit_width(ns)) - 4;  // leaves the leading bit and three more
  return (shift + 1) * buckets_per_octave + ((ns >> shift) - buckets_per_octave);
}

std::uint64_t AdaptiveLimit::upper_edge_of(std::size_t bucket) noexcept {
  if (bucket < buckets_per_octave) return bucket + 1;
  auto const shift = bucket / buckets_per_octave - 1;
  return ((bucket % buckets_per_octave + buckets_per_octave + 1) << shift) - 1;
}

}  // namespace belay::resilience
