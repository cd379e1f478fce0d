#include "belay/pool/test_shell_fixture.hpp"

// The end of a pool that is closed in an orderly way.

namespace belay::pool {
namespace {

using namespace std::chrono_literals;

struct PoolCloseTest : ShellFixture {
  std::optional<DrainResult> drained;

  std::shared_ptr<Task> close(Deadline deadline = Deadline::never(), WaitersAtClose waiters = WaitersAtClose::fail) {
    return spawn(
        [this, deadline, waiters]() -> awaitable<void> { drained = co_await pool().close(deadline, waiters); });
  }
  /// P19: nothing goes on, and no wait is left.
  void expect_nothing_left() {
    EXPECT_TRUE(server.wires.empty());
    EXPECT_TRUE(world->is_empty()) << world->describe();
  }
};

TEST_F(PoolCloseTest, SaysGoodByeToEveryConnection) {
  options.min_idle = 2;
  pool().start();
  settle();
  auto const closing = close();
  settle();
  ASSERT_TRUE(drained);
  EXPECT_TRUE(drained->is_clean());
  EXPECT_EQ(server.good_byes, 2U);
  EXPECT_EQ(world->elapsed(), 0s);
  expect_nothing_left();
}

TEST_F(PoolCloseTest, EndsAPoolThatWasNeverUsed) {
  auto const closing = close();
  settle();
  ASSERT_TRUE(drained);
  EXPECT_TRUE(drained->is_clean());
  expect_nothing_left();
}

TEST_F(PoolCloseTest, LetsBorrowersFinish) {
  auto const borrower = hold(5s);
  settle();
  auto const closing = close();
  world->run_for(4s);
  EXPECT_FALSE(drained);
  EXPECT_THROW(pool().try_acquire(), Error);
  world->run_for(2s);
  ASSERT_TRUE(drained);
  EXPECT_TRUE(drained->is_clean());
  expect_nothing_left();
}

TEST_F(PoolCloseTest, FailsWaitersOrServesThem) {
  for (auto const policy : {WaitersAtClose::fail, WaitersAtClose::serve}) {
    pool_.reset();
    drained.reset();
    options.max_size = 1;
    auto const borrower = hold(1s);
    settle();
    auto const waiting = hold(1s);
    settle();
    auto const closing = close(Deadline::never(), policy);
    world->run_for(3s);
    ASSERT_TRUE(drained);
    bool const is_served = policy == WaitersAtClose::serve;
    EXPECT_EQ(waiting->failure.has_value(), !is_served);
    EXPECT_EQ(drained->waiters_failed, is_served ? 0U : 1U);
    expect_nothing_left();
  }
}

TEST_F(PoolCloseTest, TakesNoLongerThanItsTimeAndListsWhatItTook) {  // P19
  auto const stubborn = spawn([&]() -> awaitable<void> {
    auto const lease = co_await pool().acquire({.label = "stubborn"});
    FakeServer::Manner forever;
    forever.hangs = forever.ignores_the_end = true;
    lease->become(ReleaseCondition::mid_query);
    co_await lease->pause(forever);
  });
  auto const idle = hold(1h, {.label = "between statements"});
  settle();
  auto const closing = close();
  world->run_until([&] { return drained.has_value(); });
  EXPECT_LE(world->elapsed(), options.close_timeout);
  ASSERT_EQ(drained->abandoned.size(), 2U);
  for (auto const& abandoned : drained->abandoned) {
    if (abandoned.label == "stubborn") {
      EXPECT_EQ(abandoned.operation, SendState::unknown);
    } else {
      EXPECT_EQ(abandoned.label, "between statements");
      EXPECT_EQ(abandoned.operation, std::nullopt);
    }
    EXPECT_GT(abandoned.held, 5s);
  }
  EXPECT_EQ(drained->connections_forced, 2U);
  EXPECT_TRUE(server.wires.empty());
}

TEST_F(PoolCloseTest, CancelsWhatRunsBeforeItForces) {
  auto const query = spawn([&]() -> awaitable<void> {
    auto const lease = co_await pool().acquire();
    co_await lease->query(1h);
  });
  settle();
  auto const closing = close();
  world->run_until([&] { return drained.has_value(); });
  ASSERT_TRUE(query->failure);
  EXPECT_EQ(query->failure->error_class(), ErrorClass::cancelled);
  EXPECT_EQ(drained->connections_forced, 0U);
  EXPECT_EQ(server.clean_ups, 1U);
}

TEST_F(PoolCloseTest, EndsAtAnEarlierDeadlineByForce) {
  auto const borrower = hold(1h, {.label = "slow"});
  settle();
  auto const closing = close(Deadline::at(time->now() + 1s));
  world->run_until([&] { return drained.has_value(); });
  EXPECT_EQ(world->elapsed(), 1s);
  ASSERT_EQ(drained->abandoned.size(), 1U);
  EXPECT_EQ(drained->abandoned.front().label, "slow");
  EXPECT_EQ(drained->connections_abandoned, 0U);
  EXPECT_TRUE(server.wires.empty());
}

TEST_F(PoolCloseTest, TurnsAwayThoseItWasToServeWhenTheDeadlineComes) {
  options.max_size = 1;
  auto const borrower = hold(1h);
  settle();
  auto const waiting = hold(1s);
  settle();
  auto const closing = close(Deadline::at(time->now() + 1s), WaitersAtClose::serve);
  world->run_until([&] { return drained.has_value(); });
  EXPECT_EQ(world->elapsed(), 1s);
  settle();
  ASSERT_TRUE(waiting->failure);
  EXPECT_EQ(waiting->failure->error_class(), ErrorClass::request);
}

TEST_F(PoolCloseTest, BreaksOffConnectsAndGoodByesThatHang) {
  options.zombie_grace = 0ns;
  options.min_idle = 1;
  pool().start();
  settle();
  server.closing.hangs = true;
  server.connecting.hangs = true;
  auto const first = hold(0s);
  auto const second = hold(0s);
  settle();
  auto const closing = close();
  world->run_until([&] { return drained.has_value(); });
  EXPECT_LE(world->elapsed(), 3s);
  settle();
  expect_nothing_left();
}

TEST_F(PoolCloseTest, AbandonsWhatDoesNotEnd) {  // P19
  server.connecting.hangs = server.connecting.ignores_the_end = true;
  auto const waiting = hold(0s);
  settle();
  auto const closing = close();
  world->run_until([&] { return drained.has_value(); });
  EXPECT_LE(world->elapsed(), options.close_timeout);
  EXPECT_EQ(drained->connections_abandoned, 1U);
}

TEST_F(PoolCloseTest, MayBeAskedForByMany) {
  auto const borrower = hold(1s);
  settle();
  std::vector<std::shared_ptr<Task>> closers;
  for (int i = 0; i < 3; ++i) closers.push_back(close());
  world->run_for(500ms);
  closers[1]->signal.emit(boost::asio::cancellation_type::terminal);
  settle();
  ASSERT_TRUE(closers[1]->has_ended);
  EXPECT_EQ(closers[1]->failure->error_class(), ErrorClass::cancelled);
  EXPECT_FALSE(closers[0]->has_ended);
  world->run_for(1s);
  for (auto const& closer : closers) EXPECT_TRUE(closer->has_ended);
  auto const later = close();
  settle();
  EXPECT_TRUE(later->has_ended);
  expect_nothing_left();
}

TEST_F(PoolCloseTest, TellsAllEventsBeforeItIsOver) {
  std::vector<std::uint64_t> phases;
  pool().on_event([&](PoolEvent const& event) {
    EXPECT_FALSE(drained);
    if (event.kind == PoolEvent::Kind::shutdown_phase) phases.push_back(event.number);
  });
  auto const borrower = hold(1h);
  settle();
  auto const closing = close();
  world->run_until([&] { return drained.has_value(); });
  EXPECT_EQ(phases, (std::vector<std::uint64_t>{2, 3, 4, 5}));
}

}  // namespace
}  // namespace belay::pool
