#include "belay/resilience/health_report.hpp"

namespace belay::resilience {

std::string_view name_of(HealthState state) noexcept {
  switch (state) {
    case HealthState::unknown: return "unknown";
    case HealthState::up: return "up";
    case HealthState::degraded: return "degraded";
    case HealthState::down: return "down";
  }
  return "unknown";
}

std::string_view name_of(HealthReason reason) noexcept {
  switch (reason) {
    case HealthReason::none: return "none";
    case HealthReason::probe_failed: return "probe_failed";
    case HealthReason::probe_slow: return "probe_slow";
    case HealthReason::connection_refused: return "connection_refused";
  }
  return "none";
}

}  // namespace belay::resilience
