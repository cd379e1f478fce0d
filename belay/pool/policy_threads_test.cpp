// Many threads, each with callers of its own, on one policy and the machine's time.
#include <atomic>
#include <memory>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belay/pool/test_policy.hpp"

namespace belay::pool {
namespace {

namespace asio = boost::asio;

constexpr std::size_t thread_count = 8;
constexpr std::size_t callers_per_thread = 4;
constexpr int calls_per_caller = 60;

/// Everything on, and everything soon exhausted: queues, pauses, openings and probes within milliseconds.
PolicyOptions crowded_options() {
  auto options = policy_options(resilience::presets::standard());
  options.retry_budget = resilience::RetryBudgetOptions{1, 1000, 1000, 1000};
  options.rate_limit = resilience::RateLimit{20'000, 5};
  options.bulkhead = resilience::BulkheadOptions();
  options.bulkhead->concurrent_max = 5;
  options.read.retry.backoff = {1ms, 2ms};
  options.read.breaker->open_for = 2ms;
  options.read.breaker->open_for_max = 4ms;
  options.read.breaker->extra_callers = resilience::ExtraCallers::wait;
  options.read.breaker->consecutive->population_min.reset();
  return options;
}

asio::awaitable<int> fail_now_and_then(Random& random, std::atomic<std::uint64_t>& attempts) {
  ++attempts;
  auto const executor = co_await asio::this_coro::executor;
  if (random.below(2) == 0) co_await asio::post(executor, asio::use_awaitable);
  if (random.below(2) == 0) throw Error(ErrorClass::transport, SendState::refused, "unlucky");
  co_return 1;
}

asio::awaitable<void> call_again_and_again(Policy policy, std::uint64_t seed, std::atomic<std::uint64_t>& attempts,
                                           std::atomic<std::uint64_t>& ended) {
  Random random(seed);
  auto const time = net::system_time(co_await asio::this_coro::executor);
  auto const body = [&](Attempt&) { return fail_now_and_then(random, attempts); };
  for (int i = 0; i < calls_per_caller; ++i) {
    CallOptions with;
    with.context.deadline = Deadline::in(random.below(4) == 0 ? 3ms : 5s);
    CallResult result;
    co_await keep(policy.run(with, body), result, *time);
    ++ended;
    EXPECT_TRUE(result.value || result.error) << result.other;
  }
}

std::uint64_t failures_of(ClassCounters const& counters) {
  std::uint64_t sum = 0;
  for (auto const n : counters.failures_by_class) sum += n;
  return sum;
}

TEST(PolicyThreads, LoseNoCallNoPlaceAndNoPermit) {
  Policy policy(crowded_options());
  std::atomic<std::uint64_t> attempts{0};
  std::atomic<std::uint64_t> ended{0};
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < thread_count; ++thread) {
    threads.emplace_back([&, thread] {
      asio::io_context context(1);
      for (std::size_t caller = 0; caller < callers_per_thread; ++caller) {
        asio::co_spawn(context, call_again_and_again(policy, thread * 100 + caller, attempts, ended), asio::detached);
      }
      context.run();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(ended, thread_count * callers_per_thread * calls_per_caller);
  auto const seen = policy.snapshot();
  auto const& counted = seen.of(OperationClass::read).counters;
  EXPECT_EQ(counted.calls, ended);
  EXPECT_EQ(counted.successes + failures_of(counted), ended);
  EXPECT_EQ(counted.attempts, attempts);
  EXPECT_EQ(seen.bulkhead->in_use, 0u);
  EXPECT_EQ(seen.bulkhead->waiting, 0u);
  EXPECT_EQ(policy.breaker(OperationClass::read)->probes(), 0u);
  auto const& breaker = seen.of(OperationClass::read).breaker->counters;
  EXPECT_GT(breaker.opened, 0u) << "the crowd was no test";
  EXPECT_EQ(breaker.admitted, attempts);
  EXPECT_EQ(breaker.admitted, breaker.successes + breaker.failures + breaker.slow + breaker.ignored + breaker.stale);
}

asio::awaitable<int> yield(Attempt&) {
  auto const executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
  co_return 1;
}

asio::awaitable<void> queue_for_ever(Policy policy) {
  for (;;) co_await policy.run({}, yield);
}

// A context may be destroyed with its callers in the queue while other threads hand places on to them.
TEST(PolicyThreads, MayDestroyTheirContextWhileCallersWait) {
  PolicyOptions options;
  options.bulkhead = resilience::BulkheadOptions();
  options.bulkhead->concurrent_max = 2;
  Policy policy(options);
  std::vector<std::thread> threads;
  for (std::size_t thread = 0; thread < thread_count; ++thread) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        asio::io_context context(1);
        for (int caller = 0; caller < 3; ++caller) asio::co_spawn(context, queue_for_ever(policy), asio::detached);
        for (int i = 0; i < 50 + round; ++i) context.poll_one();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  auto const seen = policy.snapshot();
  EXPECT_EQ(seen.bulkhead->in_use, 0u);
  EXPECT_EQ(seen.bulkhead->waiting, 0u);
  auto const& counted = seen.of(OperationClass::read).counters;
  EXPECT_EQ(counted.calls, counted.successes + failures_of(counted));
}

}  // namespace
}  // namespace belay::pool
