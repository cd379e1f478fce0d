#include <atomic>
#include <chrono>

#include <sqlite3.h>

#include "belay/sqlite/client.hpp"
#include "belay/sqlite/database_fixture.hpp"
#include "belay/testkit/power_loss_vfs.hpp"

namespace belay::sqlite {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

char const* const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/// One reader and the writer, each of which a Gate can hold.
class CancellationTest : public DatabaseTest {
 protected:
  CancellationTest() : given(file()) {
    given.readers = 1;
    given.queue_max = 4;
    client = std::make_unique<Client>(open(given));
    run(client->write("CREATE TABLE t(x)"));
  }

  Started<Summary> hold_reader(std::shared_ptr<Gate> const& holder) {
    auto call = start(client->read("SELECT 1", holder));
    holder->wait_until_entered();
    return call;
  }
  Started<Summary> hold_writer(std::shared_ptr<Gate> const& holder) {
    auto call = start(client->write("INSERT INTO t VALUES (0) RETURNING x", holder));
    holder->wait_until_entered();
    return call;
  }

  Options given;
  std::unique_ptr<Client> client;
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
};

TEST_F(CancellationTest, FailsBeforeAnyWorkWhenTheDeadlineHasPassed) {
  auto const error = failure(client->write("INSERT INTO t VALUES (1)", Deadline::in(0s)));
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
  EXPECT_EQ(rows(*client, "SELECT count(*) FROM t"), Lines{"0"});
  EXPECT_EQ(client->stats().timeouts, 1U);
}

TEST_F(CancellationTest, EndsAQueuedCallAtItsDeadline) {
  auto held_read = hold_reader(gate);
  auto const writer_gate = std::make_shared<Gate>();
  auto held_write = hold_writer(writer_gate);
  auto read = start(client->read("SELECT 2", nullptr, Deadline::in(20ms)));
  auto write = start(client->write("INSERT INTO t VALUES (1)", Deadline::in(20ms)));
  for (auto* const call : {&read, &write}) {
    auto const error = call->error();
    EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
    EXPECT_EQ(error.send_state(), SendState::never_sent);
  }
  EXPECT_FALSE(held_read.done()) << "it must not have waited for the worker";
  EXPECT_EQ(client->stats().reads_queued + client->stats().writes_queued, 0U) << "taken out of the queue";
  gate->open();
  writer_gate->open();
  held_read.get();
  held_write.get();
  EXPECT_EQ(rows(*client, "SELECT x FROM t"), Lines{"0"});
}

TEST_F(CancellationTest, EndsAQueuedCallWhenItIsCancelled) {
  auto held_read = hold_reader(gate);
  auto const writer_gate = std::make_shared<Gate>();
  auto held_write = hold_writer(writer_gate);
  auto read = start(client->read("SELECT 2", nullptr));
  auto write = start(client->write("INSERT INTO t VALUES (1)"));
  for (auto* const call : {&read, &write}) {
    call->cancel();
    auto const error = call->error();
    EXPECT_EQ(error.error_class(), ErrorClass::cancelled);
    EXPECT_EQ(error.send_state(), SendState::never_sent);
  }
  gate->open();
  writer_gate->open();
  held_read.get();
  held_write.get();
  EXPECT_EQ(rows(*client, "SELECT x FROM t"), Lines{"0"});
  EXPECT_EQ(client->stats().cancelled, 2U);
}

TEST_F(CancellationTest, InterruptsARunningReadAtItsDeadline) {
  auto const error = failure(client->read(endless, nullptr, Deadline::in(30ms)));
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(error.send_state(), SendState::refused);
  EXPECT_EQ(rows(*client, "SELECT 1"), Lines{"1"}) << "the reader goes on";
}

TEST_F(CancellationTest, InterruptsARunningReadWhenItIsCancelled) {
  auto call = start(client->read(endless, nullptr));
  until([&] { return client->stats().reads == 1; });
  call.cancel();
  auto const error = call.error();
  EXPECT_EQ(error.error_class(), ErrorClass::cancelled);
  EXPECT_EQ(error.send_state(), SendState::refused);
}

TEST_F(CancellationTest, InterruptsARunningWriteAndRollsItBack) {
  std::string const insert = std::string("INSERT INTO t ") + endless;
  auto const late = failure(client->write(insert, Deadline::in(30ms)));
  EXPECT_EQ(late.error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(late.send_state(), SendState::refused);
  auto const groups = client->stats().groups;
  auto call = start(client->write(insert));
  until([&] { return client->stats().groups > groups; });
  call.cancel();
  auto const cancelled = call.error();
  EXPECT_EQ(cancelled.error_class(), ErrorClass::cancelled);
  EXPECT_EQ(cancelled.send_state() == SendState::refused || cancelled.send_state() == SendState::never_sent, true);
  EXPECT_EQ(rows(*client, "SELECT count(*) FROM t"), Lines{"0"});
  EXPECT_EQ(run(client->write("INSERT INTO t VALUES (1)")).changes, 1);
}

TEST_F(CancellationTest, EndsTheWaitForAnotherProcesssLock) {
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  auto const late = failure(client->write("INSERT INTO t VALUES (1)", Deadline::in(20ms)));
  EXPECT_EQ(late.error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(late.send_state(), SendState::never_sent);
  auto call = start(client->write("INSERT INTO t VALUES (2)"));
  until([&] { return client->stats().writes_queued == 0; });
  call.cancel();
  EXPECT_EQ(call.error().error_class(), ErrorClass::cancelled);
  sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  EXPECT_EQ(rows(*client, "SELECT count(*) FROM t"), Lines{"0"});
}

TEST_F(CancellationTest, RefusesACallBeyondTheQueuesBoundAndNamesIt) {
  given.reads_at_once = 1;
  given.group_max = 1;
  client = std::make_unique<Client>(open(given));
  auto held_read = hold_reader(gate);
  auto const writer_gate = std::make_shared<Gate>();
  auto held_write = hold_writer(writer_gate);
  std::vector<Started<Summary>> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(start(client->read("SELECT 1", nullptr)));
    waiting.push_back(start(client->write("INSERT INTO t VALUES (1)")));
  }
  for (auto const& error : {failure(client->read("SELECT 1", nullptr)), failure(client->write("DELETE FROM t"))}) {
    EXPECT_EQ(error.error_class(), ErrorClass::capacity);
    EXPECT_EQ(error.send_state(), SendState::never_sent);
    EXPECT_NE(std::string(error.what()).find("4 waiting"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("queue_max"), std::string::npos);
  }
  EXPECT_EQ(client->stats().refused, 2U);
  waiting.front().cancel();
  waiting.push_back(start(client->read("SELECT 1", nullptr)));
  gate->open();
  writer_gate->open();
  EXPECT_EQ(waiting.front().error().error_class(), ErrorClass::cancelled);
  for (std::size_t i = 1; i < waiting.size(); ++i) EXPECT_NO_THROW(waiting[i].get());
  held_read.get();
  held_write.get();
}

TEST_F(CancellationTest, NeverDeliversARowAfterTheCallEnded) {
  struct Counter final : RowSink {
    void row(Row const&) override { ++rows; }
    void restart() override {}
    std::atomic<std::uint64_t> rows{0};
  };
  auto const counter = std::make_shared<Counter>();
  auto call =
      start(client->read("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", counter));
  until([&] { return counter->rows > 100; });
  call.cancel();
  EXPECT_EQ(call.error().error_class(), ErrorClass::cancelled);
  auto const rows_at_end = counter->rows.load();
  EXPECT_EQ(rows(*client, "SELECT 1"), Lines{"1"});
  EXPECT_EQ(counter->rows, rows_at_end);
}

TEST_F(CancellationTest, LetsAnotherReaderOvertakeASlowOne) {
  Options options(directory.file("two.db"));
  options.readers = 2;
  auto two = open(options);
  auto slow = start(two.read(endless, nullptr, Deadline::in(5s)));
  auto const begun = Deadline::clock::now();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(rows(two, "SELECT 1"), Lines{"1"});
  EXPECT_LT(Deadline::clock::now() - begun, 2s);
  EXPECT_FALSE(slow.done());
  slow.cancel();
  EXPECT_EQ(slow.error().error_class(), ErrorClass::cancelled);
}

TEST_F(CancellationTest, LetsAnotherReaderTakeOverWhenOneIsHeldUpBeforeItCountsAsSlow) {
  Options options(directory.file("two.db"));
  options.readers = 2;
  auto two = open(options);
  auto held = start(two.read("SELECT 1", gate));
  gate->wait_until_entered();
  EXPECT_EQ(rows(two, "SELECT 2"), Lines{"2"}) << "found by the watch thread";
  gate->open();
  held.get();
}

/// Both wait behind a held reader, hence share a snapshot; the first is done before the second is held up.
TEST_F(CancellationTest, AnswersACallThoughTheNextOneInItsBatchIsHeldUp) {
  auto held = hold_reader(gate);
  auto const next_gate = std::make_shared<Gate>();
  auto first = start(client->read("SELECT 1", nullptr));
  auto second = start(client->read("SELECT 2", nullptr));
  auto third = start(client->read("SELECT 3", next_gate));
  gate->open();
  next_gate->wait_until_entered();
  EXPECT_NO_THROW(first.get());
  EXPECT_NO_THROW(second.get());
  EXPECT_FALSE(third.done());
  next_gate->open();
  third.get();
  held.get();
}

TEST(AbandonedCall, EndsThoughItsThreadIsStuckInTheSystem) {
  TemporaryDirectory directory;
  testkit::PowerLossVfs vfs("stalling-disk");
  boost::asio::io_context context;
  Options options(directory.file("a.db"));
  options.vfs = vfs.name();
  {
    auto client = run_on(context, Client::open(options));
    run_on(context, client.write("CREATE TABLE t(x)"));
    vfs.stall_syncs(true);
    auto const error = error_of(context, client.write("INSERT INTO t VALUES (1)", Deadline::in(20ms)));
    EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
    EXPECT_EQ(error.send_state(), SendState::unknown) << "the commit may still succeed";
    EXPECT_EQ(client.stats().abandoned, 1U);
    auto const behind = error_of(context, client.write("INSERT INTO t VALUES (2)", Deadline::in(20ms)));
    EXPECT_EQ(behind.send_state(), SendState::never_sent);
    vfs.stall_syncs(false);
    run_on(context, client.write("INSERT INTO t VALUES (3)"));
    auto const sink = std::make_shared<TextRows>();
    run_on(context, client.read("SELECT x FROM t ORDER BY x", sink));
    EXPECT_EQ(sink->lines, (Lines{"1", "3"}));
  }
}

}  // namespace
}  // namespace belay::sqlite
