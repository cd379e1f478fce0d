#include <chrono>
#include <filesystem>

#include "belay/pool/pool.hpp"
#include "belay/sqlite/client.hpp"
#include "belay/sqlite/database_fixture.hpp"
#include "belay/testkit/power_loss_vfs.hpp"

namespace belay::sqlite {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;
using Lines = std::vector<std::string>;

char const* const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

class LifecycleTest : public DatabaseTest {
 protected:
  Lines reopened_values() { return rows(open(), "SELECT x FROM t ORDER BY x"); }
};

TEST_F(LifecycleTest, ClosingFinishesQueuedWritesAndFoldsTheLogIntoTheFile) {
  auto client = open();
  run(client.write("CREATE TABLE t(x)"));
  auto const gate = std::make_shared<Gate>();
  auto held = start(client.write("INSERT INTO t VALUES (0) RETURNING x", gate));
  gate->wait_until_entered();
  std::vector<Started<Summary>> queued;
  for (int i = 1; i < 5; ++i) queued.push_back(start(client.write(Statement("INSERT INTO t VALUES (?1)", i))));
  auto closing = start(client.close());
  auto const refused = failure(client.write("INSERT INTO t VALUES (99)"));
  EXPECT_EQ(refused.error_class(), ErrorClass::request);
  EXPECT_EQ(refused.send_state(), SendState::never_sent);
  EXPECT_NE(std::string(refused.what()).find("closed"), std::string::npos);
  EXPECT_EQ(failure(client.read("SELECT 1", nullptr)).send_state(), SendState::never_sent);
  gate->open();
  closing.get();
  EXPECT_NO_THROW(held.get());
  for (auto& call : queued) EXPECT_NO_THROW(call.get());
  EXPECT_FALSE(std::filesystem::exists(file() + "-wal")) << "the last connection removes the log";
  EXPECT_EQ(reopened_values(), (Lines{"0", "1", "2", "3", "4"}));
}

TEST_F(LifecycleTest, ClosingEndsTheThreadsAndMayBeRepeated) {
  auto client = open();
  auto copy = client;
  run(client.close());
  EXPECT_LE(client.stats().threads, 1U) << "the pools' own goes with the last handle";
  EXPECT_NO_THROW(run(copy.close()));
  EXPECT_EQ(failure(copy.backup(directory.file("b.db"))).send_state(), SendState::never_sent);
}

TEST_F(LifecycleTest, ClosingCancelsWhatIsLeftAtItsDeadline) {
  auto client = open();
  run(client.write("CREATE TABLE t(x)"));
  auto reading = start(client.read(endless, nullptr));
  auto writing = start(client.write(std::string("INSERT INTO t ") + endless));
  auto queued = start(client.write("INSERT INTO t VALUES (1)"));
  EXPECT_NO_THROW(run(client.close(Deadline::in(30ms))));
  for (auto* const call : {&reading, &writing, &queued}) {
    auto const error = call->error();
    EXPECT_EQ(error.error_class(), ErrorClass::cancelled);
    EXPECT_NE(error.send_state(), SendState::unknown);
  }
  EXPECT_TRUE(reopened_values().empty());
}

TEST_F(LifecycleTest, ClosingWaitsForATransactionThatIsOpen) {
  auto client = open();
  run(client.write("CREATE TABLE t(x)"));
  std::optional<Started<void>> closing;
  auto body = [&](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO t VALUES (1)");
    closing.emplace(start(client.close()));
    co_await tx.write("INSERT INTO t VALUES (2)");
  };
  run(client.transaction(body));
  closing->get();
  EXPECT_EQ(reopened_values(), (Lines{"1", "2"}));
}

TEST_F(LifecycleTest, TheLastHandleCancelsWhatIsUnderWay) {
  std::optional<Client> client = open();
  run(client->write("CREATE TABLE t(x)"));
  auto reading = start(client->read(endless, nullptr));
  auto writing = start(client->write(std::string("INSERT INTO t ") + endless));
  auto queued = start(client->write("INSERT INTO t VALUES (1)"));
  client.reset();
  for (auto* const call : {&reading, &writing, &queued}) EXPECT_EQ(call->error().error_class(), ErrorClass::cancelled);
  EXPECT_TRUE(reopened_values().empty());
}

TEST_F(LifecycleTest, TheLastHandleEndsATransactionThatWaitsForItsBody) {
  std::optional<Client> client = open();
  run(client->write("CREATE TABLE t(x)"));
  bool inside = false;
  auto body = [&](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO t VALUES (1)");
    inside = true;
    client.reset();
    co_await tx.write("INSERT INTO t VALUES (2)");
  };
  auto call = start(client->transaction(body, Deadline::never()));
  EXPECT_EQ(call.error().error_class(), ErrorClass::cancelled);
  EXPECT_TRUE(inside);
  EXPECT_TRUE(reopened_values().empty());
}

/// Of worth under AddressSanitizer, which sees what is never freed: a call that is done holds its caller's frame, and
/// the frame the call.
TEST_F(LifecycleTest, LeavesNothingWhenACallersContextEndsBeforeItIsResumed) {
  auto client = open();
  run(client.write("CREATE TABLE t(x)"));
  for (int i = 0; i < 3; ++i) {
    auto const gate = std::make_shared<Gate>();
    {
      boost::asio::io_context other;
      Started<Summary> const read(other, client.read("SELECT 1", gate));
      Started<Summary> const write(other, client.write("INSERT INTO t VALUES (1)"));
      other.poll();
      gate->wait_until_entered();
      gate->open();
      run(client.write("INSERT INTO t VALUES (2)"));  // by the same writer, after the other's
    }
    EXPECT_EQ(client.reads().snapshot().leases + client.writes().snapshot().leases, 0U) << "given back by the frames";
  }
  run(client.close());
  EXPECT_EQ(reopened_values().size(), 6U);
}

TEST_F(LifecycleTest, OpeningEndsWhenCancelledOrLate) {
  EXPECT_EQ(failure(Client::open(Options(file()), Deadline::in(0s))).send_state(), SendState::never_sent);
  testkit::PowerLossVfs vfs("slow-open");
  Options options(file());
  options.vfs = vfs.name();
  vfs.stall_syncs(true);
  // The stalled thread is joined when the failed open gives up its handle, so the disk must come back by itself.
  std::thread repair([&] {
    std::this_thread::sleep_for(300ms);
    vfs.stall_syncs(false);
  });
  auto const error = failure(Client::open(options, Deadline::in(20ms)));
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
  repair.join();
}

TEST_F(LifecycleTest, OpensAndClosesAgainAndAgain) {
  for (int round = 0; round < 20; ++round) {
    auto client = open();
    run(client.write("CREATE TABLE IF NOT EXISTS t(x)"));
    run(client.write(Statement("INSERT INTO t VALUES (?1)", round)));
    if (round % 2 == 0) run(client.close());
  }
  EXPECT_EQ(reopened_values().size(), 20U);
}

}  // namespace
}  // namespace belay::sqlite
