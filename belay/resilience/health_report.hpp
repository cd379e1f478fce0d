#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"

namespace belay::resilience {

enum class HealthState {
  unknown,   ///< no probe has ended yet
  up,        ///< probes succeed
  degraded,  ///< one failed or was slow, or it has not succeeded twice since
  down       ///< probes fail, or connections are refused and none is alive
};

enum class HealthReason {
  none,                ///< unknown or up
  probe_failed,        ///< the error class and the engine code tell why
  probe_slow,          ///< a probe succeeded after more than slow_factor times the median
  connection_refused,  ///< a connection was refused while none was alive
};

/// Names as they appear in logs, metrics and JSON: "degraded", "probe_slow".
std::string_view name_of(HealthState) noexcept;
std::string_view name_of(HealthReason) noexcept;

/// How an endpoint is, and since when. Liveness of the process must not depend on it; readiness may.
struct HealthReport {
  HealthState state = HealthState::unknown;
  HealthReason reason = HealthReason::none;
  std::optional<ErrorClass> error_class;      ///< of the latest failure, while not up
  std::string engine_code;                    ///< likewise: "57P03"; empty when the engine said nothing
  std::optional<Deadline::time_point> since;  ///< when the state began; none before the first probe ended
  std::optional<Deadline::time_point> last_success;
  /// Of the latest probes that succeeded, 128 at most; none before the first.
  std::optional<std::chrono::nanoseconds> latency_p50;
  std::optional<std::chrono::nanoseconds> latency_p99;
};

}  // namespace belay::resilience
