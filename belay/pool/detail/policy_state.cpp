#include "belay/pool/detail/policy_state.hpp"

#include <utility>

namespace belay::pool::detail {

namespace {

template <std::size_t n>
std::array<std::uint64_t, n> read_all(std::array<std::atomic<std::uint64_t>, n> const& counters) noexcept {
  std::array<std::uint64_t, n> values{};
  for (std::size_t i = 0; i < n; ++i) values[i] = counters[i].load(std::memory_order_relaxed);
  return values;
}

PolicyOptions const& checked(PolicyOptions const& options) {
  check(options);
  return options;
}

}  // namespace

ClassCounters LiveCounters::read() const noexcept {
  ClassCounters values;
  values.calls = calls.load(std::memory_order_relaxed);
  values.attempts = attempts.load(std::memory_order_relaxed);
  values.successes = successes.load(std::memory_order_relaxed);
  values.failures_by_class = read_all(failures_by_class);
  values.retries_by_class = read_all(retries_by_class);
  values.refusals_by_layer = read_all(refusals_by_layer);
  values.given_up_by_reason = read_all(given_up_by_reason);
  return values;
}

PolicyState::Class::Class(OperationClass of, ClassPolicy const& policy, Random random, Deadline::time_point now)
    : operation(of), retry(policy.retry), call(policy.call) {
  if (policy.breaker) breaker = std::make_unique<resilience::SharedBreaker>(*policy.breaker, random, now);
}

PolicyState::PolicyState(PolicyOptions const& options, PolicyEnvironment&& with)
    : environment(std::move(with)),
      clock(environment.time ? &environment.time->clock() : &system_clock()),
      seed(environment.random.fork("calls").next()),
      classes{{{OperationClass::read, checked(options).read, environment.random.fork("read breaker"), now()},
               {OperationClass::write, options.write, environment.random.fork("write breaker"), now()},
               {OperationClass::connect, options.connect, environment.random.fork("connect breaker"), now()}}} {
  if (options.retry_budget) budget = std::make_unique<resilience::RetryBudget>(now(), *options.retry_budget);
  if (options.rate_limit) limiter = std::make_unique<resilience::RateLimiter>(*options.rate_limit, now());
  if (options.bulkhead) bulkhead = std::make_unique<resilience::SharedBulkhead>(*options.bulkhead, now());
  if (!environment.hooks.on_breaker_change) return;
  for (auto& members : classes) {
    if (!members.breaker) continue;
    members.breaker->add_listener([this, operation = members.operation](resilience::BreakerEvent const& event) {
      if (event.kind == resilience::BreakerEvent::Kind::transition) {
        environment.hooks.on_breaker_change(BreakerChange{operation, event});
      }
    });
  }
}

PolicySnapshot PolicyState::snapshot() noexcept {
  auto const instant = now();
  PolicySnapshot snapshot;
  for (std::size_t i = 0; i < operation_class_count; ++i) {
    snapshot.classes[i].counters = classes[i].counters.read();
    if (classes[i].breaker) snapshot.classes[i].breaker = classes[i].breaker->snapshot(instant);
  }
  if (budget) {
    snapshot.budget_balance = budget->balance(instant);
    snapshot.budget_cap = budget->cap(instant);
  }
  if (limiter) snapshot.rate_share = limiter->share(instant);
  if (bulkhead) snapshot.bulkhead = bulkhead->snapshot();
  return snapshot;
}

}  // namespace belay::pool::detail
