#include "belay/resilience/breaker_state.hpp"

namespace belay::resilience {

std::string_view name_of(BreakerState state) noexcept {
  switch (state) {
    case BreakerState::closed: return "closed";
    case BreakerState::open: return "open";
    case BreakerState::half_open: return "half_open";
    case BreakerState::forced_open: return "forced_open";
    case BreakerState::forced_closed: return "forced_closed";
  }
  return "unknown";
}

std::string_view name_of(BreakerVerdict verdict) noexcept {
  switch (verdict) {
    case BreakerVerdict::success: return "success";
    case BreakerVerdict::failure: return "failure";
    case BreakerVerdict::slow: return "slow";
    case BreakerVerdict::ignored: return "ignored";
  }
  return "unknown";
}

std::string_view name_of(BreakerCause cause) noexcept {
  switch (cause) {
    case BreakerCause::consecutive_failures: return "consecutive_failures";
    case BreakerCause::failure_share_in_time: return "failure_share_in_time";
    case BreakerCause::failure_share_in_calls: return "failure_share_in_calls";
    case BreakerCause::slow_share: return "slow_share";
    case BreakerCause::open_time_over: return "open_time_over";
    case BreakerCause::endpoint_recovered: return "endpoint_recovered";
    case BreakerCause::probes_succeeded: return "probes_succeeded";
    case BreakerCause::probe_failed: return "probe_failed";
    case BreakerCause::probe_lease_over: return "probe_lease_over";
    case BreakerCause::probes_undecided: return "probes_undecided";
    case BreakerCause::forced: return "forced";
    case BreakerCause::released: return "released";
  }
  return "unknown";
}

std::string_view name_of(BreakerRefusal reason) noexcept {
  switch (reason) {
    case BreakerRefusal::open: return "open";
    case BreakerRefusal::probes_under_way: return "probes_under_way";
    case BreakerRefusal::ramping: return "ramping";
    case BreakerRefusal::forced_open: return "forced_open";
  }
  return "unknown";
}

}  // namespace belay::resilience
