#include "belay/resilience/fleet_cap.hpp"

#include <algorithm>

#include "belay/resilience/detail/instant.hpp"
#include "belay/resilience/detail/option_check.hpp"

namespace belay::resilience {

namespace {

using namespace std::chrono_literals;

FleetCapOptions const& checked(FleetCapOptions const& options) {
  detail::require_range("fleet cap", "hard_limit", options.hard_limit, 1, 1'000'000);
  detail::require_range("fleet cap", "cut", options.cut, 0.1, 0.99);
  detail::require_range("fleet cap", "raise_every", options.raise_every, 1s, 24h);
  detail::require_range("fleet cap", "settle_for", options.settle_for, 0s, options.raise_every);
  return options;
}

}  // namespace

FleetCap::FleetCap(FleetCapOptions const& options) : options_(checked(options)), cap_(options.hard_limit) {}

void FleetCap::refused(time_point now) {
  grow(now);
  grows_from_ = std::max(grows_from_, now);
  bool const belongs_to_the_last_cut =
      cut_at_ != time_point::min() && detail::elapsed(cut_at_, now) < options_.settle_for;
  if (belongs_to_the_last_cut) return;
  cut_at_ = now;
  auto const cut = static_cast<std::uint32_t>(static_cast<double>(cap_) * options_.cut);
  cap_ = std::max(std::min(lowest, options_.hard_limit), cut);
}

std::uint32_t FleetCap::cap(time_point now) {
  grow(now);
  return cap_;
}

FleetCap::time_point FleetCap::grows_at(time_point now) {
  grow(now);
  return cap_ == options_.hard_limit ? time_point::max() : detail::later(grows_from_, options_.raise_every);
}

void FleetCap::grow(time_point now) {
  if (cap_ == options_.hard_limit) return;
  auto const due = detail::elapsed(grows_from_, now) / options_.raise_every;
  if (due <= 0) return;
  auto const missing = options_.hard_limit - cap_;
  if (due >= missing) {
    cap_ = options_.hard_limit;
    return;
  }
  cap_ += static_cast<std::uint32_t>(due);
  grows_from_ = detail::later(grows_from_, due * options_.raise_every);
}

}  // namespace belay::resilience
