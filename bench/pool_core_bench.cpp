#include <deque>
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include "belay/pool/pool_core.hpp"
#include "bench/allocations.hpp"
#include "bench/full_pool.hpp"

namespace {

using belay::bench::allocations;
using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;

using bench::FullPool;

PoolOptions unbounded() {
  PoolOptions options;
  options.idle_timeout = std::nullopt;
  options.max_lifetime = std::nullopt;
  options.admission = std::nullopt;
  options.max_waiters = 100'000;
  return options;
}

FullPool pool_of(std::uint32_t connections) { return {unbounded(), connections, Deadline::time_point(1h)}; }

// Question: what does it cost to take an idle connection and give it back, when nobody waits? Read as ns per pair; the
// target is 60 with no allocation. The size of the pool must not matter.
void uncontended(benchmark::State& state) {
  auto pool = pool_of(static_cast<std::uint32_t>(state.range(0)));
  auto const before = allocations();
  Actions wanted;
  for (auto _ : state) {
    pool.now += 100ns;
    Waiter waiter{LeaseRequest{}};
    auto const acquired = pool.core->acquire(waiter, pool.now, wanted);
    pool.core->release(acquired.grant.lease, {}, pool.now, wanted);
  }
  state.counters["allocations"] = static_cast<double>(allocations() - before);
  if (!wanted.empty()) state.SkipWithError("the pool asked for something");
}
BENCHMARK(uncontended)->ArgName("connections")->Arg(1)->Arg(10)->Arg(100);

// The same with what a shell does besides: a fresh list of actions for each input, a look at the next timer.
void uncontended_with_timer(benchmark::State& state) {
  auto pool = pool_of(10);
  auto const before = allocations();
  for (auto _ : state) {
    pool.now += 100ns;
    Waiter waiter{LeaseRequest{}};
    Actions wanted;
    auto const acquired = pool.core->acquire(waiter, pool.now, wanted);
    benchmark::DoNotOptimize(pool.core->next_timer());
    Actions wanted_too;
    pool.core->release(acquired.grant.lease, {}, pool.now, wanted_too);
    benchmark::DoNotOptimize(pool.core->next_timer());
  }
  state.counters["allocations"] = static_cast<double>(allocations() - before);
}
BENCHMARK(uncontended_with_timer);

// Question: what does a handoff cost when callers outnumber connections? One thread plays all: release to the head
// waiter, its acceptance, and its next acquire, which queues. Read as ns per cycle; the waiters' number must hardly
// matter.
void handoff(benchmark::State& state) {
  constexpr std::uint32_t connections = 16;
  auto const callers = connections * static_cast<std::uint32_t>(state.range(0));
  auto pool = pool_of(connections);
  std::deque<Grant> held;
  std::vector<std::unique_ptr<Waiter>> waiters;
  std::vector<void*> frames;  // where a finished caller's next waiter is made
  for (std::uint32_t i = 0; i < callers; ++i) {
    waiters.push_back(std::make_unique<Waiter>(LeaseRequest{}));
    Actions wanted;
    auto const acquired = pool.core->acquire(*waiters.back(), pool.now, wanted);
    if (acquired.outcome == Acquired::Outcome::granted) {
      held.push_back(acquired.grant);
      frames.push_back(waiters.back().get());
    }
  }
  std::size_t next_held = 0;
  std::vector<Grant> ring(held.begin(), held.end());
  auto const before = allocations();
  for (auto _ : state) {
    pool.now += 100ns;
    Actions wanted;
    pool.core->release(ring[next_held].lease, {}, pool.now, wanted);
    auto* const resumed = wanted.resume;
    Actions wanted_too;
    auto const accepted = pool.core->accept(*resumed, pool.now, wanted_too);
    ring[next_held] = accepted.grant;
    // The one that returned its lease asks again, in the frame of its last acquire.
    auto* const waiter = new (frames[next_held]) Waiter(LeaseRequest{});
    frames[next_held] = resumed;
    Actions wanted_last;
    pool.core->acquire(*waiter, pool.now, wanted_last);
    next_held = (next_held + 1) % connections;
  }
  state.counters["allocations"] = static_cast<double>(allocations() - before);
}
BENCHMARK(handoff)->ArgName("oversubscription")->Arg(2)->Arg(4)->Arg(64);

}  // namespace

BENCHMARK_MAIN();
