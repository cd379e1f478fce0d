#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "belay/core/error.hpp"
#include "belay/resilience/phase_times.hpp"
#include "belay/resilience/retry.hpp"

namespace belay::resilience {

/// Which layer turned a call away before its first attempt.
enum class RefusedBy { nobody, deadline, rate_limiter, bulkhead, circuit_breaker };

/// "circuit_breaker": the label of metrics and the value of the error's detail `refused_by`.
std::string_view name_of(RefusedBy) noexcept;

/// How a call failed for good.
struct PolicyFailure {
  ErrorClass error_class = ErrorClass::internal;
  /// Over all attempts: refused or never_sent only if every attempt was, so that nothing has been executed.
  SendState send_state = SendState::never_sent;
  RefusedBy refused_by = RefusedBy::nobody;
  std::optional<NoRetry> no_retry{};  ///< why the last failure was not repeated; nullopt before the first attempt
  std::optional<std::chrono::nanoseconds> retry_after{};  ///< when a new call may fare better, if somebody knows
  Phase phase = Phase::admission;                         ///< where it was when it ended
  unsigned attempts = 0;                                  ///< made, the uncounted ones included
};

/// The error that the caller of the policy gets. A call that was attempted fails with its last attempt's error, told
/// with the state over all attempts; one that was not, with a sentence of this layer's. Details: `refused_by`,
/// `retry_after_ms`, `phase`, `attempts`, `not_retried` (the enumerator), `not_retried_because` (the sentence), as far
/// as they apply.
///
/// last_error  what the last attempt threw; nullptr when none was made or the call was cancelled while it waited
Error to_error(PolicyFailure const&, Error const* last_error);

}  // namespace belay::resilience
