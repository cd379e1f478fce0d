#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "belay/pool/test_shell_fixture.hpp"

// Things that end in an order nobody would choose. Most of these tests say something only under AddressSanitizer, which
// sees what is used after its end, or never freed.

namespace belay::pool {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

struct PoolLifetimeTest : ShellFixture {};

TEST_F(PoolLifetimeTest, EndsWithItsLastHandle) {
  auto const borrower = spawn([&]() -> awaitable<void> {
    auto const lease = co_await pool().acquire();
    try {
      co_await lease->query(1h);
    } catch (Error const&) {
      EXPECT_TRUE(lease.is_revoked());
      throw;
    }
  });
  settle();
  options.max_size = 1;
  std::optional<Pool<Wire>> copy = pool();
  pool_.reset();
  settle();
  EXPECT_FALSE(borrower->has_ended) << "a copy is a handle too";
  copy.reset();
  world->run();
  ASSERT_TRUE(borrower->has_ended);
  EXPECT_EQ(borrower->failure->error_class(), ErrorClass::transport);
  EXPECT_TRUE(server.wires.empty());
  EXPECT_TRUE(world->is_empty()) << world->describe();
}

TEST_F(PoolLifetimeTest, FailsWaitersWhenItsLastHandleGoes) {
  options.max_size = 1;
  auto const borrower = hold(1h);
  settle();
  // hold() reaches the pool through the fixture's handle while it starts, and keeps none.
  auto const waiting = hold(1h);
  settle();
  pool_.reset();
  settle();
  ASSERT_TRUE(waiting->has_ended);
  EXPECT_EQ(waiting->reason(), "closed");
}

TEST_F(PoolLifetimeTest, LeavesNothingWhenItsLastHandleGoesInTheMiddleOfAnything) {
  for (auto const moment : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 40}) {
    SCOPED_TRACE("after " + std::to_string(moment) + " steps");
    server.connecting.takes = 10ms;
    server.closing.takes = 10ms;
    options.min_idle = 1;
    pool().start();
    for (int i = 0; i < 4; ++i) hold(5ms);
    for (int i = 0; i < moment; ++i) world->step();
    pool_.reset();
    world->run();
    EXPECT_TRUE(server.wires.empty());
    EXPECT_TRUE(world->is_empty()) << world->describe();
  }
}

TEST_F(PoolLifetimeTest, SurvivesTheEndOfItsWorldInTheMiddleOfAnything) {
  for (int moment = 0; moment < 60; moment += 3) {
    SCOPED_TRACE("after " + std::to_string(moment) + " steps");
    server.connecting.takes = 10ms;
    options.min_idle = 1;
    auto const handle = pool();
    handle.start();
    handle.on_event([](PoolEvent const&) {});
    for (int i = 0; i < 4; ++i) {
      spawn([this, handle]() -> awaitable<void> {
        auto const lease = co_await handle.acquire();
        co_await lease->query(5ms);
      });
    }
    spawn([this, handle]() -> awaitable<void> {
      co_await time->wait_for(12ms);
      co_await handle.close(Deadline::never());
    });
    for (int i = 0; i < moment; ++i) world->step();
    bool const world_first = moment % 2 == 0;
    if (!world_first) pool_.reset();
    world.reset();
    pool_.reset();
    EXPECT_TRUE(server.wires.empty());
    world = std::make_unique<testkit::SimScheduler>(7);
    server.time = time = std::make_shared<testkit::SimTime>(*world);
  }
}

TEST_F(PoolLifetimeTest, RefusesCallersAfterTheEndOfItsWorld) {
  auto const handle = pool();
  handle.start();
  settle();
  world.reset();
  EXPECT_THROW(handle.try_acquire(), Error);
  EXPECT_TRUE(handle.snapshot().is_closing);
  handle.invalidate_all(GenerationReason::operator_request, Invalidation::hard);
}

/// A pool and its callers on contexts of their own, in real time.
struct PoolContextTest : testing::Test {
  template <class T>
  using awaitable = asio::awaitable<T>;

