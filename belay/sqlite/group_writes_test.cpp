#include <chrono>
#include <map>
#include <thread>

#include <boost/asio/detached.hpp>
#include <sqlite3.h>

#include "belay/sqlite/client.hpp"
#include "belay/sqlite/database_fixture.hpp"
#include "belay/testkit/power_loss_vfs.hpp"

namespace belay::sqlite {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

char const* const numbers =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT i FROM n";

/// A writer that a gate can hold, so that what is written meanwhile forms one group.
class GroupWritesTest : public DatabaseTest {
 protected:
  void open_client(Options options) {
    client = std::make_unique<Client>(open(std::move(options)));
    run(client->write("CREATE TABLE t(id INTEGER PRIMARY KEY, x UNIQUE)"));
  }
  GroupWritesTest() { open_client(Options(file())); }

  void hold_writer() {
    gate = std::make_shared<Gate>();
    held.emplace(start(client->write("INSERT INTO t(x) VALUES ('held') RETURNING x", gate)));
    gate->wait_until_entered();
    commits_before = client->stats().commits + 1;
    groups_before = client->stats().groups;
  }
  void release_writer() {
    gate->open();
    held->get();
    run(client->write("DELETE FROM t WHERE x = 'held'"));
  }
  Started<Summary> write(std::string const& sql) { return start(client->write(sql)); }
  Lines values() { return rows(*client, "SELECT x FROM t WHERE x <> 'held' ORDER BY x"); }

