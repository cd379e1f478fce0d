#include "belay/pool/pool.hpp"

#include "belay/pool/test_shell_fixture.hpp"
#include "belay/resilience/shared_recovery.hpp"

namespace belay::pool {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

struct PoolTest : ShellFixture {};

TEST_F(PoolTest, OpensAConnectionForTheFirstCaller) {
  server.connecting.takes = 50ms;
  run([&]() -> awaitable<void> {
    auto const lease = co_await pool().acquire({.label = "first"});
    EXPECT_EQ(world->elapsed(), 50ms);
    EXPECT_TRUE(lease->is_open());
    EXPECT_EQ(snapshot().in(SlotState::leased), 1U);
  });
  EXPECT_EQ(server.connects, 1U);
  expect_at_rest();
}

TEST_F(PoolTest, LendsAnIdleConnectionWithoutATurnOfTheExecutor) {
  run([&]() -> awaitable<void> {
    co_await pool().start(Deadline::never());
    auto const before = world->steps();
    for (int i = 0; i < 100; ++i) auto const lease = co_await pool().acquire();
    EXPECT_EQ(world->steps(), before);
  });
  EXPECT_EQ(snapshot().granted_at_once, 100U);
}

TEST_F(PoolTest, KeepsMinIdleConnectionsAfterItsStart) {
  options.min_idle = 2;
  pool().start();
  settle();
  EXPECT_EQ(snapshot().in(SlotState::idle), 2U);
}

TEST_F(PoolTest, StartFailsWithWhatConnectingFailsWith) {
  server.connecting.fails = Error(ErrorClass::auth, SendState::refused, "wrong password", "28P01");
  auto const starting = spawn([&] { return pool().start(Deadline::never()); });
  settle();
  ASSERT_TRUE(starting->has_ended);
  EXPECT_EQ(starting->reason(), "connect_failed");
  EXPECT_EQ(starting->failure->error_class(), ErrorClass::auth);
  EXPECT_EQ(starting->failure->engine_code(), "28P01");
}

TEST_F(PoolTest, ServesThoseWhoWaitInTheirOrder) {  // P7
  options.max_size = 1;
  std::vector<int> order;
  auto const holder = hold(1s);
  settle();
  for (int i = 0; i < 20; ++i) {
    spawn([&, i]() -> awaitable<void> {
      auto const lease = co_await pool().acquire();
      order.push_back(i);
      co_await time->wait_for(1ms);
    });
    settle();  // or the seed decides which of them comes first
  }
  EXPECT_EQ(snapshot().waiting, 20U);
  world->run_for(10s);
  std::vector<int> expected(20);
  for (int i = 0; i < 20; ++i) expected[static_cast<std::size_t>(i)] = i;
  EXPECT_EQ(order, expected);
}

TEST_F(PoolTest, ResumesThoseWhoAreServedTogetherInTheirOrder) {  // P7
  testkit::SimScheduler::Options in_order;
  in_order.order = testkit::SimScheduler::Options::Order::first_in_first_out;
  world = std::make_unique<testkit::SimScheduler>(1, in_order);
  server.time = time = std::make_shared<testkit::SimTime>(*world);
  options.min_idle = options.max_size = 5;
  pool().start();
  settle();
  pool().pause();
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) {
    spawn([&, i]() -> awaitable<void> {
      auto const lease = co_await pool().acquire();
      order.push_back(i);
      co_await time->wait_for(1ms);
    });
  }
  settle();
  EXPECT_EQ(snapshot().waiting, 5U);
  pool().resume();
  settle();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST_F(PoolTest, GivesNewcomersNothingWhileAnybodyWaits) {  // P7
  options.max_size = 1;
  auto const holder = hold(1s);
  settle();
  auto const waiting = hold(1ms);
  settle();
  bool has_asked = false;
  spawn([&]() -> awaitable<void> {
    co_await time->wait_for(1s);
    // The holder returns at this moment: the connection is on its way to whoever waits.
    has_asked = true;
    EXPECT_FALSE(pool().try_acquire().has_value() && !waiting->has_ended && snapshot().waiting > 0);
  });
  world->run_for(2s);
  EXPECT_TRUE(has_asked);
  EXPECT_TRUE(waiting->has_ended);
  EXPECT_FALSE(waiting->failure);
}

TEST_F(PoolTest, EndsTheWaitAtTheDeadline) {  // P8
  options.max_size = 1;
  auto const holder = hold(10s);
  settle();
  auto const start = time->now();
  Deadline::time_point ended_at;
  auto const waiting = spawn([&]() -> awaitable<void> {
    try {
      auto const lease = co_await pool().acquire({.deadline = Deadline::at(start + 300ms), .label = "late"});
    } catch (Error const&) {
      ended_at = time->now();
      throw;
    }
  });
  world->run_for(1s);
  EXPECT_EQ(ended_at - start, 300ms);
  EXPECT_EQ(waiting->reason(), "timed_out");
  EXPECT_EQ(waiting->failure->error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(waiting->failure->send_state(), SendState::never_sent);
}

TEST_F(PoolTest, MovesItsTimerWhenAnEarlierDeadlineComes) {  // P8
  options.max_size = 1;
  auto const holder = hold(10s);
  settle();
  std::vector<duration> ended;
  for (auto const after : {500ms, 100ms, 300ms}) {
    spawn([&, after]() -> awaitable<void> {
      try {
        auto const lease = co_await pool().acquire(Deadline::at(time->now() + after));
      } catch (Error const&) {
        ended.push_back(world->elapsed());
      }
    });
    settle();
  }
  world->run_for(1s);
  EXPECT_EQ(ended, (std::vector<duration>{100ms, 300ms, 500ms}));
}

TEST_F(PoolTest, SaysWhyNobodyGetsAConnection) {  // P21
  options.max_size = 1;
  auto const holder = hold(10s, {.label = "the holder"});
  settle();
  auto const waiting = hold(0s, {.deadline = Deadline::at(time->now() + 1s)});
  world->run_for(2s);
  ASSERT_TRUE(waiting->failure);
  EXPECT_NE(std::string(waiting->failure->what()).find("the holder"), std::string::npos) << waiting->failure->what();
  EXPECT_NE(std::string(waiting->failure->what()).find("test_shell_fixture.hpp"), std::string::npos);
  EXPECT_FALSE(waiting->failure->detail("verdict").empty());
}

TEST_F(PoolTest, RefusesABudgetThatHasPassedWithoutASideEffect) {
  auto const late = hold(0s, {.deadline = Deadline::at(time->now())});
  settle();
  EXPECT_EQ(late->reason(), "deadline_passed");
  EXPECT_EQ(server.connects, 0U);
}

TEST_F(PoolTest, HonoursACancellationAtOnce) {
  options.max_size = 1;
  auto const holder = hold(10s);
  settle();
  for (auto const type :
       {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total}) {
    auto const waiting = spawn([&]() -> awaitable<void> {
      co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
      auto const lease = co_await pool().acquire();
    });
    settle();
    EXPECT_EQ(snapshot().waiting, 1U);
    auto const before = world->elapsed();
    waiting->signal.emit(type);
    settle();
    EXPECT_EQ(snapshot().waiting, 0U);
    ASSERT_TRUE(waiting->has_ended);
    EXPECT_EQ(world->elapsed(), before);
    EXPECT_EQ(waiting->failure->error_class(), ErrorClass::cancelled);
    EXPECT_EQ(waiting->failure->send_state(), SendState::never_sent);
  }
}

TEST_F(PoolTest, PassesOnWhatACancelledWaiterWasOffered) {  // P5
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    pool_.reset();
    world = std::make_unique<testkit::SimScheduler>(seed);
    server.time = time = std::make_shared<testkit::SimTime>(*world);
    options.max_size = 1;
    auto const holder = hold(1s);
    settle();
    auto const first = hold(1ms);
    settle();
    auto const second = hold(1ms);
    settle();
    // Cancelled in the very instant in which it is offered the connection, before or after.
    world->schedule_in(1s, [&] { first->signal.emit(asio::cancellation_type::terminal); });
    world->run_for(5s);
    ASSERT_TRUE(first->has_ended);
    EXPECT_TRUE(second->has_ended);
    EXPECT_FALSE(second->failure);
    expect_at_rest();
  }
}

TEST_F(PoolTest, TriesWithoutWaiting) {
  EXPECT_FALSE(pool().try_acquire());
  settle();
  run([&]() -> awaitable<void> { co_await pool().start(Deadline::never()); });
  {
    auto lease = pool().try_acquire();
    ASSERT_TRUE(lease);
    EXPECT_TRUE((*lease)->is_open());
  }
  expect_at_rest();
  run([&]() -> awaitable<void> { co_await pool().close(Deadline::never()); });
  EXPECT_THROW(pool().try_acquire(), Error);
}

TEST_F(PoolTest, TellsANestedAcquireThatWaitsForItself) {  // P22
  options.max_size = 2;
  options.min_useful_budget = 0ns;
  std::vector<std::shared_ptr<Task>> tasks;
  for (int i = 0; i < 2; ++i) {
    tasks.push_back(spawn([&]() -> awaitable<void> {
      auto const outer = co_await pool().acquire({.label = "outer"});
      co_await time->wait_for(1ms);
      auto const inner = co_await pool().acquire({.deadline = Deadline::at(time->now() + 1s), .label = "inner"});
    }));
  }
  world->run_for(10s);
  bool is_suspected = false;
  for (auto const& task : tasks) {
    ASSERT_TRUE(task->has_ended);
    is_suspected = is_suspected || (task->failure && task->failure->detail("verdict") == "deadlock_suspected");
  }
  EXPECT_TRUE(is_suspected);
  expect_at_rest();
}

TEST_F(PoolTest, TellsTasksApartByTheirCoroutineThread) {
  std::uint64_t outer = 0;
  std::uint64_t nested = 0;
  std::uint64_t other = 0;
  auto const identify = []() -> awaitable<std::uint64_t> {
    co_return detail::identify_task(co_await detail::ambient_task);
  };
  run([&]() -> awaitable<void> {
    outer = detail::identify_task(co_await detail::ambient_task);
    nested = co_await identify();
    other = co_await asio::co_spawn(world->get_executor(), identify, asio::use_awaitable);
  });
  EXPECT_NE(outer, 0U);
  EXPECT_EQ(outer, nested);
  EXPECT_NE(outer, other);
}

TEST_F(PoolTest, KeepsCallersWhilePaused) {
  run([&]() -> awaitable<void> { co_await pool().start(Deadline::never()); });
  pool().pause();
  auto const waiting = hold(1ms);
  world->run_for(1s);
  EXPECT_FALSE(waiting->has_ended);
  EXPECT_TRUE(snapshot().is_paused);
  pool().resume();
  world->run_for(1s);
  EXPECT_TRUE(waiting->has_ended);
  EXPECT_FALSE(waiting->failure);
}

TEST_F(PoolTest, GrowsAndShrinksAsItIsTold) {
  options.max_size = 1;
  auto const first = hold(10s);
  auto const second = hold(10s);
  settle();
  EXPECT_EQ(snapshot().waiting, 1U);
  pool().resize({.min_idle = 0, .max_size = 3, .max_overflow = 0});
  settle();
  EXPECT_EQ(snapshot().waiting, 0U);
  EXPECT_EQ(server.wires.size(), 2U);
  pool().resize({.min_idle = 0, .max_size = 1, .max_overflow = 0});
  world->run_for(20s);
  EXPECT_EQ(server.wires.size(), 1U);
  EXPECT_THROW(pool().resize({.min_idle = 2, .max_size = 1, .max_overflow = 0}), Error);
  EXPECT_EQ(pool().options().max_size, 1U);
}

TEST_F(PoolTest, LendsNoConnectionOfAnOlderGeneration) {  // P13
  run([&]() -> awaitable<void> { co_await pool().start(Deadline::never()); });
  pool().invalidate_all(GenerationReason::operator_request, Invalidation::soft);
  run([&]() -> awaitable<void> {
    auto const lease = co_await pool().acquire();
    EXPECT_EQ(lease.generation(), 2U);
  });
  settle();
  EXPECT_EQ(server.good_byes, 1U);
  EXPECT_EQ(server.wires.size(), 1U);
}

TEST_F(PoolTest, CancelsWhatBorrowersRunWhenItIsInvalidatedHard) {
  auto const query = spawn([&]() -> awaitable<void> {
    auto const lease = co_await pool().acquire();
    co_await lease->query(1h);
  });
  world->run_for(1s);
  pool().invalidate_all(GenerationReason::operator_request, Invalidation::hard);
  world->run_for(1s);
  ASSERT_TRUE(query->has_ended);
  EXPECT_EQ(query->failure->error_class(), ErrorClass::cancelled);
  EXPECT_EQ(snapshot().closed[static_cast<std::size_t>(CloseReason::invalidated)], 1U);
}

TEST_F(PoolTest, TellsEventsInTheirOrderWithoutItsLock) {
  std::vector<PoolEvent::Kind> told;
  pool().on_event([&](PoolEvent const& event) {
    told.push_back(event.kind);
    pool().snapshot();  // would hang if the lock were held
  });
  auto const holder = hold(40s, {.label = "slow"});
  world->run_for(60s);
  pool().invalidate_all(GenerationReason::operator_request, Invalidation::soft);
  settle();
  using Kind = PoolEvent::Kind;
  EXPECT_EQ(told, (std::vector<Kind>{Kind::connection_opened, Kind::leak_warning, Kind::generation_bumped,
                                     Kind::connection_closed}));
  pool().on_event(nullptr);
  pool().invalidate_all(GenerationReason::operator_request, Invalidation::soft);
  settle();
  EXPECT_EQ(told.size(), 4U);
}

TEST_F(PoolTest, GoesOnTellingAfterAHandlerThatThrows) {
  int told = 0;
  pool().on_event([&](PoolEvent const&) {
    if (++told == 1) throw std::runtime_error("no room");
  });
  auto const holder = hold(1s);
  EXPECT_THROW(settle(), std::runtime_error);
  world->run_for(2s);
  pool().invalidate_all(GenerationReason::operator_request, Invalidation::soft);
  settle();
  EXPECT_GE(told, 3);
}

TEST_F(PoolTest, IsToldByTheSharedGateThatAnAttemptHasEnded) {
  resilience::RecoveryOptions one_at_a_time;
  one_at_a_time.max_connecting = 1;
  one_at_a_time.connect_rate = 1000;
  auto const gate = std::make_shared<resilience::SharedRecovery>(one_at_a_time, world->random("gate"));
  server.connecting.takes = 1s;
  auto first_environment = environment();
  first_environment.share(gate);
  auto second_environment = environment();
  second_environment.share(gate);
  Pool<Wire> const first(options, std::make_shared<FakeConnector>(server), first_environment);
  Pool<Wire> const second(options, std::make_shared<FakeConnector>(server), second_environment);
  std::vector<duration> served;
  for (auto const* each : {&first, &second}) {
    spawn([&, each]() -> awaitable<void> {
      auto const lease = co_await each->acquire();
      served.push_back(world->elapsed());
    });
  }
  world->run_for(5s);
  EXPECT_EQ(served, (std::vector<duration>{1s, 2s}));  // P14, over both pools
}

TEST_F(PoolTest, PutsConnectionsOnTheExecutorsItIsGiven) {
  auto made = environment();
  made.connection_executors = {world->get_executor("one"), world->get_executor("two")};
  Pool<Wire> const spread(options, std::make_shared<FakeConnector>(server), made);
  run([&]() -> awaitable<void> {
    auto const a = co_await spread.acquire();
    auto const b = co_await spread.acquire();
    auto const label = [](auto const& lease) {
      return lease.get_executor().template target<testkit::SimExecutor>()->label();
    };
    EXPECT_NE(label(a), label(b));
  });
}

TEST_F(PoolTest, RefusesOptionsThatMakeNoSense) {
  options.max_size = 0;
  EXPECT_THROW(pool(), Error);
}

}  // namespace
}  // namespace belay::pool
