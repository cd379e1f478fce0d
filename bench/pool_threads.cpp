// Question: how many leases a second does one pool give to threads that all want one, again and again, and hold it for
// nothing? Usage: pool_threads core|shell
//
// core   the state machine behind one mutex, threads that block until their turn: what a blocking API over it would be
// shell  belay::pool::Pool, each thread a coroutine on an io_context of its own, the pool on another
//
// A line `THREADS CONNECTIONS MILLISECONDS` on standard input runs one case; the answer is a line `CYCLES SECONDS
// SLOWEST`: leases taken and returned by all threads together, in that time, and by the thread that got fewest, as a
// share of the mean. HikariCycle.java answers alike; hikari_bench.py asks both.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <latch>
#include <memory>
#include <mutex>
#include <numeric>
#include <semaphore>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "belay/pool/pool.hpp"
#include "bench/full_pool.hpp"
#include "bench/null_connection.hpp"

namespace belay::bench {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

[[noreturn]] void give_up(char const* why) {
  std::fprintf(stderr, "pool_threads: %s\n", why);
  std::exit(1);
}

/// Runs on a thread until told to stop, and says how many cycles that were.
using Work = std::function<std::uint64_t(std::atomic<bool> const& stop)>;

void measure(int threads, std::chrono::milliseconds time, Work const& work) {
  std::atomic<bool> stop = false;
  std::latch begin(threads + 1);
  std::vector<std::uint64_t> cycles(static_cast<std::size_t>(threads));
  std::vector<std::thread> running;
  for (auto& count : cycles) {
    running.emplace_back([&] {
      begin.arrive_and_wait();
      count = work(stop);
    });
  }
  begin.arrive_and_wait();
  auto const began = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(time);  // how long is measured: nothing to wait for but the time
  stop = true;
  std::chrono::duration<double> const took = std::chrono::steady_clock::now() - began;
  for (auto& thread : running) thread.join();
  auto const all = std::accumulate(cycles.begin(), cycles.end(), std::uint64_t{0});
  auto const fewest = static_cast<double>(*std::min_element(cycles.begin(), cycles.end()));
  std::printf("%llu %.6f %.4f\n", static_cast<unsigned long long>(all), took.count(),
              fewest * threads / static_cast<double>(all));
  std::fflush(stdout);
}

/// A pool's core behind a mutex. Its timers do not run: nothing here waits for as long as they measure.
class BlockingPool {
 public:
  explicit BlockingPool(std::uint32_t connections) : pool_(options(), connections, Deadline::clock::now()) {}

  /// turn: the calling thread's own; it outlives whoever releases it.
  void cycle(std::binary_semaphore& turn) {
    Caller caller(turn);
    auto acquired = step([&](time_point now, Actions& wanted) { return pool_.core->acquire(caller, now, wanted); });
    if (acquired.outcome == Acquired::Outcome::waiting) {
      turn.acquire();
      acquired = step([&](time_point now, Actions& wanted) { return pool_.core->accept(caller, now, wanted); });
    }
    if (acquired.outcome != Acquired::Outcome::granted) give_up("the pool refused a lease");
    step([&](time_point now, Actions& wanted) { return pool_.core->release(acquired.grant.lease, {}, now, wanted); });
  }

 private:
  using time_point = Deadline::time_point;
  using Acquired = pool::Acquired;
  using Actions = pool::Actions;

  struct Caller : pool::Waiter {
    explicit Caller(std::binary_semaphore& its_turn) : Waiter(pool::LeaseRequest{}), turn(its_turn) {}
    std::binary_semaphore& turn;
  };

  static pool::PoolOptions options() {
    pool::PoolOptions options;
    // A connection that was left alone for a while is lent without a test: there is nobody to make it.
    options.liveness_bypass = 1h;
    return options;
  }

  /// One input to the core under the mutex; then, without it, whoever's turn has come goes on.
  template <class Input>
  std::invoke_result_t<Input const&, time_point, Actions&> step(Input const& input) {
    Actions wanted;
    auto const now = Deadline::clock::now();
    auto const answer = [&] {
      std::lock_guard const lock(mutex_);
      return input(now, wanted);
    }();
    if (!wanted.empty()) give_up("the pool asked for something");
    for (auto* waiter = wanted.resume; waiter;) {
      auto& turn = static_cast<Caller*>(waiter)->turn;
      waiter = waiter->next_to_resume();
      turn.release();
    }
    return answer;
  }

  std::mutex mutex_;
  FullPool pool_;
};

void run_core(int threads, std::uint32_t connections, std::chrono::milliseconds time) {
  BlockingPool pool(connections);
  std::vector<std::unique_ptr<std::binary_semaphore>> turns;
  for (int i = 0; i < threads; ++i) turns.push_back(std::make_unique<std::binary_semaphore>(0));
  std::atomic<std::size_t> next_turn = 0;
  measure(threads, time, [&](std::atomic<bool> const& stop) {
    auto& turn = *turns[next_turn++];
    std::uint64_t cycles = 0;
    for (; !stop.load(std::memory_order_relaxed); ++cycles) pool.cycle(turn);
    return cycles;
  });
}

using NullPool = pool::Pool<NullConnection>;

asio::awaitable<void> take_and_return(NullPool const& pool, std::atomic<bool> const& stop, std::uint64_t& cycles) {
  for (; !stop.load(std::memory_order_relaxed); ++cycles) {
    auto const lease = co_await pool.acquire();
    if (lease.stream() != 0) give_up("the pool lent something else");
  }
}

void run_shell(int threads, std::uint32_t connections, std::chrono::milliseconds time) {
  asio::io_context own(1);
  auto const own_work = asio::make_work_guard(own);
  pool::PoolOptions options;
  options.min_idle = options.max_size = options.max_connecting = connections;
  options.connect_rate = 100'000;
  pool::PoolEnvironment environment(own.get_executor());
  NullPool const pool(options, std::make_shared<NullConnector>(), environment);
  pool.start();
  std::thread owner([&] { own.run(); });
  measure(threads, time, [&](std::atomic<bool> const& stop) {
    asio::io_context context(1);
    std::uint64_t cycles = 0;
    asio::co_spawn(context, take_and_return(pool, stop, cycles), [](std::exception_ptr const& failure) {
      if (failure) give_up("the pool refused a lease");
    });
    context.run();
    return cycles;
  });
  own.stop();
  owner.join();
}

}  // namespace
}  // namespace belay::bench

int main(int argc, char** argv) {
  using namespace belay::bench;
  std::string_view const what = argc == 2 ? argv[1] : "";
  if (what != "core" && what != "shell") give_up("usage: pool_threads core|shell");
  int threads = 0;
  std::uint32_t connections = 0;
  int milliseconds = 0;
  while (std::cin >> threads >> connections >> milliseconds) {
    if (threads < 1 || connections < 1) give_up("at least one thread and one connection");
    (what == "core" ? run_core : run_shell)(threads, connections, std::chrono::milliseconds(milliseconds));
  }
}
