// Question: what does the whole policy pipeline cost a call, in the core and without a coroutine? Read as ns per call;
// the target is 200, and nothing allocated, for a call that succeeds through everything: deadline, rate limiter,
// bulkhead, retry with its budget, breaker. The parts are those that belay::pool::Policy puts together, locks included.
#include <benchmark/benchmark.h>

#include "belay/resilience/limiter_gate.hpp"
#include "belay/resilience/policy_core.hpp"
#include "belay/resilience/presets.hpp"
#include "belay/resilience/shared_breaker.hpp"
#include "belay/resilience/shared_bulkhead.hpp"
#include "bench/allocations.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using bench::allocations;
using time_point = Deadline::time_point;
using Kind = PolicyAction::Kind;

constexpr time_point start = time_point() + 1000h;

/// Calls follow one another at this distance, so that budget, limiter and windows move as they do in earnest.
constexpr auto step = 10us;

using Parts = PolicyParts<RateLimiterGate, BulkheadEntrance, BreakerEntrance>;

/// What the calls to an endpoint share. Its gates are made for each call, as in earnest.
struct Endpoint {
  explicit Endpoint(BreakerOptions const& breaker_options, RetryBudgetOptions const& budget_options = {})
      : budget(start, budget_options), breaker(breaker_options, Random(2), start) {}

  RetryPolicy retry{presets::standard().retry};
  RetryBudget budget;
  RateLimiter limiter{{.per_second = 1'000'000, .burst = 1000}, start};
  SharedBulkhead bulkhead{BulkheadOptions(), start};
  SharedBreaker breaker;
};

/// One call from its making to its success.
void call_once(benchmark::State& state, Endpoint& endpoint, Random& random, time_point now) {
  RateLimiterGate limiter(&endpoint.limiter);
  BulkheadEntrance bulkhead(&endpoint.bulkhead, Lane::normal);
  BreakerEntrance breaker(&endpoint.breaker);
  Parts const parts{endpoint.retry, &endpoint.budget, limiter, bulkhead, breaker};
  PolicyCall call(parts, {.deadline = Deadline::at(now + 1s)}, Random(random.next()));
  if (call.begin(now).kind != Kind::run_attempt) state.SkipWithError("the call was not let through");
  benchmark::DoNotOptimize(call.succeeded(now + 1us));
}

void run_calls(benchmark::State& state, BreakerOptions const& options) {
  Endpoint endpoint(options);
  Random random(1);
  auto now = start;
  auto const before = allocations();
  for (auto _ : state) call_once(state, endpoint, random, now += step);
  state.counters["allocations"] = static_cast<double>(allocations() - before);
}

void pipeline(benchmark::State& state) { run_calls(state, presets::standard().breaker); }
BENCHMARK(pipeline);

// The same with a breaker that goes by all its rules.
void pipeline_all_breaker_rules(benchmark::State& state) {
  auto options = presets::standard().breaker;
  options.count_window = FailureShareRule();
  options.slow = SlowShareRule();
  run_calls(state, options);
}
BENCHMARK(pipeline_all_breaker_rules);

// What is left of it when only retry and budget are wanted.
void pipeline_retry_and_budget_only(benchmark::State& state) {
  RetryPolicy const retry(presets::standard().retry);
  RetryBudget budget(start);
  NoLimiter limiter;
  NoBulkhead bulkhead;
  NoBreaker breaker;
  PolicyParts<> const parts{retry, &budget, limiter, bulkhead, breaker};
  Random random(1);
  auto now = start;
  for (auto _ : state) {
    now += step;
    PolicyCall call(parts, {.deadline = Deadline::at(now + 1s)}, Random(random.next()));
    benchmark::DoNotOptimize(call.begin(now));
    benchmark::DoNotOptimize(call.succeeded(now + 1us));
  }
}
BENCHMARK(pipeline_retry_and_budget_only);

// Read as ns per call that fails once, is repeated after its pause in virtual time, and succeeds. The breaker goes by
// failures in a row only, or half of all attempts failing would open it.
void pipeline_with_one_retry(benchmark::State& state) {
  Endpoint endpoint(enterprise_breaker_options(), {.floor_per_second = 1000});
  Random random(1);
  auto now = start;
  auto const before = allocations();
  for (auto _ : state) {
    now += 1ms;
    RateLimiterGate limiter(&endpoint.limiter);
    BulkheadEntrance bulkhead(&endpoint.bulkhead, Lane::normal);
    BreakerEntrance breaker(&endpoint.breaker);
    Parts const parts{endpoint.retry, &endpoint.budget, limiter, bulkhead, breaker};
    PolicyCall call(parts, {.deadline = Deadline::at(now + 10s)}, Random(random.next()));
    benchmark::DoNotOptimize(call.begin(now));
    auto action = call.failed({ErrorClass::transport, SendState::refused}, now + 1us);
    now = action.until.at();
    action = call.timer_fired(now);
    if (action.kind != Kind::run_attempt) state.SkipWithError("the call was not repeated");
    benchmark::DoNotOptimize(call.succeeded(now + 1us));
  }
  state.counters["allocations"] = static_cast<double>(allocations() - before);
}
BENCHMARK(pipeline_with_one_retry);

// Read as ns per call that the open breaker turns away, counting what lies before it in the fixed order.
void pipeline_refused_by_breaker(benchmark::State& state) {
  Endpoint endpoint(presets::standard().breaker);
  endpoint.breaker.force_open(start);
  Random random(1);
  auto now = start;
  auto const before = allocations();
  for (auto _ : state) {
    now += step;
    RateLimiterGate limiter(&endpoint.limiter);
    BulkheadEntrance bulkhead(&endpoint.bulkhead, Lane::normal);
    BreakerEntrance breaker(&endpoint.breaker);
    Parts const parts{endpoint.retry, &endpoint.budget, limiter, bulkhead, breaker};
    PolicyCall call(parts, {.deadline = Deadline::at(now + 1s)}, Random(random.next()));
    if (call.begin(now).kind != Kind::fail) state.SkipWithError("the call was not refused");
  }
  state.counters["allocations"] = static_cast<double>(allocations() - before);
}
BENCHMARK(pipeline_refused_by_breaker);

}  // namespace
}  // namespace belay::resilience

BENCHMARK_MAIN();
