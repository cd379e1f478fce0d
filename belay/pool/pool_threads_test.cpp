#include <atomic>
#include <thread>
#include <vector>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>

#include "belay/pool/failure_signal.hpp"
#include "belay/pool/pool.hpp"

// One pool and many threads, for ThreadSanitizer above all.

namespace belay::pool {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Notices two borrowers at once. Otherwise it does nothing, at once.
class Desk final : public Connection {
 public:
  explicit Desk(std::atomic<int>& alive) : alive_(alive) { ++alive_; }
  ~Desk() override { --alive_; }

  /// Who uses it says so, for as long as this lives.
  class Seat {
   public:
    explicit Seat(Desk& desk) : desk_(desk) { EXPECT_FALSE(desk.is_taken_.exchange(true)) << "P3: two holders"; }
    Seat(Seat const&) = delete;
    Seat& operator=(Seat const&) = delete;
    ~Seat() { desk_.is_taken_ = false; }

   private:
    Desk& desk_;
  };

  void leave_it_dirty() { is_dirty_ = true; }

  asio::awaitable<void> test(Deadline) override { co_return; }
  asio::awaitable<void> reset(std::uint32_t, Deadline) override {
    co_await asio::post(co_await asio::this_coro::executor, asio::deferred);
    is_dirty_ = false;
  }
  asio::awaitable<void> rollback(std::uint32_t, Deadline) override { co_return; }
  asio::awaitable<CleanUp> clean_up(CancelledWork&, Deadline) override { co_return CleanUp::at_boundary; }
  asio::awaitable<void> close(Deadline) override { co_return; }
  bool looks_alive() noexcept override { return true; }
  ReleaseCondition condition(std::uint32_t) const noexcept override {
    return is_dirty_ ? ReleaseCondition::session_changed : ReleaseCondition::clean;
  }
  void cancel() noexcept override {}
  Aborted abort() noexcept override { return {SessionFate::gone, std::nullopt}; }
  void on_lost(LostHandler) override {}

 private:
  std::atomic<int>& alive_;
  std::atomic<bool> is_taken_{false};
  bool is_dirty_ = false;
};

class DeskConnector final : public Connector {
 public:
  asio::awaitable<std::unique_ptr<Connection>> connect(Deadline, AttemptInfo attempt) override {
    co_await asio::post(co_await asio::this_coro::executor, asio::deferred);
    attempt.sign_in();
    co_return std::make_unique<Desk>(alive);
  }
  std::atomic<int> alive{0};
};

struct PoolThreadsTest : testing::Test {
  static constexpr int thread_count = 8;

  PoolThreadsTest() {
    options.min_idle = 0;
    options.max_size = 4;
    options.connect_rate = 100'000;
    options.max_connecting = 4;
    options.max_waiters = 10'000;
    options.admission = std::nullopt;
  }
  ~PoolThreadsTest() override { join(); }

  void start_threads() {
    for (int i = 0; i < thread_count; ++i) threads.emplace_back([this] { context.run(); });
  }
  void join() {
    work.reset();
    for (auto& thread : threads) thread.join();
    threads.clear();
  }
  Pool<Desk> make_pool() {
    PoolEnvironment environment(asio::make_strand(context));
    environment.connection_executors = {asio::make_strand(context), asio::make_strand(context)};
    return Pool<Desk>(options, connector, environment);
  }

  /// Takes and returns; counts itself at its end, whatever ends it.
  asio::awaitable<void> hammer(Pool<Desk> pool, int turns) {
    for (int turn = 0; turn < turns; ++turn) {
      try {
        auto const deadline = Deadline::in(turn % 16 == 0 ? 100us : 10s);
        auto const lease = co_await pool.acquire(deadline);
        Desk::Seat const seat(*lease);
        if (turn % 4 == 0) co_await asio::post(co_await asio::this_coro::executor, asio::deferred);
        if (turn % 32 == 0) lease->leave_it_dirty();
        ++served;
      } catch (Error const& error) {
        ++refused;
        if (error.detail("reason") == "closed") break;
      }
    }
  }
  void spawn_hammers(Pool<Desk> const& pool, int count, int turns) {
    for (int i = 0; i < count; ++i) {
      ++running;
      asio::co_spawn(asio::make_strand(context), hammer(pool, turns), [this](std::exception_ptr const& exception) {
        if (exception) ++broken;
        --running;
      });
    }
  }
  void wait_until(std::function<bool()> const& condition) {
    while (!condition()) std::this_thread::yield();
  }

