#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace belay::pool {

/// How long leases are held, of late: what the predicted wait, the useful budget and the diagnosis are made from.
///
/// The mean is exponentially weighted (1/16 for the newest). Quantiles come from a log-linear histogram, four buckets
/// per power of two, hence within 12.5 %; its counts are halved every 512 samples, so the past fades. add() is a few
/// nanoseconds and never allocates; a quantile is counted anew at most every 16 samples.
class HoldTime {
 public:
  using duration = std::chrono::nanoseconds;
  static constexpr std::uint64_t samples_for_prediction = 20;

  void add(duration held) noexcept;
  /// Whether there is enough to predict from.
  bool is_known() const noexcept { return samples_ >= samples_for_prediction; }
  std::uint64_t samples() const noexcept { return samples_; }
  /// Zero before the first sample, like the quantiles.
  duration mean() const noexcept { return duration(static_cast<duration::rep>(mean_)); }
  duration p50() const noexcept { return quantiles().p50; }
  duration p99() const noexcept { return quantiles().p99; }
  /// How much of `budget` the work itself needs if all but a `loss` of the leases that would fit into the whole of it
  /// are still to fit: those that are longer anyhow are nobody's gain. At most 12.5 % too much. Zero when none would
  /// fit.
  duration needed_of(duration budget, double loss) const noexcept;

 private:
  static constexpr std::size_t buckets = 4 * 64;
  struct Quantiles {
    std::uint64_t at_sample = 0;
    duration p50{};
    duration p99{};
    std::array<std::uint16_t, buckets> up_to{};  ///< samples in this bucket and those below
  };

  Quantiles const& quantiles() const noexcept;
  duration quantile(double share) const noexcept;

  double mean_ = 0;
  std::uint64_t samples_ = 0;
  std::uint32_t counted_ = 0;
  std::array<std::uint16_t, buckets> counts_{};
  mutable Quantiles quantiles_;
};

}  // namespace belay::pool
