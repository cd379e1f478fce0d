#include "belay/sqlite/transaction.hpp"

#include <chrono>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belay/core/value.hpp"
#include "belay/sqlite/client.hpp"
#include "belay/sqlite/database_fixture.hpp"

namespace belay::sqlite {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;
using Lines = std::vector<std::string>;

char const* const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

class TransactionTest : public DatabaseTest {
 protected:
  TransactionTest() : client(open()) { run(client.write("CREATE TABLE t(id INTEGER PRIMARY KEY, x UNIQUE)")); }

  awaitable<void> pause(std::chrono::milliseconds duration) {
    boost::asio::steady_timer timer(context, duration);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
  Lines values() { return rows(client, "SELECT x FROM t ORDER BY x"); }

  Client client;
};

TEST_F(TransactionTest, CommitsWhenTheBodyReturnsAndGivesItsResult) {
  auto body = [](Transaction& tx) -> awaitable<std::string> {
    co_await tx.write("INSERT INTO t(x) VALUES ('a')");
    auto const result = co_await tx.query("SELECT x FROM t");
    co_return result.row(0)[0].as_string();
  };
  EXPECT_EQ(run(client.transaction(body, Deadline::in(10s))), "a");
  EXPECT_EQ(values(), Lines{"a"});
  EXPECT_EQ(client.stats().transactions, 1U);
}

TEST_F(TransactionTest, ReadsItsOwnUncommittedRowsWhileOthersDoNot) {
  auto const seen = std::make_shared<TextRows>();
  Lines outside;
  auto body = [&](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO t(x) VALUES ('a')");
    co_await tx.read("SELECT x FROM t", seen);
    auto sink = std::make_shared<TextRows>();
    co_await client.read("SELECT x FROM t", sink);
    outside = sink->lines;
  };
  run(client.transaction(body));
  EXPECT_EQ(seen->lines, Lines{"a"});
  EXPECT_TRUE(outside.empty());
}

TEST_F(TransactionTest, RollsBackWhenTheBodyThrows) {
  auto body = [](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO t(x) VALUES ('a')");
    throw std::runtime_error("changed my mind");
  };
  EXPECT_THROW(run(client.transaction(body)), std::runtime_error);
  EXPECT_TRUE(values().empty());
  run(client.write("INSERT INTO t(x) VALUES ('b')"));
  EXPECT_EQ(values(), Lines{"b"}) << "the writer is free again";
}

TEST_F(TransactionTest, LosesOnlyTheStatementThatFails) {
  auto body = [](Transaction& tx) -> awaitable<std::string> {
    co_await tx.write("INSERT INTO t(x) VALUES ('a')");
    std::string code;
    try {
      co_await tx.write("INSERT OR FAIL INTO t(x) VALUES ('b'), ('a')");
    } catch (Error const& failure) {
      code = failure.engine_code();
    }
    co_await tx.write("INSERT INTO t(x) VALUES ('c')");
    co_return code;
  };
  EXPECT_EQ(run(client.transaction(body)), "SQLITE_CONSTRAINT_UNIQUE");
  EXPECT_EQ(values(), (Lines{"a", "c"}));
}

TEST_F(TransactionTest, IsLostWhenSqliteRollsBackAll) {
  run(
      client.write("CREATE TRIGGER bomb BEFORE INSERT ON t WHEN NEW.x = 'bomb' "
                   "BEGIN SELECT RAISE(ROLLBACK, 'boom'); END"));
  std::vector<Error> later;
  auto body = [&](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO t(x) VALUES ('a')");
    for (std::string const& sql : Lines{"INSERT INTO t(x) VALUES ('bomb')", "INSERT INTO t(x) VALUES ('c')"}) {
      try {
        co_await tx.write(sql);
      } catch (Error const& failure) {
        later.push_back(failure);
      }
    }
  };
  auto const commit = failure(client.transaction(body));
  ASSERT_EQ(later.size(), 2U);
  EXPECT_EQ(later[1].send_state(), SendState::refused);
  EXPECT_NE(std::string(later[1].what()).find("the transaction was lost"), std::string::npos);
  EXPECT_EQ(commit.send_state(), SendState::refused);
  EXPECT_TRUE(values().empty());
}

TEST_F(TransactionTest, FailsAtCommitOnAViolatedDeferredForeignKey) {
  run(client.write("CREATE TABLE child(p REFERENCES t(id) DEFERRABLE INITIALLY DEFERRED)"));
  auto body = [](Transaction& tx) -> awaitable<void> { co_await tx.write("INSERT INTO child VALUES (9)"); };
  auto const error = failure(client.transaction(body));
  EXPECT_EQ(error.engine_code(), "SQLITE_CONSTRAINT_FOREIGNKEY");
  EXPECT_EQ(rows(client, "SELECT count(*) FROM child"), Lines{"0"});
  auto repaired = [](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO child VALUES (9)");
    co_await tx.write("INSERT INTO t(id) VALUES (9)");
  };
  EXPECT_NO_THROW(run(client.transaction(repaired)));
}

TEST_F(TransactionTest, RefusesToWriteThroughRead) {
  auto body = [](Transaction& tx) -> awaitable<void> { co_await tx.read("DELETE FROM t", nullptr); };
  EXPECT_EQ(failure(client.transaction(body)).error_class(), ErrorClass::request);
}

TEST_F(TransactionTest, GivesTheWriterBackAtItsDeadlineAlsoBetweenStatements) {
  std::optional<Error> next;
  auto body = [&](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO t(x) VALUES ('a')");
    co_await pause(150ms);
    try {
      co_await tx.write("INSERT INTO t(x) VALUES ('b')");
    } catch (Error const& failure) {
      next = failure;
      throw;
    }
  };
  auto held = start(client.transaction(body, Deadline::in(40ms)));
  auto const waited = Deadline::clock::now();
  run(client.write("INSERT INTO t(x) VALUES ('other')", Deadline::in(5s)));
  EXPECT_LT(Deadline::clock::now() - waited, 140ms) << "the writer waited for the body instead";
  auto const error = held.error();
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
  EXPECT_NE(error.send_state(), SendState::unknown);
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(values(), Lines{"other"});
}

TEST_F(TransactionTest, InterruptsAStatementAtTheTransactionsDeadline) {
  auto body = [](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO t(x) VALUES ('a')");
    co_await tx.read(endless, nullptr, Deadline::never());
  };
  auto const error = failure(client.transaction(body, Deadline::in(40ms)));
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(error.send_state(), SendState::refused);
  EXPECT_TRUE(values().empty());
}

TEST_F(TransactionTest, RollsBackWhenItIsCancelledInAStatement) {
  bool inside = false;
  auto body = [&](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO t(x) VALUES ('a')");
    inside = true;
    co_await tx.write(std::string("INSERT INTO t(x) ") + endless);
  };
  auto call = start(client.transaction(body));
  while (!inside) {
    context.restart();
    context.run_one();
  }
  call.cancel();
  EXPECT_EQ(call.error().error_class(), ErrorClass::cancelled);
  EXPECT_TRUE(values().empty());
}

TEST_F(TransactionTest, RollsBackWhenItIsCancelledBetweenStatements) {
  bool inside = false;
  auto body = [&](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO t(x) VALUES ('a')");
    inside = true;
    co_await pause(10s);
  };
  auto call = start(client.transaction(body));
  while (!inside) {
    context.restart();
    context.run_one();
  }
  context.restart();
  context.poll();
  call.cancel();
  EXPECT_THROW(call.get(), std::exception);
  EXPECT_TRUE(values().empty());
  EXPECT_EQ(run(client.write("INSERT INTO t(x) VALUES ('b')")).changes, 1);
}

TEST_F(TransactionTest, WaitsItsTurnAmongWritesAndTransactions) {
  Lines order;
  auto const gate = std::make_shared<Gate>();
  auto held = start(client.write("INSERT INTO t(x) VALUES ('held') RETURNING x", gate));
  gate->wait_until_entered();
  auto lease = [&](char const* name) {
    return [&order, name](Transaction& tx) -> awaitable<void> {
      auto const count = co_await tx.query("SELECT count(*) FROM t");
      order.push_back(std::string(name) + std::to_string(count.row(0)[0].as_int64()));
      co_await tx.write(Statement("INSERT INTO t(x) VALUES (?1)", name));
    };
  };
  auto first_body = lease("first");
  auto second_body = lease("second");
  auto before = start(client.write("INSERT INTO t(x) VALUES ('before')"));
  auto first = start(client.transaction(first_body));
  auto between = start(client.write("INSERT INTO t(x) VALUES ('between')"));
  auto second = start(client.transaction(second_body));
  auto after = start(client.write("INSERT INTO t(x) VALUES ('after')"));
  gate->open();
  after.get();
  second.get();
  EXPECT_EQ(order, (Lines{"first2", "second4"})) << "nothing overtakes what waits for the writer";
  EXPECT_EQ(values().size(), 6U);
}

TEST_F(TransactionTest, IsNotBegunWhenCancelledWhileItWaits) {
  auto const gate = std::make_shared<Gate>();
  auto held = start(client.write("INSERT INTO t(x) VALUES ('held') RETURNING x", gate));
  gate->wait_until_entered();
  bool ran = false;
  auto body = [&](Transaction&) -> awaitable<void> {
    ran = true;
    co_return;
  };
  auto call = start(client.transaction(body));
  call.cancel();
  auto const error = call.error();
  EXPECT_EQ(error.error_class(), ErrorClass::cancelled);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
  gate->open();
  held.get();
  EXPECT_FALSE(ran);
  EXPECT_EQ(run(client.write("INSERT INTO t(x) VALUES ('b')")).changes, 1);
}

TEST_F(TransactionTest, AcceptsANamedBodyThatOwnsAndATemporaryThatRefers) {
  std::string const value = "by reference";
  auto body = [text = std::string("owned")](Transaction& tx) -> awaitable<void> {
    co_await tx.write(Statement("INSERT INTO t(x) VALUES (?1)", text));
  };
  auto both = [&]() -> awaitable<void> {
    co_await client.transaction(body);
    co_await client.transaction([&](Transaction& tx) -> awaitable<void> {
      co_await tx.write(Statement("INSERT INTO t(x) VALUES (?1)", value));
    });
  };
  run(both());
  EXPECT_EQ(values(), (Lines{"by reference", "owned"}));
}

}  // namespace
}  // namespace belay::sqlite