  std::unique_ptr<Client> client;
  std::shared_ptr<Gate> gate;
  std::optional<Started<Summary>> held;
  std::uint64_t commits_before = 0;
  std::uint64_t groups_before = 0;
};

TEST_F(GroupWritesTest, CommitsWhatWaitedTogetherAtOnce) {
  hold_writer();
  std::vector<Started<Summary>> calls;
  for (int i = 0; i < 10; ++i) calls.push_back(write("INSERT INTO t(x) VALUES (" + std::to_string(i) + ")"));
  gate->open();
  for (auto& call : calls) EXPECT_EQ(call.get().changes, 1);
  EXPECT_EQ(client->stats().commits, commits_before + 1);
  EXPECT_EQ(client->stats().groups, groups_before + 1);
  EXPECT_EQ(client->stats().largest_group, 10U);
  EXPECT_EQ(values().size(), 10U);
}

TEST_F(GroupWritesTest, KeepsAFailureToItself) {
  hold_writer();
  auto first = write("INSERT INTO t(x) VALUES ('a')");
  auto duplicate = write("INSERT INTO t(x) VALUES ('a')");
  auto half =
      start(client->write(std::vector<Statement>{"INSERT INTO t(x) VALUES ('h')", "INSERT INTO t(x) VALUES ('a')"}));
  auto broken = write("INSERT INTO nowhere VALUES (1)");
  auto last = write("INSERT INTO t(x) VALUES ('b')");
  gate->open();
  EXPECT_NO_THROW(first.get());
  EXPECT_EQ(duplicate.error().engine_code(), "SQLITE_CONSTRAINT_UNIQUE");
  EXPECT_EQ(half.error().engine_code(), "SQLITE_CONSTRAINT_UNIQUE");
  EXPECT_EQ(broken.error().engine_code(), "SQLITE_ERROR");
  EXPECT_NO_THROW(last.get());
  EXPECT_EQ(client->stats().commits, commits_before + 1);
  EXPECT_EQ(client->stats().replays, 0U);
  EXPECT_EQ(values(), (Lines{"a", "b"}));
}

TEST_F(GroupWritesTest, ReplaysTheNeighboursOfOneThatRollsBackEverything) {
  run(
      client->write("CREATE TRIGGER bomb BEFORE INSERT ON t WHEN NEW.x = 'bomb' "
                    "BEGIN SELECT RAISE(ROLLBACK, 'boom'); END"));
  hold_writer();
  auto const sink = std::make_shared<TextRows>();
  auto first = start(client->write("INSERT INTO t(x) VALUES ('a') RETURNING x", sink));
  auto bomb = write("INSERT INTO t(x) VALUES ('bomb')");
  auto last = write("INSERT INTO t(x) VALUES ('b')");
  gate->open();
  EXPECT_NO_THROW(first.get());
  auto const error = bomb.error();
  EXPECT_EQ(error.engine_code(), "SQLITE_CONSTRAINT_TRIGGER");
  EXPECT_NE(std::string(error.what()).find("boom"), std::string::npos);
  EXPECT_NO_THROW(last.get());
  EXPECT_EQ(values(), (Lines{"a", "b"}));
  EXPECT_EQ(sink->lines, Lines{"a"}) << "the rows of the lost run were forgotten";
  EXPECT_EQ(sink->restarts, 1);
  EXPECT_EQ(client->stats().replays, 2U) << "'a' once for its neighbour, the bomb once by itself";
}

TEST_F(GroupWritesTest, ChecksDeferredForeignKeysPerMember) {
  run(client->write("CREATE TABLE child(p REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)"));
  hold_writer();
  auto good = write("INSERT INTO t(id, x) VALUES (100, 'a')");
  auto orphan = write("INSERT INTO child VALUES (999)");
  auto family = start(client->write(
      std::vector<Statement>{"INSERT INTO child VALUES (200)", "INSERT INTO t(id, x) VALUES (200, 'b')"}));
  gate->open();
  EXPECT_NO_THROW(good.get());
  auto const error = orphan.error();
  EXPECT_EQ(error.engine_code(), "SQLITE_CONSTRAINT_FOREIGNKEY");
  EXPECT_EQ(error.error_class(), ErrorClass::request);
  EXPECT_EQ(error.detail("constraint"), "foreign key");
  EXPECT_NO_THROW(family.get()) << "the order inside a unit is free";
  EXPECT_EQ(rows(*client, "SELECT p FROM child"), Lines{"200"});
}

TEST_F(GroupWritesTest, LetsASlowMemberNotHoldUpItsNeighbours) {
  run(client->close());
  Options options(directory.file("slow.db"));
  options.slow_in_company = 5ms;
  open_client(options);
  run(client->write("CREATE TABLE big(x)"));
  hold_writer();
  auto first = write("INSERT INTO t(x) VALUES ('a')");
  auto slow = start(client->write(std::string("INSERT INTO big ") + numbers));
  auto last = write("INSERT INTO t(x) VALUES ('b')");
  gate->open();
  EXPECT_NO_THROW(last.get());
  EXPECT_FALSE(slow.done()) << "the neighbours are told first";
  EXPECT_NO_THROW(first.get());
  EXPECT_EQ(slow.get().changes, 1'000'000) << "alone it may take its time";
  EXPECT_EQ(client->stats().replays, 2U);
}

TEST_F(GroupWritesTest, DropsAMemberThatIsGivenUpAndKeepsItsNeighbours) {
  run(client->write("CREATE TABLE big(x)"));
  hold_writer();
  auto first = write("INSERT INTO t(x) VALUES ('a')");
  auto late = start(client->write(std::string("INSERT INTO big ") + numbers, Deadline::in(60ms)));
  auto last = write("INSERT INTO t(x) VALUES ('b')");
  gate->open();
  EXPECT_NO_THROW(first.get());
  auto const error = late.error();
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
  EXPECT_NE(error.send_state(), SendState::unknown);
  EXPECT_NO_THROW(last.get());
  EXPECT_EQ(values(), (Lines{"a", "b"}));
  EXPECT_EQ(rows(*client, "SELECT count(*) FROM big"), Lines{"0"});
}

TEST_F(GroupWritesTest, KeepsTheOrderOfOneCallersWrites) {
  hold_writer();
  auto set = write("INSERT INTO t(id, x) VALUES (50, 'first')");
  auto change = write("UPDATE t SET x = 'second' WHERE id = 50");
  gate->open();
  set.get();
  EXPECT_EQ(change.get().changes, 1);
  EXPECT_EQ(values(), Lines{"second"});
}

/// Many coroutines on several threads, each of which must read what it wrote, through handles of its own.
TEST_F(GroupWritesTest, LetsEachCallerReadItsOwnWritesOnEveryThread) {
  constexpr int threads = 3;
  constexpr int rounds = 60;
  run(client->write("CREATE TABLE own(caller INTEGER, n INTEGER)"));
  std::atomic<int> stale{0};
  auto caller = [&](Client handle, int id) -> boost::asio::awaitable<void> {
    for (int n = 1; n <= rounds; ++n) {
      co_await handle.write(Statement("INSERT INTO own VALUES (?1, ?2)", id, n));
      auto sink = std::make_shared<TextRows>();
      co_await handle.read(Statement("SELECT count(*) FROM own WHERE caller = ?1", id), sink);
      if (sink->lines != Lines{std::to_string(n)}) ++stale;
    }
  };
  std::vector<boost::asio::io_context> contexts(threads);
  std::vector<std::thread> runners;
  for (int thread = 0; thread < threads; ++thread) {
    runners.emplace_back([&, thread] {
      auto& own = contexts[static_cast<std::size_t>(thread)];
      for (int i = 0; i < 8; ++i) boost::asio::co_spawn(own, caller(*client, thread * 8 + i), boost::asio::detached);
      own.run();
    });
  }
  for (auto& runner : runners) runner.join();
  EXPECT_EQ(stale, 0);
  EXPECT_EQ(rows(*client, "SELECT count(*) FROM own"), Lines{std::to_string(threads * 8 * rounds)});
  run(client->close());
}

TEST(GroupCommitUnderLoad, NeedsFarFewerSyncsThanWrites) {
  constexpr int callers = 64;
  constexpr int writes_each = 50;
  TemporaryDirectory directory;
  testkit::PowerLossVfs vfs("counting-syncs");
  boost::asio::io_context context;
  Options options(directory.file("a.db"));
  options.vfs = vfs.name();
  {
    auto client = run_on(context, Client::open(options));
    run_on(context, client.write("CREATE TABLE t(x)"));
    // Quicker than any disk that keeps its promises; were syncs free, groups would be small and right to be.
    vfs.delay_syncs(100us);
    auto const before = vfs.syncs();
    auto caller = [&](int id) -> boost::asio::awaitable<void> {
      for (int i = 0; i < writes_each; ++i) {
        co_await client.write(Statement("INSERT INTO t VALUES (?1)", id * writes_each + i));
      }
    };
    for (int id = 0; id < callers; ++id) boost::asio::co_spawn(context, caller(id), boost::asio::detached);
    context.restart();
    context.run();
    auto const syncs = vfs.syncs() - before;
    auto const writes = static_cast<std::uint64_t>(callers) * static_cast<std::uint64_t>(writes_each);
    RecordProperty("syncs_per_1000_writes", static_cast<int>(syncs * 1000 / writes));
    EXPECT_LE(syncs * 8, writes) << syncs << " syncs for " << writes << " writes";
    EXPECT_GE(syncs, client.stats().commits - 1) << "each commit is flushed before it is acknowledged";
    auto const sink = std::make_shared<TextRows>();
    run_on(context, client.read("SELECT count(*) FROM t", sink));
    EXPECT_EQ(sink->lines, Lines{std::to_string(writes)});
    EXPECT_LE(client.stats().largest_group, options.group_max);
  }
}

}  // namespace
}  // namespace belay::sqlite
