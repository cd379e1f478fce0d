#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "belay/resilience/breaker_options.hpp"
#include "belay/resilience/bulkhead.hpp"
#include "belay/resilience/policy_core.hpp"
#include "belay/resilience/presets.hpp"
#include "belay/resilience/rate_limiter.hpp"
#include "belay/resilience/retry.hpp"
#include "belay/resilience/retry_budget.hpp"

namespace belay::pool {

/// What an endpoint's operations are told apart by: a database that accepts no writes can still be read.
enum class OperationClass : std::uint8_t { read, write, connect };
inline constexpr std::size_t operation_class_count = 3;

/// "write": the label of metrics.
std::string_view name_of(OperationClass) noexcept;

/// How the operations of one class are retried and when they are left alone.
struct ClassPolicy {
  resilience::RetryOptions retry{};
  /// nullopt: no circuit breaker.
  std::optional<resilience::BreakerOptions> breaker = resilience::BreakerOptions();
  /// The bound of one attempt, and whether deadlines are enforced.
  resilience::PolicyOptions call{};
};

/// What stands between the callers and one endpoint. Each class has a breaker of its own; budget, limit and bulkhead
/// are shared, because the endpoint that they protect is.
struct PolicyOptions {
  ClassPolicy read{};
  ClassPolicy write{};
  ClassPolicy connect{};
  /// nullopt: retries are bounded by their number alone.
  std::optional<resilience::RetryBudgetOptions> retry_budget = resilience::RetryBudgetOptions();
  /// nullopt: calls per second are not limited.
  std::optional<resilience::RateLimit> rate_limit{};
  /// nullopt: calls at once are limited by the pool alone.
  std::optional<resilience::BulkheadOptions> bulkhead{};
};

/// The preset's retry and breaker for every class, and its budget.
PolicyOptions policy_options(resilience::Preset const&);

/// Refuses options outside their ranges with belay::Error(request) that names the option and the range.
void check(PolicyOptions const&);

}  // namespace belay::pool
