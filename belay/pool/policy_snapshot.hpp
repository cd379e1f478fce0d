#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "belay/core/error.hpp"
#include "belay/pool/policy_options.hpp"
#include "belay/resilience/breaker_state.hpp"
#include "belay/resilience/policy_failure.hpp"
#include "belay/resilience/retry.hpp"
#include "belay/resilience/shared_bulkhead.hpp"

namespace belay::pool {

/// What has happened to the calls of one class since the policy was made. Calls that are under way are the difference:
/// calls = successes + all failures + those under way.
struct ClassCounters {
  static constexpr std::size_t error_class_count = static_cast<std::size_t>(ErrorClass::internal) + 1;
  static constexpr std::size_t layer_count = static_cast<std::size_t>(resilience::RefusedBy::circuit_breaker) + 1;
  static constexpr std::size_t reason_count = static_cast<std::size_t>(resilience::NoRetry::budget_empty) + 1;

  std::uint64_t calls = 0;
  std::uint64_t attempts = 0;
  std::uint64_t successes = 0;
  std::array<std::uint64_t, error_class_count> failures_by_class{};  ///< of calls; [0] stays 0
  std::array<std::uint64_t, error_class_count> retries_by_class{};   ///< by the failure that was repeated
  std::array<std::uint64_t, layer_count> refusals_by_layer{};        ///< failures before the first attempt
  std::array<std::uint64_t, reason_count> given_up_by_reason{};      ///< failures after the last attempt

  std::uint64_t failures(ErrorClass error_class) const noexcept {
    return failures_by_class[static_cast<std::size_t>(error_class)];
  }
  std::uint64_t retries(ErrorClass error_class) const noexcept {
    return retries_by_class[static_cast<std::size_t>(error_class)];
  }
  std::uint64_t refusals(resilience::RefusedBy layer) const noexcept {
    return refusals_by_layer[static_cast<std::size_t>(layer)];
  }
  std::uint64_t given_up(resilience::NoRetry reason) const noexcept {
    return given_up_by_reason[static_cast<std::size_t>(reason)];
  }
};

struct ClassSnapshot {
  ClassCounters counters;
  std::optional<resilience::BreakerSnapshot> breaker;
};

/// What a policy looks like at an instant. The numbers are read one after the other while calls go on.
struct PolicySnapshot {
  std::array<ClassSnapshot, operation_class_count> classes;
  std::optional<double> budget_balance;  ///< retries that could be made now; nullopt: unlimited
  std::optional<double> budget_cap;
  std::optional<double> rate_share;  ///< of the full rate, after overloads; nullopt: no limiter
  std::optional<resilience::SharedBulkhead::Snapshot> bulkhead;

  ClassSnapshot const& of(OperationClass operation) const noexcept {
    return classes[static_cast<std::size_t>(operation)];
  }
};

}  // namespace belay::pool
