#include <new>

#include "belay/pool/test_shell_fixture.hpp"

// What becomes of connections: opened, tested, cleaned, lost, closed.

namespace belay::pool {
namespace {

using namespace std::chrono_literals;

struct PoolConnectionTest : ShellFixture {
  void open_one() {
    run([&]() -> awaitable<void> { co_await pool().start(Deadline::never()); });
  }
  /// A lease that leaves its connection like that.
  void borrow(ReleaseCondition left) {
    run([&]() -> awaitable<void> {
      auto const lease = co_await pool().acquire();
      lease->become(left);
    });
    settle();
  }
};

TEST_F(PoolConnectionTest, TellsTheSignInFromTheSetUp) {
  server.connecting.takes = 1s;
  server.signing_in.takes = 1s;
  auto const first = hold(0s);
  world->run_for(500ms);
  EXPECT_EQ(snapshot().in(SlotState::connecting), 1U);
  world->run_for(1s);
  EXPECT_EQ(snapshot().in(SlotState::initialising), 1U);
  world->run_for(1s);
  EXPECT_EQ(snapshot().in(SlotState::idle), 1U);
}

TEST_F(PoolConnectionTest, FailsAllWaitersWhenConnectingCannotSucceed) {
  server.connecting.takes = 10ms;
  server.connecting.fails = Error(ErrorClass::transport, SendState::refused, "no such database", "3D000",
                                  {{"permanent", "the database does not exist"}});
  auto const first = hold(0s);
  auto const second = hold(0s);
  world->run_for(20ms);
  EXPECT_EQ(first->reason(), "connect_failed");
  EXPECT_EQ(second->reason(), "connect_failed");
}

TEST_F(PoolConnectionTest, RecoversFromFailedConnects) {
  server.connecting.fails = Error(ErrorClass::transport, SendState::never_sent, "refused", "ECONNREFUSED");
  auto const waiting = hold(0s);
  world->run_for(2s);
  EXPECT_TRUE(snapshot().is_recovering);
  EXPECT_GT(server.connects, 1U);
  server.connecting.fails.reset();
  world->run_for(10s);
  EXPECT_TRUE(waiting->has_ended);
  EXPECT_FALSE(waiting->failure);
}

TEST_F(PoolConnectionTest, BreaksOffAConnectThatHangs) {
  options.connect_timeout = 2s;
  server.connecting.hangs = true;
  auto const waiting = hold(0s);
  world->run_for(1s);
  EXPECT_EQ(server.connecting_now, 1U);
  server.connecting.hangs = false;
  world->run_for(10s);
  EXPECT_EQ(server.connecting_now, 0U);
  EXPECT_TRUE(waiting->has_ended);
  EXPECT_FALSE(waiting->failure);
  EXPECT_EQ(snapshot().connects_failed, 1U);
}

TEST_F(PoolConnectionTest, CountsAConnectWithoutVerdictUntilTheServerMustHaveForgottenIt) {  // P2
  options.max_size = 1;
  options.connect_timeout = 2s;
  options.zombie_grace = 5s;
  server.connecting.hangs = true;
  auto const waiting = hold(0s);
  world->run_for(3s);
  EXPECT_EQ(snapshot().in(SlotState::zombie), 1U);
  server.connecting.hangs = false;
  world->run_for(3s);
  EXPECT_EQ(server.connects, 1U);
  world->run_for(5s);
  EXPECT_EQ(server.connects, 2U);
}

TEST_F(PoolConnectionTest, CountsAConnectThatDoesNotEndWhenItIsBrokenOff) {  // P1
  options.max_size = 1;
  options.connect_timeout = 1s;
  server.connecting.hangs = server.connecting.ignores_the_end = true;
  auto const waiting = hold(0s, {.deadline = Deadline::at(time->now() + 10s)});
  world->run_for(20s);
  EXPECT_EQ(server.connects, 1U);
  EXPECT_EQ(snapshot().in(SlotState::closing), 1U);
  EXPECT_TRUE(waiting->has_ended);
}

struct Stranger final : Connection {
  boost::asio::awaitable<void> test(Deadline) override { co_return; }
  boost::asio::awaitable<void> reset(std::uint32_t, Deadline) override { co_return; }
  boost::asio::awaitable<void> rollback(std::uint32_t, Deadline) override { co_return; }
  boost::asio::awaitable<CleanUp> clean_up(CancelledWork&, Deadline) override { co_return CleanUp::unknown; }
  boost::asio::awaitable<void> close(Deadline) override { co_return; }
  bool looks_alive() noexcept override { return true; }
  ReleaseCondition condition(std::uint32_t) const noexcept override { return ReleaseCondition::clean; }
  void cancel() noexcept override {}
  Aborted abort() noexcept override { return {}; }
  void on_lost(LostHandler) override {}
};

struct OddConnector final : Connector {
  enum class Makes { nothing, a_stranger, no_memory, a_foreign_exception } makes = Makes::nothing;
  boost::asio::awaitable<std::unique_ptr<Connection>> connect(Deadline, AttemptInfo) override {
    if (makes == Makes::no_memory) throw std::bad_alloc();
    if (makes == Makes::a_foreign_exception) throw 42;
    if (makes == Makes::a_stranger) co_return std::make_unique<Stranger>();
    co_return nullptr;
  }
};

TEST_F(PoolConnectionTest, ReportsEveryWayAConnectorCanMisbehave) {
  using Makes = OddConnector::Makes;
  for (auto const makes : {Makes::nothing, Makes::a_stranger, Makes::no_memory, Makes::a_foreign_exception}) {
    auto const odd = std::make_shared<OddConnector>();
    odd->makes = makes;
    Pool<Wire> const odd_pool(options, odd, environment());
    auto const waiting = spawn(
        [&]() -> awaitable<void> { auto const lease = co_await odd_pool.acquire(Deadline::at(time->now() + 100ms)); });
    world->run_for(10ms);
    EXPECT_GE(odd_pool.snapshot().connects_failed, 1U);
    world->run_for(1s);
    EXPECT_TRUE(waiting->failure);
  }
}

TEST_F(PoolConnectionTest, LooksAtAConnectionBeforeItLendsItAgain) {
  open_one();
  world->run_for(1s);  // longer than the bypass
  run([&]() -> awaitable<void> { auto const lease = co_await pool().acquire(); });
  EXPECT_EQ(server.tests, 0U);
  world->run_for(31s);
  run([&]() -> awaitable<void> { auto const lease = co_await pool().acquire(); });
  EXPECT_EQ(server.tests, 1U);
  EXPECT_EQ(server.connects, 1U);
}

TEST_F(PoolConnectionTest, ServesTheSameWaiterFromTheNextWhenATestFails) {
  open_one();
  world->run_for(40s);
  server.testing.fails = Error(ErrorClass::transport, SendState::unknown, "reset", "ECONNRESET");
  run([&]() -> awaitable<void> { auto const lease = co_await pool().acquire(); });
  EXPECT_EQ(server.connects, 2U);
  EXPECT_EQ(snapshot().tests_failed, 1U);
}

TEST_F(PoolConnectionTest, GivesUpATestThatHangs) {
  open_one();
  world->run_for(40s);
  server.testing.hangs = true;
  auto const begun = world->elapsed();
  run([&]() -> awaitable<void> { auto const lease = co_await pool().acquire(); });
  EXPECT_GE(world->elapsed() - begun, 1s);
  EXPECT_LT(world->elapsed() - begun, 1200ms) << "the first probe after a loss comes within 100 ms";
  EXPECT_EQ(server.connects, 2U);
  settle();
  EXPECT_EQ(server.wires.size(), 1U);
}

TEST_F(PoolConnectionTest, RemovesAnIdleConnectionAsSoonAsItIsLost) {
  open_one();
  server.kill_all();
  settle();
  EXPECT_EQ(snapshot().live(), 0U);
  EXPECT_EQ(snapshot().closed[static_cast<std::size_t>(CloseReason::lost)], 1U);
}

TEST_F(PoolConnectionTest, LendsACleanConnectionAgainWithoutARoundTrip) {
  borrow(ReleaseCondition::clean);
  borrow(ReleaseCondition::clean);
  EXPECT_EQ(server.connects, 1U);
  EXPECT_EQ(server.resets + server.rollbacks + server.clean_ups, 0U);
}

TEST_F(PoolConnectionTest, UndoesWhatABorrowerLeaves) {  // P9, P10
  borrow(ReleaseCondition::session_changed);
  EXPECT_EQ(server.resets, 1U);
  borrow(ReleaseCondition::transaction_open);
  EXPECT_EQ(server.rollbacks, 1U);
  EXPECT_EQ(server.resets, 2U) << "what the transaction changed of the session goes too";
  borrow(ReleaseCondition::mid_query);
  EXPECT_EQ(server.clean_ups, 1U);
  EXPECT_EQ(server.connects, 1U);
  EXPECT_EQ(server.wires.front()->condition(0), ReleaseCondition::clean);
}

TEST_F(PoolConnectionTest, ClosesWhatCannotBeCleaned) {
  server.rolling_back.fails = Error(ErrorClass::internal, SendState::executed, "no");
  borrow(ReleaseCondition::transaction_open);
  EXPECT_EQ(server.wires.size(), 0U);
  server.cleaning_up.hangs = true;
  borrow(ReleaseCondition::mid_query);
  EXPECT_EQ(server.wires.size(), 1U);
  world->run_for(3s);
  EXPECT_EQ(server.wires.size(), 0U);
  expect_at_rest();
}

TEST_F(PoolConnectionTest, KeepsThePlaceOfAQueryTheServerMayStillRun) {  // P2
  server.clean_up_reaches = CleanUp::unknown;
  server.fate_after_abort = SessionFate::unknown;
  borrow(ReleaseCondition::mid_query);
  EXPECT_EQ(snapshot().in(SlotState::zombie), 1U);
  world->run_for(6s);
  EXPECT_EQ(snapshot().taken(), 0U);
}

TEST_F(PoolConnectionTest, ForgetsAZombieThatWasSeenToBeGone) {
  server.clean_up_reaches = CleanUp::unknown;
  server.fate_after_abort = SessionFate::unknown;
  SlotHandle slot;
  run([&]() -> awaitable<void> {
    auto const lease = co_await pool().acquire();
    slot = lease.slot();
    lease->become(ReleaseCondition::mid_query);
  });
  settle();
  pool().session_gone(slot);
  EXPECT_EQ(snapshot().taken(), 0U);
}

TEST_F(PoolConnectionTest, SaysGoodByeUntilTheServerHasHadTimeEnough) {
  open_one();
  server.closing.hangs = true;
  pool().invalidate_all(GenerationReason::operator_request, Invalidation::soft);
  world->run_for(1s);
  EXPECT_EQ(snapshot().in(SlotState::closing), 1U);
  world->run_for(2s);
  EXPECT_EQ(snapshot().in(SlotState::closing), 0U);
  EXPECT_EQ(server.aborts, 1U);
}

TEST_F(PoolConnectionTest, AbortsWhatFailsToSayGoodBye) {
  open_one();
  server.closing.fails = Error(ErrorClass::transport, SendState::unknown, "broken pipe", "EPIPE");
  server.fate_after_abort = SessionFate::unknown;
  pool().invalidate_all(GenerationReason::operator_request, Invalidation::soft);
  settle();
  EXPECT_EQ(snapshot().in(SlotState::zombie), 1U);
}

TEST_F(PoolConnectionTest, EndsARunningTestBeforeItSaysGoodBye) {
  open_one();
  world->run_for(40s);
  server.testing.hangs = true;
  auto const waiting = hold(0s);
  world->run_for(100ms);
  EXPECT_EQ(snapshot().in(SlotState::testing), 1U);
  pool().invalidate_all(GenerationReason::operator_request, Invalidation::soft);
  settle();
  EXPECT_EQ(server.good_byes, 1U);
  world->run_for(200ms);  // the first probe
  EXPECT_TRUE(waiting->has_ended);
  EXPECT_FALSE(waiting->failure);
}

TEST_F(PoolConnectionTest, SharesAConnectionByStreams) {
  options.max_size = 1;
  options.streams_per_connection = 4;
  std::vector<std::shared_ptr<Task>> tasks;
  for (int i = 0; i < 4; ++i) {
    tasks.push_back(spawn([&]() -> awaitable<void> {
      auto const lease = co_await pool().acquire();
      co_await lease->query(1s, lease.stream());
    }));
  }
  world->run_for(500ms);
  EXPECT_EQ(snapshot().leases, 4U);
  tasks[0]->signal.emit(boost::asio::cancellation_type::terminal);
  settle();
  EXPECT_EQ(server.clean_ups, 1U);
  world->run_for(1s);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_FALSE(tasks[i]->failure);
  EXPECT_EQ(server.connects, 1U);
  expect_at_rest();
}

}  // namespace
}  // namespace belay::pool
