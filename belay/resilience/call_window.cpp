#include "belay/resilience/call_window.hpp"

#include "belay/resilience/detail/monotonic.hpp"

namespace belay::resilience {

TimeWindow::TimeWindow(std::chrono::nanoseconds length, time_point origin) noexcept
    : width_(length / bucket_count), ends_at_(detail::time_after(origin, width_)) {}

void TimeWindow::expire(time_point now) noexcept {
  if (now < ends_at_) return;
  auto const steps = static_cast<std::uint64_t>(detail::time_between(ends_at_, now) / width_) + 1;
  if (steps >= bucket_count) {
    clear();
  } else {
    for (std::uint64_t step = 0; step < steps; ++step) {
      current_ = (current_ + 1) % bucket_count;
      auto& oldest = buckets_[current_];
      counts_.total -= oldest.total;
      counts_.failures -= oldest.failures;
      counts_.slow -= oldest.slow;
      oldest = CallCounts();
    }
  }
  // In two sums: steps * width_ may be one width beyond the end of time.
  ends_at_ = detail::time_after(ends_at_ + width_ * static_cast<std::int64_t>(steps - 1), width_);
}

void TimeWindow::clear() noexcept {
  counts_ = CallCounts();
  buckets_.fill(CallCounts());
}

CountWindow::CountWindow(std::size_t calls, std::chrono::nanoseconds age_max) : age_max_(age_max), calls_(calls) {}

void CountWindow::expire(time_point now) noexcept {
  while (counts_.total > 0 && now >= calls_[oldest_].over_at) {
    auto const& call = calls_[oldest_];
    --counts_.total;
    counts_.failures -= call.failure ? 1 : 0;
    counts_.slow -= call.slow ? 1 : 0;
    oldest_ = after(oldest_);
  }
}

void CountWindow::clear() noexcept {
  counts_ = CallCounts();
  oldest_ = 0;
}

}  // namespace belay::resilience