  Pool<Wire> make_pool() {
    PoolOptions options;
    options.min_idle = 0;
    options.max_size = 1;
    server.time = net::system_time(pools->get_executor());
    return Pool<Wire>(options, std::make_shared<FakeConnector>(server), PoolEnvironment(pools->get_executor()));
  }
  static awaitable<void> wait_for_lease(Pool<Wire> pool, int& served) {
    auto const lease = co_await pool.acquire();
    ++served;
    asio::steady_timer forever(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await forever.async_wait(asio::use_awaitable);
  }
  void poll() {
    for (int i = 0; i < 10; ++i) {
      for (auto* context : {pools.get(), callers.get()}) {
        if (context == nullptr) continue;
        context->restart();
        context->poll();
      }
    }
  }

  FakeServer server{nullptr};
  std::unique_ptr<asio::io_context> pools = std::make_unique<asio::io_context>(1);
  std::unique_ptr<asio::io_context> callers = std::make_unique<asio::io_context>(1);
  int served = 0;

  ~PoolContextTest() override {
    callers.reset();
    server.time.reset();  // before the context of its timers
    pools.reset();
  }
};

TEST_F(PoolContextTest, LetsACallerLeaveTheQueueWithItsContext) {
  auto const pool = make_pool();
  asio::co_spawn(*pools, wait_for_lease(pool, served), asio::detached);
  poll();
  asio::co_spawn(*callers, wait_for_lease(pool, served), asio::detached);
  asio::co_spawn(*callers, wait_for_lease(pool, served), asio::detached);
  poll();
  EXPECT_EQ(pool.snapshot().waiting, 2U);
  EXPECT_EQ(pool.snapshot().leases, 1U);
  callers.reset();
  EXPECT_EQ(pool.snapshot().waiting, 0U);
  EXPECT_EQ(pool.snapshot().leases, 1U);
  EXPECT_EQ(served, 1);
}

TEST_F(PoolContextTest, TakesALeaseBackFromAContextThatEnds) {
  auto const pool = make_pool();
  asio::co_spawn(*callers, wait_for_lease(pool, served), asio::detached);
  poll();
  asio::co_spawn(*pools, wait_for_lease(pool, served), asio::detached);
  poll();
  EXPECT_EQ(served, 1);
  callers.reset();
  poll();
  EXPECT_EQ(served, 2);
}

TEST_F(PoolContextTest, FailsCallersElsewhereWhenThePoolsContextEnds) {
  auto const pool = make_pool();
  std::optional<Error> failure;
  asio::co_spawn(*pools, wait_for_lease(pool, served), asio::detached);
  poll();
  asio::co_spawn(*callers, wait_for_lease(pool, served), [&](std::exception_ptr const& exception) {
    if (exception) failure = error_of(exception);
  });
  poll();
  server.time.reset();
  pools.reset();
  poll();
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->detail("reason"), "closed");
  EXPECT_TRUE(pool.snapshot().is_closing);
}

TEST_F(PoolContextTest, IsClosedWhenTheContextOfItsConnectionsEnds) {
  auto wires = std::make_unique<asio::io_context>(1);
  PoolOptions options;
  options.min_idle = 1;
  options.max_size = 1;
  server.time = net::system_time(wires->get_executor());
  PoolEnvironment environment(pools->get_executor());
  environment.connection_executors = {wires->get_executor()};
  Pool<Wire> const pool(options, std::make_shared<FakeConnector>(server), environment);
  pool.start();
  for (int i = 0; i < 10; ++i) {
    poll();
    wires->restart();
    wires->poll();
  }
  ASSERT_EQ(pool.snapshot().in(SlotState::idle), 1U);
  server.time.reset();
  wires.reset();
  EXPECT_TRUE(server.wires.empty());
  EXPECT_THROW(pool.try_acquire(), Error);
  std::optional<DrainResult> drained;
  asio::co_spawn(
      *callers, [&]() -> awaitable<void> { drained = co_await pool.close(Deadline::never()); }, asio::detached);
  poll();
  ASSERT_TRUE(drained);
  EXPECT_EQ(drained->connections_abandoned, 0U);
}

TEST_F(PoolContextTest, EndsWithBothContextsInEitherOrder) {
  for (bool const callers_first : {true, false}) {
    callers = std::make_unique<asio::io_context>(1);
    pools = std::make_unique<asio::io_context>(1);
    {
      auto const pool = make_pool();
      for (int i = 0; i < 3; ++i) {
        asio::co_spawn(*callers, wait_for_lease(pool, served), asio::detached);
        asio::co_spawn(*pools, wait_for_lease(pool, served), asio::detached);
      }
      poll();
      EXPECT_EQ(pool.snapshot().waiting, 5U);
    }
    if (callers_first) callers.reset();
    server.time.reset();
    pools.reset();
    callers.reset();
  }
}

TEST_F(PoolContextTest, IsStoppedAndGoesOnLater) {
  auto const pool = make_pool();
  asio::co_spawn(*pools, wait_for_lease(pool, served), asio::detached);
  pools->stop();
  poll();
  EXPECT_EQ(served, 1);
}

}  // namespace
}  // namespace belay::pool
