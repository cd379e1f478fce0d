#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "belay/core/deadline.hpp"

namespace belay::resilience {

/// Whether a limit on concurrency follows the latency.
enum class AdaptiveMode {
  off,
  shadow,  ///< computed and shown, not applied
  on
};

struct AdaptiveLimitOptions {
  AdaptiveMode mode = AdaptiveMode::off;
  std::uint32_t min = 4;  ///< never below. 1…the given maximum
  /// Calls are judged together over this time, once there are samples_min. 10 ms…1 min.
  std::chrono::nanoseconds window = std::chrono::seconds(1);
  std::uint32_t samples_min = 20;  ///< 1…1'000'000
  /// The limit falls when the window's p90 is above that many times the baseline. 1.1…10.
  double tolerance = 2;
  /// How long the best p90 seen remains the baseline, so that a service that became slower for good is accepted. 10
  /// s…24 h and at least ten windows.
  std::chrono::nanoseconds baseline_age_max = std::chrono::minutes(10);
};

/// Error(request) that names the option out of its range; when off, the others do not matter.
void check(AdaptiveLimitOptions const&, std::uint32_t max);

/// A limit on concurrency between a minimum and a maximum that falls while calls get slower than they are at best, by
/// the ratio of baseline to short-term p90 (at most to half per window), and otherwise rises by its square root. It
/// moves only in windows in which more than 80 % of it was used: an idle service says nothing about what it can bear.
///
/// Plain state, not thread-safe, no allocation. Source: the gradient limit of Netflix's concurrency-limits, 2018, with
/// quantiles for means and a baseline that ages.
class AdaptiveLimit {
 public:
  using time_point = Deadline::time_point;

  /// Starts at max. Throws Error(request) as check() does.
  AdaptiveLimit(AdaptiveLimitOptions const&, std::uint32_t max, time_point now);

  /// A call ended; `in_use` calls were under way, itself included.
  void record(std::chrono::nanoseconds took, std::uint32_t in_use, time_point now) noexcept;
  /// The server refused a call because it is overloaded.
  void overloaded(std::uint32_t in_use, time_point now) noexcept;

  /// What to enforce: the maximum unless the mode is `on`.
  std::uint32_t limit() const noexcept { return options_.mode == AdaptiveMode::on ? computed_ : max_; }
  /// What `on` would enforce.
  std::uint32_t computed() const noexcept { return computed_; }
  /// The best p90 that has not aged out; zero before the first window's end.
  std::chrono::nanoseconds baseline() const noexcept;

 private:
  static constexpr std::size_t buckets_per_octave = 8;  // 12.5 % wide
  static constexpr std::size_t bucket_count = 64 * buckets_per_octave;
  static constexpr std::size_t minima_count = 10;

  static std::size_t bucket_of(std::uint64_t ns) noexcept;
  static std::uint64_t upper_edge_of(std::size_t bucket) noexcept;
  void judge_window(time_point now) noexcept;
  std::uint64_t p90_ns() const noexcept;
  void keep_minimum(std::uint64_t p90, time_point now) noexcept;

  AdaptiveLimitOptions options_;
  std::uint32_t max_;
  std::uint32_t computed_;
  std::uint32_t samples_ = 0;
  std::uint32_t overloads_ = 0;
  std::uint32_t in_use_max_ = 0;
  time_point window_ends_at_;
  std::array<std::uint32_t, bucket_count> histogram_{};
  std::array<std::uint64_t, minima_count> minima_ns_{};  ///< zero: none; each of a tenth of baseline_age_max
  std::size_t current_minimum_ = 0;
  time_point minimum_ends_at_;
};

}  // namespace belay::resilience
