#include "belay/pool/lease.hpp"

#include "belay/pool/test_shell_fixture.hpp"

namespace belay::pool {
namespace {

using namespace std::chrono_literals;

struct LeaseTest : ShellFixture {
  std::size_t closed(CloseReason reason) { return snapshot().closed[static_cast<std::size_t>(reason)]; }
};

TEST_F(LeaseTest, ReturnsItsConnectionOnce) {
  run([&]() -> awaitable<void> {
    auto first = co_await pool().acquire();
    auto second = std::move(first);
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that it is harmless is what is tested
    EXPECT_TRUE(second);
    first.release();
    EXPECT_EQ(snapshot().leases, 1U);
    second.release();
    second.release();
    EXPECT_EQ(snapshot().leases, 0U);
    EXPECT_FALSE(second);
    EXPECT_FALSE(second.is_revoked());
  });
  EXPECT_EQ(snapshot().leases_returned, 1U);
  expect_at_rest();
}

TEST_F(LeaseTest, ReturnsTheOneItHadWhenItIsAssigned) {
  run([&]() -> awaitable<void> {
    auto lease = co_await pool().acquire();
    auto const slot = lease.slot();
    auto other = co_await pool().acquire();
    lease = std::move(other);
    EXPECT_NE(lease.slot(), slot);
    EXPECT_EQ(snapshot().leases, 1U);
    auto& itself = lease;
    lease = std::move(itself);
    EXPECT_TRUE(lease);
  });
  expect_at_rest();
}

TEST_F(LeaseTest, RefusesToBeUsedAfterItsEnd) {
  run([&]() -> awaitable<void> {
    auto lease = co_await pool().acquire();
    lease.release();
    try {
      lease->is_open();
      ADD_FAILURE() << "used after its end";
    } catch (Error const& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::request);
    }
  });
}

TEST_F(LeaseTest, ClosesATaintedConnection) {
  run([&]() -> awaitable<void> {
    auto lease = co_await pool().acquire();
    lease.taint();
  });
  settle();
  EXPECT_EQ(closed(CloseReason::tainted), 1U);
}

TEST_F(LeaseTest, TakesTheWorseOfWhatTheHolderAndTheProtocolSay) {
  run([&]() -> awaitable<void> {
    auto lease = co_await pool().acquire();
    lease.release(ReleaseCondition::session_changed);
  });
  settle();
  EXPECT_EQ(server.resets, 1U);
  run([&]() -> awaitable<void> {
    auto lease = co_await pool().acquire();
    lease->become(ReleaseCondition::transaction_open);
    lease.release(ReleaseCondition::clean);
  });
  settle();
  EXPECT_EQ(server.rollbacks, 1U);
}

TEST_F(LeaseTest, PassesOnWhatAFailureSaysAboutOthers) {
  struct Case {
    Error error;
    std::uint64_t generations;
  };
  std::vector<Case> const cases = {
      {Error(ErrorClass::request, SendState::executed, "syntax error"), 0},
      {Error(ErrorClass::role, SendState::refused, "read-only"), 1},
      {Error(ErrorClass::transport, SendState::unknown, "record", "tls_broken"), 1},
      {Error(ErrorClass::transport, SendState::unknown, "reset", "ECONNRESET"), 0},
  };
  for (auto const& each : cases) {
    SCOPED_TRACE(each.error.what());
    world->run_for(10s);
    auto const before = snapshot().generations_bumped;
    run([&]() -> awaitable<void> {
      auto lease = co_await pool().acquire();
      lease.heed(each.error);
      lease.heed(Error(ErrorClass::conflict, SendState::refused, "serialization"));
    });
    EXPECT_EQ(snapshot().generations_bumped - before, each.generations);
  }
}

TEST_F(LeaseTest, TellsWhatItsHolderDoes) {
  run([&]() -> awaitable<void> {
    auto lease = co_await pool().acquire({.label = "report"});
    lease.statement_started("SELECT digest");
    co_await time->wait_for(2s);
    auto diagnosis = pool().diagnose();
    EXPECT_EQ(diagnosis.oldest.size(), 1U);
    EXPECT_EQ(diagnosis.oldest.front().label, "report");
    EXPECT_EQ(diagnosis.oldest.front().statement, "SELECT digest");
    EXPECT_TRUE(diagnosis.oldest.front().in_statement);
    lease.statement_ended();
    diagnosis = pool().diagnose();
    EXPECT_FALSE(diagnosis.oldest.front().in_statement);
  });
}

TEST_F(LeaseTest, IsRevokedWhenItsConnectionBreaks) {
  auto const query = spawn([&]() -> awaitable<void> {
    auto lease = co_await pool().acquire();
    std::optional<Error> failure;
    try {
      co_await lease->query(1h);
    } catch (Error const& error) {
      failure = error;
    }
    EXPECT_TRUE(failure);
    EXPECT_TRUE(lease.is_revoked());
    EXPECT_TRUE(lease);
    try {
      lease->is_open();
      ADD_FAILURE() << "used although it is revoked";
    } catch (Error const& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::cancelled);
      EXPECT_EQ(error.send_state(), SendState::never_sent);
    }
    co_await time->wait_for(1min);  // the husk lives as long as its holder needs it
    lease.statement_started("too late");
  });
  world->run_for(1s);
  server.kill_all();
  world->run_for(2min);
  EXPECT_TRUE(query->has_ended);
  EXPECT_FALSE(query->failure);
  EXPECT_EQ(closed(CloseReason::broken), 1U);
  expect_at_rest();
}

TEST_F(LeaseTest, IsTakenFromWhoHoldsItForTooLong) {
  options.leak_warn_after = 10s;
  options.leak_reclaim_after = 60s;
  auto const leak = hold(1h);
  world->run_for(70s);
  EXPECT_EQ(closed(CloseReason::leak_reclaimed), 1U);
  EXPECT_EQ(snapshot().leases, 0U);
  world->run_for(1h);
  EXPECT_TRUE(leak->has_ended);
  expect_at_rest();
}

TEST_F(LeaseTest, AsksTheNextBorrowerToResetWhereThatIsPipelined) {
  options.reset = ResetMode::pipelined;
  run([&]() -> awaitable<void> {
    auto lease = co_await pool().acquire();
    EXPECT_FALSE(lease.must_reset_first());
    lease->become(ReleaseCondition::session_changed);
    lease.release();
    lease = co_await pool().acquire();
    EXPECT_TRUE(lease.must_reset_first());
    lease->become(ReleaseCondition::clean);
  });
  EXPECT_EQ(server.resets, 0U);
}

}  // namespace
}  // namespace belay::pool
