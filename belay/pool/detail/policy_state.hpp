#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "belay/core/clock.hpp"
#include "belay/pool/policy_environment.hpp"
#include "belay/pool/policy_options.hpp"
#include "belay/pool/policy_snapshot.hpp"
#include "belay/resilience/rate_limiter.hpp"
#include "belay/resilience/retry.hpp"
#include "belay/resilience/retry_budget.hpp"
#include "belay/resilience/shared_breaker.hpp"
#include "belay/resilience/shared_bulkhead.hpp"

namespace belay::pool::detail {

/// ClassCounters while they count.
struct LiveCounters {
  template <std::size_t n>
  using Counters = std::array<std::atomic<std::uint64_t>, n>;

  std::atomic<std::uint64_t> calls{0};
  std::atomic<std::uint64_t> attempts{0};
  std::atomic<std::uint64_t> successes{0};
  Counters<ClassCounters::error_class_count> failures_by_class{};
  Counters<ClassCounters::error_class_count> retries_by_class{};
  Counters<ClassCounters::layer_count> refusals_by_layer{};
  Counters<ClassCounters::reason_count> given_up_by_reason{};

  ClassCounters read() const noexcept;
};

inline void count(std::atomic<std::uint64_t>& counter) noexcept { counter.fetch_add(1, std::memory_order_relaxed); }
template <std::size_t n, class Enum>
void count(std::array<std::atomic<std::uint64_t>, n>& counters, Enum which) noexcept {
  count(counters[static_cast<std::size_t>(which)]);
}

/// What the calls of a policy share. Thread-safe: immutable, atomic, or safe by itself.
struct PolicyState {
  struct Class {
    Class(OperationClass, ClassPolicy const&, Random, Deadline::time_point now);

    OperationClass operation;
    resilience::RetryPolicy retry;
    resilience::PolicyOptions call;
    std::unique_ptr<resilience::SharedBreaker> breaker;  ///< null: none
    LiveCounters counters;
  };

  PolicyState(PolicyOptions const&, PolicyEnvironment&&);

  Deadline::time_point now() const noexcept { return clock->now(); }
  Class& of(OperationClass operation) noexcept { return classes[static_cast<std::size_t>(operation)]; }
  /// A stream of a call's own.
  Random random_of_call() noexcept { return Random(seed + calls_begun.fetch_add(1, std::memory_order_relaxed)); }
  PolicySnapshot snapshot() noexcept;

  PolicyEnvironment environment;
  Clock const* clock;
  std::uint64_t seed;
  std::atomic<std::uint64_t> calls_begun{0};
  std::array<Class, operation_class_count> classes;
  std::unique_ptr<resilience::RetryBudget> budget;       ///< null: unlimited
  std::unique_ptr<resilience::RateLimiter> limiter;      ///< null: none
  std::unique_ptr<resilience::SharedBulkhead> bulkhead;  ///< null: none
};

}  // namespace belay::pool::detail
