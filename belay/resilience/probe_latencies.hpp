#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

namespace belay::resilience {

/// The latencies of the latest probes that succeeded, and their quantiles. No allocation.
class ProbeLatencies {
 public:
  static constexpr std::size_t kept = 128;

  void add(std::chrono::nanoseconds) noexcept;
  std::size_t size() const noexcept { return size_; }
  /// The smallest kept latency that a part `q` of them does not exceed; none when there is none. q in (0, 1].
  std::optional<std::chrono::nanoseconds> quantile(double q) const noexcept;

 private:
  std::array<std::chrono::nanoseconds, kept> latencies_{};
  std::size_t size_ = 0;
  std::size_t next_ = 0;
};

}  // namespace belay::resilience
