#include "belay/pool/hold_time.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

namespace belay::pool {

namespace {

constexpr double newest_weight = 1.0 / 16;
constexpr std::uint32_t fade_at = 1024;  // then all counts are halved
constexpr std::uint64_t recount_after = 16;

/// Four per power of two: the leading bit and the two behind it. Values below 4 have a bucket each.
std::size_t bucket_of(std::uint64_t value) noexcept {
  if (value < 4) return static_cast<std::size_t>(value);
  auto const exponent = static_cast<unsigned>(std::bit_width(value)) - 1;
  return 4 * (exponent - 1) + ((value >> (exponent - 2)) & 3U);
}

/// The least value of the next bucket.
double end_of(std::size_t bucket) noexcept {
  if (bucket < 4) return static_cast<double>(bucket + 1);
  auto const exponent = static_cast<int>(bucket / 4) + 1;
  return std::ldexp(5.0 + static_cast<double>(bucket % 4), exponent - 2);
}

double middle_of(std::size_t bucket) noexcept {
  if (bucket < 4) return static_cast<double>(bucket);
  auto const exponent = static_cast<int>(bucket / 4) + 1;
  return std::ldexp(4.5 + static_cast<double>(bucket % 4), exponent - 2);
}

}  // namespace

void HoldTime::add(duration held) noexcept {
  auto const value = static_cast<std::uint64_t>(std::max<duration::rep>(held.count(), 0));
  ++samples_;
  // The plain mean of the first 16, so that the first sample does not linger.
  double const weight = samples_ < 16 ? 1.0 / static_cast<double>(samples_) : newest_weight;
  mean_ += weight * (static_cast<double>(value) - mean_);
  ++counts_[bucket_of(value)];
  if (++counted_ < fade_at) return;
  counted_ = 0;
  for (auto& count : counts_) counted_ += count /= 2;
}

HoldTime::Quantiles const& HoldTime::quantiles() const noexcept {
  bool const is_fresh = samples_ == quantiles_.at_sample || samples_ < quantiles_.at_sample + recount_after;
  if (quantiles_.at_sample != 0 && is_fresh) return quantiles_;
  quantiles_.at_sample = samples_;
  quantiles_.p50 = quantile(0.5);
  quantiles_.p99 = quantile(0.99);
  std::partial_sum(counts_.begin(), counts_.end(), quantiles_.up_to.begin());
  return quantiles_;
}

HoldTime::duration HoldTime::needed_of(duration budget, double loss) const noexcept {
  if (budget.count() <= 0) return duration::zero();
  auto const& up_to = quantiles().up_to;
  auto const fit = up_to[bucket_of(static_cast<std::uint64_t>(budget.count()))];
  if (fit == 0) return duration::zero();
  auto const wanted = static_cast<std::uint16_t>(std::ceil((1 - loss) * static_cast<double>(fit)));
  auto const bucket = std::lower_bound(up_to.begin(), up_to.end(), wanted) - up_to.begin();
  return std::min(budget, duration(static_cast<duration::rep>(end_of(static_cast<std::size_t>(bucket)))));
}

HoldTime::duration HoldTime::quantile(double share) const noexcept {
  auto const wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(counted_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    seen += counts_[bucket];
    if (seen >= wanted && seen > 0) return duration(static_cast<duration::rep>(middle_of(bucket)));
  }
  return duration::zero();
}

}  // namespace belay::pool
