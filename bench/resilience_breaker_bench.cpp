// Question: what do the guards in front of every call cost? Read as ns per decision. The targets are 15 ns for the
// cycle of a closed breaker and 25 ns for the refusal of an open one, each without an allocation.
#include <chrono>

#include <benchmark/benchmark.h>

#include "belay/resilience/bulkhead.hpp"
#include "belay/resilience/circuit_breaker.hpp"
#include "belay/resilience/keyed_rate_limiter.hpp"
#include "belay/resilience/rate_limiter.hpp"
#include "belay/resilience/shared_breaker.hpp"
#include "bench/allocations.hpp"

namespace {

using namespace belay::resilience;
using namespace std::chrono_literals;
using belay::Deadline;
using belay::Random;
using belay::bench::allocations;

constexpr auto start = Deadline::time_point() + 1h;

// The clock is not read: what decides takes the time, and the caller has read it for its deadline. It moves on so that
// windows rotate as they would at a million calls a second.
void breaker_closed_cycle(benchmark::State& state, BreakerOptions const& options) {
  CircuitBreaker breaker(options, Random(1), start);
  auto now = start;
  auto const deadline = Deadline::at(start + 24h);
  auto const before = allocations();
  for (auto _ : state) {
    now += 1us;
    auto const admission = breaker.try_enter(now, deadline);
    benchmark::DoNotOptimize(breaker.record(admission.permit, BreakerVerdict::success, now, 1ms));
  }
  state.counters["allocations"] = static_cast<double>(allocations() - before);
}

BreakerOptions all_rules() {
  BreakerOptions options;
  options.count_window = FailureShareRule();
  options.slow = SlowShareRule();
  return options;
}

BENCHMARK_CAPTURE(breaker_closed_cycle, default_options, default_breaker_options());
BENCHMARK_CAPTURE(breaker_closed_cycle, enterprise, enterprise_breaker_options());
BENCHMARK_CAPTURE(breaker_closed_cycle, all_rules, all_rules());

// Told beside the above, which never sees a failure: one call in a hundred fails, and every rule has something to
// weigh.
void breaker_closed_cycle_one_percent_fails(benchmark::State& state) {
  CircuitBreaker breaker(all_rules(), Random(1), start);
  auto now = start;
  auto const deadline = Deadline::at(start + 24h);
  std::uint32_t until_failure = 100;
  for (auto _ : state) {
    now += 1us;
    auto const admission = breaker.try_enter(now, deadline);
    bool const fails = --until_failure == 0;
    if (fails) until_failure = 100;
    auto const verdict = fails ? BreakerVerdict::failure : BreakerVerdict::success;
    benchmark::DoNotOptimize(breaker.record(admission.permit, verdict, now, 1ms));
  }
}
BENCHMARK(breaker_closed_cycle_one_percent_fails);

// What calls on several threads go through: the breaker behind its mutex, on one thread.
void shared_breaker_closed_cycle(benchmark::State& state) {
  SharedBreaker breaker(default_breaker_options(), Random(1), start);
  auto now = start;
  auto const deadline = Deadline::at(start + 24h);
  for (auto _ : state) {
    now += 1us;
    auto const answer = breaker.try_enter(now, deadline);
    breaker.record(*answer.permit, BreakerSignal::success, now);
  }
}
BENCHMARK(shared_breaker_closed_cycle);

void breaker_open_refusal(benchmark::State& state) {
  CircuitBreaker breaker(enterprise_breaker_options(), Random(1), start);
  auto now = start;
  while (breaker.state() == BreakerState::closed) {
    auto const permit = breaker.try_enter(now, Deadline::never()).permit;
    breaker.record(permit, BreakerVerdict::failure, now);
  }
  auto const before = allocations();
  for (auto _ : state) benchmark::DoNotOptimize(breaker.try_enter(now, Deadline::never()));
  state.counters["allocations"] = static_cast<double>(allocations() - before);
}
BENCHMARK(breaker_open_refusal);

void shared_breaker_open_refusal(benchmark::State& state) {
  SharedBreaker breaker(enterprise_breaker_options(), Random(1), start);
  breaker.force_open(start);
  auto const before = allocations();
  for (auto _ : state) benchmark::DoNotOptimize(breaker.refuse_if_open(start));
  state.counters["allocations"] = static_cast<double>(allocations() - before);
}
BENCHMARK(shared_breaker_open_refusal);

// Threads share one cell: at 16 it is the compare-exchange under contention that is measured.
void limiter_try_acquire(benchmark::State& state) {
  static RateLimiter limiter({.per_second = 1'000'000, .burst = 1000}, start);
  auto now = start;
  for (auto _ : state) {
    now += 1us;
    benchmark::DoNotOptimize(limiter.try_acquire(now));
  }
}
BENCHMARK(limiter_try_acquire)->ThreadRange(1, 16);

void keyed_limiter_try_acquire(benchmark::State& state) {
  KeyedRateLimiter limiter({.per_second = 1000, .burst = 100}, 100'000);
  auto now = start;
  for (auto _ : state) {
    now += 1ms;
    benchmark::DoNotOptimize(limiter.try_acquire("tenant-4711", now));
  }
}
BENCHMARK(keyed_limiter_try_acquire);

void bulkhead_enter_leave(benchmark::State& state) {
  struct Waiter : LaneWaiter {
  } waiter;
  Bulkhead bulkhead(BulkheadOptions(), start);
  auto now = start;
  for (auto _ : state) {
    now += 1us;
    auto const entry = bulkhead.enter(waiter, Lane::normal, Deadline::never(), now);
    bulkhead.leave(entry.permit, HoldOutcome::done, now);
    benchmark::DoNotOptimize(bulkhead.next(now));
  }
}
BENCHMARK(bulkhead_enter_leave);

}  // namespace

BENCHMARK_MAIN();
