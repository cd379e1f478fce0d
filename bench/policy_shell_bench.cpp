// Question: what does a policy cost a call that needs none of it? Read as ns per call of a body that is ready at once,
// awaited by a coroutine that is running: `direct` without a policy, `policy` with limiter, bulkhead, retry, budget and
// a closed breaker, `refusal` with an open breaker. The counter is operator new per call; Asio's frames are recycled.

#include <benchmark/benchmark.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "belay/pool/policy.hpp"
#include "bench/allocations.hpp"

namespace {

using belay::bench::allocations;
using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;
namespace asio = boost::asio;

asio::awaitable<int> answer(Attempt& attempt) { co_return static_cast<int>(attempt.number); }

PolicyOptions everything_on() {
  auto options = policy_options(resilience::presets::standard());
  options.rate_limit = resilience::RateLimit{1'000'000, 1'000'000};
  options.bulkhead = resilience::BulkheadOptions();
  return options;
}

/// Runs the benchmark's loop in a coroutine.
void in_coroutine(benchmark::State& state, asio::awaitable<void> loop) {
  asio::io_context context(1);
  asio::co_spawn(context, std::move(loop), asio::detached);
  auto const before = allocations();
  context.run();
  state.counters["allocations"] =
      benchmark::Counter(static_cast<double>(allocations() - before), benchmark::Counter::kAvgIterations);
}

asio::awaitable<void> call_directly(benchmark::State& state) {
  for (auto _ : state) {
    Attempt attempt;
    benchmark::DoNotOptimize(co_await answer(attempt));
  }
}
void direct(benchmark::State& state) { in_coroutine(state, call_directly(state)); }
BENCHMARK(direct);

asio::awaitable<void> call_through(benchmark::State& state, Policy policy) {
  for (auto _ : state) {
    CallOptions options;
    options.context.deadline = Deadline::at(Deadline::time_point::max() - 1h);
    benchmark::DoNotOptimize(co_await policy.run(options, answer));
  }
}
void policy_breaker_only(benchmark::State& state) {
  in_coroutine(state, call_through(state, Policy(resilience::presets::standard())));
}
BENCHMARK(policy_breaker_only);

void policy_everything_on(benchmark::State& state) {
  in_coroutine(state, call_through(state, Policy(everything_on())));
}
BENCHMARK(policy_everything_on)->Iterations(900'000);  // within the limiter's burst: nobody waits

asio::awaitable<void> be_refused(benchmark::State& state, Policy policy) {
  policy.breaker(OperationClass::read)->force_open(Deadline::clock::now());
  for (auto _ : state) {
    try {
      benchmark::DoNotOptimize(co_await policy.run({}, answer));
    } catch (Error const& error) {
      benchmark::DoNotOptimize(error.error_class());
    }
  }
}
void refusal_open_breaker(benchmark::State& state) { in_coroutine(state, be_refused(state, Policy(everything_on()))); }
BENCHMARK(refusal_open_breaker);

/// What a caller pays who asks before he calls.
void refusal_seen_without_a_call(benchmark::State& state) {
  Policy const policy(everything_on());
  policy.breaker(OperationClass::read)->force_open(Deadline::clock::now());
  auto const now = Deadline::clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(policy.breaker(OperationClass::read)->is_open(now));
}
BENCHMARK(refusal_seen_without_a_call);

}  // namespace

BENCHMARK_MAIN();
