#include <atomic>
#include <chrono>
#include <memory>
#include <optional>

#include <benchmark/benchmark.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belay/pool/pool.hpp"
#include "bench/allocations.hpp"
#include "bench/null_connection.hpp"

namespace {

namespace asio = boost::asio;
using belay::bench::allocations;
using belay::bench::NullConnection;
using belay::bench::NullConnector;
using namespace belay;
using namespace belay::pool;

PoolOptions options_of(std::uint32_t connections) {
  PoolOptions options;
  options.min_idle = options.max_size = connections;
  options.max_connecting = connections;
  options.connect_rate = 100'000;
  options.idle_timeout = std::nullopt;
  options.max_lifetime = std::nullopt;
  options.admission = std::nullopt;
  options.max_waiters = 100'000;
  options.min_useful_budget = std::chrono::nanoseconds(0);
  return options;
}

using NullPool = Pool<NullConnection>;

NullPool open_pool(asio::any_io_executor executor, std::uint32_t connections) {
  PoolEnvironment environment(std::move(executor));
  return NullPool(options_of(connections), std::make_shared<NullConnector>(), environment);
}

asio::awaitable<void> take_and_return(NullPool const& pool, benchmark::State& state) {
  co_await pool.start(Deadline::in(std::chrono::seconds(10)));
  for (int i = 0; i < 1000; ++i) {
    auto const lease = co_await pool.acquire();
    benchmark::DoNotOptimize(lease.stream());
  }
  auto const before = allocations();
  for (auto _ : state) {
    auto const lease = co_await pool.acquire();
    benchmark::DoNotOptimize(lease.stream());
  }
  state.counters["allocations"] =
      benchmark::Counter(static_cast<double>(allocations() - before), benchmark::Counter::kAvgIterations);
  co_await pool.close(Deadline::never());
}

// Question: what does a lease cost through co_await, from its acquire to its return, when nobody waits? Read as ns per
// pair; the target is 600 with no allocation.
void uncontended(benchmark::State& state) {
  asio::io_context context(1);
  auto const pool = open_pool(context.get_executor(), 4);
  asio::co_spawn(context, take_and_return(pool, state), asio::detached);
  context.run();
}
BENCHMARK(uncontended);

asio::awaitable<void> client(NullPool const& pool, std::uint64_t pairs) {
  for (std::uint64_t i = 0; i < pairs; ++i) {
    auto const lease = co_await pool.acquire();
    co_await asio::post(co_await asio::this_coro::executor, asio::deferred);  // the statement
  }
}

// Question: what does a handover cost when everybody has to wait, on one thread? Each client holds its lease for one
// turn of the executor. Read as ns per acquire and return, that turn included (about 130).
void handover(benchmark::State& state) {
  constexpr int clients = 64;
  constexpr std::uint64_t pairs = 1000;
  asio::io_context context(1);
  auto const pool = open_pool(context.get_executor(), 4);
  asio::co_spawn(context, pool.start(Deadline::never()), asio::detached);
  context.run_one();
  std::size_t allocated = 0;
  std::uint64_t rounds = 0;
  for (auto _ : state) {
    auto const before = allocations();
    std::atomic<int> left = clients;
    for (int i = 0; i < clients; ++i) {
      asio::co_spawn(context, client(pool, pairs), [&](std::exception_ptr const&) {
        if (--left == 0) context.stop();
      });
    }
    context.restart();
    context.run();
    allocated += allocations() - before;
    ++rounds;
  }
  state.SetItemsProcessed(state.iterations() * clients * static_cast<std::int64_t>(pairs));
  state.counters["allocations"] = static_cast<double>(allocated) / static_cast<double>(rounds * clients * pairs);
}
BENCHMARK(handover)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