  asio::io_context context{thread_count};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{context.get_executor()};
  PoolOptions options;
  std::shared_ptr<DeskConnector> connector = std::make_shared<DeskConnector>();
  std::vector<std::thread> threads;
  std::atomic<int> served{0};
  std::atomic<int> refused{0};
  std::atomic<int> running{0};
  std::atomic<int> broken{0};
};

TEST_F(PoolThreadsTest, ServeEverybody) {
  auto const pool = make_pool();
  start_threads();
  std::atomic<int> events{0};
  pool.on_event([&](PoolEvent const&) { ++events; });
  spawn_hammers(pool, 32, 200);
  wait_until([&] {
    pool.diagnose();
    return running == 0;
  });
  EXPECT_EQ(broken, 0);
  EXPECT_EQ(served + refused, 32 * 200);
  EXPECT_GT(served.load(), 32 * 150);
  auto const drained = asio::co_spawn(context, pool.close(Deadline::never()), asio::use_future).get();
  EXPECT_TRUE(drained.is_clean());
  auto const shot = pool.snapshot();
  EXPECT_EQ(shot.leases, 0U);
  EXPECT_EQ(shot.leases_given, shot.leases_returned + shot.leases_destroyed);
  join();
  EXPECT_EQ(connector->alive, 0);
  EXPECT_GT(events.load(), 0);
}

TEST_F(PoolThreadsTest, MayBeClosedUnderLoad) {
  auto const pool = make_pool();
  start_threads();
  spawn_hammers(pool, 32, 1'000'000);
  wait_until([&] { return served > 500; });
  auto const drained = asio::co_spawn(context, pool.close(Deadline::never()), asio::use_future).get();
  EXPECT_EQ(drained.connections_abandoned, 0U);
  EXPECT_TRUE(drained.abandoned.empty());
  wait_until([&] { return running == 0; });
  EXPECT_EQ(broken, 0);
  join();
  EXPECT_EQ(connector->alive, 0);
}

TEST_F(PoolThreadsTest, MayLoseTheirPoolUnderLoad) {
  std::optional<Pool<Desk>> pool = make_pool();
  start_threads();
  // Callers that hold no handle: their acquire() is under way when the last one goes.
  for (int i = 0; i < 64; ++i) {
    ++running;
    asio::co_spawn(
        asio::make_strand(context),
        [this, acquiring = pool->acquire()]() mutable -> asio::awaitable<void> {
          auto const lease = co_await std::move(acquiring);
          ++served;
          for (int turn = 0; turn < 20; ++turn) {
            co_await asio::post(co_await asio::this_coro::executor, asio::deferred);
          }
        },
        [this](std::exception_ptr const&) { --running; });
  }
  wait_until([&] { return served > 8; });
  pool.reset();
  wait_until([&] { return running == 0; });
  join();
  EXPECT_EQ(connector->alive, 0);
}

TEST_F(PoolThreadsTest, MayBeStoppedUnderLoad) {
  {
    auto const pool = make_pool();
    start_threads();
    spawn_hammers(pool, 32, 1'000'000);
    wait_until([&] { return served > 500; });
    context.stop();
    join();
    EXPECT_FALSE(pool.snapshot().is_closing);
  }
  EXPECT_GT(running.load(), 0);  // their frames, and the pool's end, wait in the context, which is destroyed
}

TEST_F(PoolThreadsTest, MayCancelWhatOthersHandOver) {  // P5
  options.max_size = 1;
  auto const pool = make_pool();
  start_threads();
  std::atomic<int> ended{0};
  constexpr int count = 400;
  std::vector<std::unique_ptr<asio::cancellation_signal>> signals;
  for (int i = 0; i < count; ++i) {
    auto const strand = asio::make_strand(context);
    auto& signal = *signals.emplace_back(std::make_unique<asio::cancellation_signal>());
    auto caller = [pool, this]() -> asio::awaitable<void> {
      auto const lease = co_await pool.acquire();
      Desk::Seat const seat(*lease);
      co_await asio::post(co_await asio::this_coro::executor, asio::deferred);
      ++served;
    };
    asio::post(strand, [strand, &signal, &ended, caller] {
      asio::co_spawn(strand, caller,
                     asio::bind_cancellation_slot(signal.slot(), [&ended](std::exception_ptr const&) { ++ended; }));
    });
    if (i % 2 == 0) asio::post(strand, [&signal] { signal.emit(asio::cancellation_type::terminal); });
  }
  wait_until([&] { return ended == count; });
  EXPECT_GE(served.load(), count / 2);
  EXPECT_EQ(pool.snapshot().leases, 0U);
  EXPECT_EQ(pool.snapshot().waiting, 0U);
  asio::co_spawn(context, pool.close(Deadline::never()), asio::use_future).get();
}

TEST_F(PoolThreadsTest, MayCallFromContextsThatComeAndGo) {
  auto const pool = make_pool();
  start_threads();
  std::vector<std::thread> visitors;
  for (int i = 0; i < 4; ++i) {
    visitors.emplace_back([&pool] {
      for (int round = 0; round < 50; ++round) {
        asio::io_context own(1);
        for (int caller = 0; caller < 4; ++caller) {
          asio::co_spawn(
              own,
              [&pool]() -> asio::awaitable<void> {
                auto const lease = co_await pool.acquire();
                co_await asio::post(co_await asio::this_coro::executor, asio::deferred);
              },
              asio::detached);
        }
        own.run_for(std::chrono::microseconds(50));  // then it is destroyed, whoever waits in it
      }
    });
  }
  for (auto& visitor : visitors) visitor.join();
  EXPECT_EQ(pool.snapshot().leases, 0U);
  EXPECT_EQ(pool.snapshot().waiting, 0U);
  asio::co_spawn(context, pool.close(Deadline::never()), asio::use_future).get();
}

}  // namespace
}  // namespace belay::pool
