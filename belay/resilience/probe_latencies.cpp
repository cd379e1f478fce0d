#include "belay/resilience/probe_latencies.hpp"

#include <algorithm>
#include <cmath>

namespace belay::resilience {

void ProbeLatencies::add(std::chrono::nanoseconds latency) noexcept {
  latencies_[next_] = latency;
  next_ = (next_ + 1) % kept;
  size_ = std::min(size_ + 1, kept);
}

std::optional<std::chrono::nanoseconds> ProbeLatencies::quantile(double q) const noexcept {
  if (size_ == 0) return std::nullopt;
  auto sorted = latencies_;
  auto const rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(size_)));
  auto const index = std::clamp<std::size_t>(rank, 1, size_) - 1;
  auto const at = sorted.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(sorted.begin(), at, sorted.begin() + static_cast<std::ptrdiff_t>(size_));
  return *at;
}

}  // namespace belay::resilience
