#include "belay/sqlite/client.hpp"

#include <filesystem>
#include <fstream>
#include <thread>

#include <sqlite3.h>
#include <sys/stat.h>

#include "belay/core/value.hpp"
#include "belay/sqlite/database_fixture.hpp"

namespace belay::sqlite {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using Lines = std::vector<std::string>;

class ClientTest : public DatabaseTest {
 protected:
  Client open_with_table() {
    auto client = open();
    run(client.write("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE, n INT CHECK (n >= 0))"));
    return client;
  }
};

TEST_F(ClientTest, ReadsWhatItWrote) {
  auto client = open_with_table();
  auto const summary = run(client.write(Statement("INSERT INTO t(name) VALUES (?1), (?2)", "a", "b")));
  EXPECT_EQ(summary.changes, 2);
  EXPECT_EQ(summary.last_insert_rowid, 2);
  EXPECT_EQ(rows(client, "SELECT id, name FROM t ORDER BY id"), (Lines{"1|a", "2|b"}));
}

TEST_F(ClientTest, SummarisesOnlyWhatTheStatementDid) {
  auto client = open_with_table();
  run(client.write("INSERT INTO t(name) VALUES ('a')"));
  auto const ddl = run(client.write("CREATE TABLE u(x)"));
  EXPECT_EQ(ddl.changes, 0);
  EXPECT_EQ(ddl.last_insert_rowid, 0);
  auto const update = run(client.write("UPDATE t SET n = 1"));
  EXPECT_EQ(update.changes, 1);
  EXPECT_EQ(update.last_insert_rowid, 0);
  auto const nothing = run(client.write("DELETE FROM t WHERE id = 99"));
  EXPECT_EQ(nothing.changes, 0);
}

TEST_F(ClientTest, BindsAndReadsEveryStorageClass) {
  auto client = open();
  run(client.write("CREATE TABLE v(a, b, c, d, e, f)"));
  Bytes const blob{std::byte{0}, std::byte{255}};
  run(client.write(Statement("INSERT INTO v VALUES (?1, ?2, ?3, ?4, ?5, ?6)", nullptr, std::int64_t{-5}, 1.5, "x\0y"s,
                             blob, Bytes())));
  auto const result = run(client.query("SELECT a, b, c AS real, d, e, f FROM v"));
  ASSERT_EQ(result.size(), 1U);
  EXPECT_EQ(result.columns()[2], "real");
  auto const row = result.row(0);
  EXPECT_TRUE(row[0].is_null());
  EXPECT_EQ(row[1], Value(std::int64_t{-5}));
  EXPECT_EQ(row[2], Value(1.5));
  EXPECT_EQ(row[3], Value("x\0y"s));
  EXPECT_EQ(row[4], Value(blob));
  EXPECT_EQ(row[5], Value(Bytes())) << "an empty blob is not NULL";
}

TEST_F(ClientTest, TellsHowManyParametersAreWanted) {
  auto client = open_with_table();
  auto const error = failure(client.write(Statement("INSERT INTO t(name, n) VALUES (?1, ?2)", "hunter2")));
  EXPECT_EQ(error.error_class(), ErrorClass::request);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
  EXPECT_NE(std::string(error.what()).find("wants 2 parameters, 1 were given"), std::string::npos) << error.what();
  EXPECT_EQ(std::string(error.what()).find("hunter2"), std::string::npos) << "a value in a message";
  EXPECT_EQ(failure(client.read(Statement("SELECT 1", 1), nullptr)).error_class(), ErrorClass::request);
}

TEST_F(ClientTest, RefusesTextsThatAreNotOneStatement) {
  auto client = open_with_table();
  auto const sentence = [&](std::string const& sql) {
    auto const error = failure(client.write(sql));
    EXPECT_EQ(error.error_class(), ErrorClass::request) << sql;
    return std::string(error.what());
  };
  EXPECT_NE(sentence("").find("empty"), std::string::npos);
  EXPECT_NE(sentence(" ; -- nothing").find("empty"), std::string::npos);
  EXPECT_NE(sentence("INSERT INTO t(name) VALUES ('a'); DELETE FROM t").find("more than one"), std::string::npos);
  EXPECT_NE(sentence("INSERT INTO t(name) VALUES ('a')\0; DELETE FROM t"s).find("NUL byte"), std::string::npos);
  EXPECT_NE(sentence("SELEC 1").find("syntax error"), std::string::npos);
  EXPECT_NO_THROW(run(client.write("INSERT INTO t(name) VALUES ('a'); -- the end")));
}

TEST_F(ClientTest, RefusesWhatWouldBreakItsTransactions) {
  auto client = open_with_table();
  Lines const statements{"BEGIN",
                         "COMMIT",
                         "ROLLBACK",
                         "SAVEPOINT x",
                         "RELEASE x",
                         "ROLLBACK TO x",
                         "ATTACH 'x.db' AS x",
                         "DETACH x",
                         "SELECT load_extension('x')",
                         "PRAGMA journal_mode=DELETE",
                         "PRAGMA user_version=3",
                         "PRAGMA wal_checkpoint",
                         "PRAGMA query_only=OFF",
                         "PRAGMA writable_schema=ON",
                         "VACUUM INTO '" + directory.file("copy.db") + "'"};
  for (auto const& sql : statements) {
    for (bool const reading : {false, true}) {
      if (reading && sql.starts_with("VACUUM")) continue;
      auto const error = reading ? failure(client.read(sql, nullptr)) : failure(client.write(sql));
      EXPECT_EQ(error.error_class(), ErrorClass::request) << sql;
      EXPECT_TRUE(std::string(error.what()).find("not available") != std::string::npos ||
                  std::string(error.what()).find("not set") != std::string::npos)
          << sql << ": " << error.what();
    }
  }
  EXPECT_NE(std::string(failure(client.write("BEGIN")).what()).find("use Client::transaction"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(directory.file("copy.db")));
}

TEST_F(ClientTest, AnswersReadOnlyPragmas) {
  auto client = open_with_table();
  EXPECT_EQ(rows(client, "PRAGMA foreign_keys"), Lines{"1"});
  EXPECT_EQ(run(client.query("PRAGMA journal_mode")).row(0)[0], Value("wal"));
  EXPECT_EQ(rows(client, "PRAGMA synchronous"), Lines{"2"});
  EXPECT_EQ(rows(client, "PRAGMA table_info(t)").size(), 3U);
  EXPECT_EQ(rows(client, "SELECT count(*) FROM pragma_table_info('t')"), Lines{"3"});
  EXPECT_EQ(rows(client, "PRAGMA integrity_check"), Lines{"ok"});
}

TEST_F(ClientTest, RunsVacuumAlone) {
  auto client = open_with_table();
  for (int i = 0; i < 50; ++i)
    run(client.write(Statement("INSERT INTO t(name) VALUES (?1)", std::string(4000, 'x') + std::to_string(i))));
  run(client.write("DELETE FROM t"));
  auto const pages = rows(client, "PRAGMA page_count");
  run(client.write(" /* tidy */ vacuum"));
  EXPECT_LT(std::stoi(rows(client, "PRAGMA page_count")[0]), std::stoi(pages[0]));
  EXPECT_NO_THROW(run(client.query("VACUUM")));
}

TEST_F(ClientTest, SupportsFullTextTables) {
  auto client = open();
  run(client.write("CREATE VIRTUAL TABLE f USING fts5(body)"));
  run(client.write(Statement("INSERT INTO f VALUES (?1)", "the quick fox")));
  EXPECT_EQ(rows(client, Statement("SELECT body FROM f WHERE f MATCH ?1", "quick")), Lines{"the quick fox"});
}

TEST_F(ClientTest, ReportsConstraintsWithTheirColumns) {
  auto client = open_with_table();
  run(client.write(Statement("INSERT INTO t(name) VALUES (?1)", "secret name")));
  auto const unique = failure(client.write(Statement("INSERT INTO t(name) VALUES (?1)", "secret name")));
  EXPECT_EQ(unique.error_class(), ErrorClass::request);
  EXPECT_EQ(unique.send_state(), SendState::executed);
  EXPECT_EQ(unique.engine_code(), "SQLITE_CONSTRAINT_UNIQUE");
  EXPECT_EQ(unique.detail("constraint"), "unique");
  EXPECT_EQ(unique.detail("column"), "t.name");
  EXPECT_EQ(std::string(unique.what()).find("secret"), std::string::npos);
  auto const check = failure(client.write("INSERT INTO t(n) VALUES (-1)"));
  EXPECT_EQ(check.engine_code(), "SQLITE_CONSTRAINT_CHECK");
  EXPECT_EQ(check.detail("name"), "n >= 0");
}

TEST_F(ClientTest, RefusesAWriteThroughRead) {
  auto client = open_with_table();
  auto const error = failure(client.read("INSERT INTO t(name) VALUES ('a')", nullptr));
  EXPECT_EQ(error.error_class(), ErrorClass::request);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
  EXPECT_TRUE(rows(client, "SELECT * FROM t").empty());
}

TEST_F(ClientTest, QueriesAnythingAndGivesColumnsWithoutRows) {
  auto client = open_with_table();
  auto const none = run(client.query("SELECT id, name FROM t"));
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(none.columns().size(), 2U);
  auto const inserted = run(client.query("INSERT INTO t(name) VALUES ('a'), ('b') RETURNING id, name"));
  ASSERT_EQ(inserted.size(), 2U);
  EXPECT_EQ(inserted.row(1)[1], Value("b"));
  EXPECT_TRUE(run(client.query("CREATE TABLE u(x)")).columns().empty());
  EXPECT_EQ(ResultSet().columns().size(), 0U);
}

TEST_F(ClientTest, BoundsTheAnswerOfAQuery) {
  Options options(file());
  options.result_rows_max = 3;
  options.result_bytes_max = 4000;
  auto client = open(options);
  run(client.write("CREATE TABLE t(x)"));
  std::string const three = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3) SELECT i FROM n";
  EXPECT_EQ(run(client.query(three)).size(), 3U);
  auto const rows_error =
      failure(client.query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"));
  EXPECT_EQ(rows_error.error_class(), ErrorClass::capacity);
  EXPECT_NE(std::string(rows_error.what()).find("more than 3 rows"), std::string::npos);
  EXPECT_EQ(failure(client.query("SELECT zeroblob(4000)")).error_class(), ErrorClass::capacity);
  EXPECT_EQ(failure(client.query("INSERT INTO t VALUES (1), (2), (3), (4) RETURNING x")).error_class(),
            ErrorClass::capacity);
  EXPECT_EQ(rows(client, "SELECT count(*) FROM t"), Lines{"0"}) << "a write beyond the bound is rolled back";
}

TEST_F(ClientTest, WritesSeveralStatementsAllOrNone) {
  auto client = open_with_table();
  std::vector<Statement> unit;
  unit.emplace_back("INSERT INTO t(name) VALUES ('a')");
  unit.emplace_back("INSERT INTO t(name) VALUES ('b')");
  EXPECT_EQ(run(client.write(unit)).changes, 2);
  unit[0] = Statement("INSERT INTO t(name) VALUES ('c')");
  EXPECT_EQ(failure(client.write(unit)).engine_code(), "SQLITE_CONSTRAINT_UNIQUE");
  EXPECT_EQ(rows(client, "SELECT name FROM t ORDER BY name"), (Lines{"a", "b"}));
  EXPECT_EQ(failure(client.write(std::vector<Statement>())).error_class(), ErrorClass::request);
}

TEST_F(ClientTest, HandsTheSinksExceptionToTheCallerAndRollsBack) {
  struct Thrower final : RowSink {
    void row(Row const& row) override {
      if (row.integer(0) == 2) throw std::runtime_error("enough");
    }
    void restart() override {}
  };
  auto client = open_with_table();
  auto const sink = std::make_shared<Thrower>();
  EXPECT_THROW(run(client.write("INSERT INTO t(id) VALUES (1), (2), (3) RETURNING id", sink)), std::runtime_error);
  EXPECT_TRUE(rows(client, "SELECT * FROM t").empty());
  EXPECT_THROW(run(client.read("SELECT 2", sink)), std::runtime_error);
  EXPECT_EQ(rows(client, "SELECT 1"), Lines{"1"}) << "the reader goes on";
}

TEST_F(ClientTest, RefusesToConvertCells) {
  struct Wrong final : RowSink {
    void row(Row const& row) override { static_cast<void>(row.integer(1)); }
    void restart() override {}
  };
  struct Beyond final : RowSink {
    void row(Row const& row) override { static_cast<void>(row.type(2)); }
    void restart() override {}
  };
  struct Widened final : RowSink {
    void row(Row const& row) override { value = row.real(0); }
    void restart() override {}
    double value = 0;
  };
  auto client = open();
  auto const error = failure(client.read("SELECT 1, 'abc' AS word", std::make_shared<Wrong>()));
  EXPECT_STREQ(error.what(), "column 1 (word) is text, not integer");
  EXPECT_EQ(error.send_state(), SendState::executed);
  EXPECT_NE(std::string(failure(client.read("SELECT 1, 2", std::make_shared<Beyond>())).what()).find("column 2"),
            std::string::npos);
  auto const widened = std::make_shared<Widened>();
  run(client.read("SELECT 7", widened));
  EXPECT_EQ(widened->value, 7.0);
}

TEST_F(ClientTest, SeesASchemaThatAnotherProcessChanged) {
  auto client = open_with_table();
  run(client.write("INSERT INTO t(name) VALUES ('a')"));
  EXPECT_EQ(run(client.query("SELECT * FROM t")).columns().size(), 3U);
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "ALTER TABLE t ADD COLUMN extra DEFAULT 5", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(other);
  auto const result = run(client.query("SELECT * FROM t"));
  ASSERT_EQ(result.columns().size(), 4U);
  EXPECT_EQ(result.columns()[3], "extra");
  EXPECT_EQ(result.row(0)[3], Value(5));
}

TEST_F(ClientTest, KeepsMoreStatementsThanItsCacheHolds) {
  Options options(file());
  options.statement_cache = 2;
  auto client = open(options);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(rows(client, "SELECT " + std::to_string(i)), Lines{std::to_string(i)});
    }
  }
}

TEST_F(ClientTest, CreatesTheFileForItsOwnerOnly) {
  auto client = open_with_table();
  for (std::string const suffix : {"", "-wal", "-shm"}) {
    struct stat status {};
    ASSERT_EQ(stat((file() + suffix).c_str(), &status), 0) << suffix;
    EXPECT_EQ(status.st_mode & 0777, 0600U) << suffix;
  }
}

TEST_F(ClientTest, SaysWhyItCannotOpen) {
  auto const missing = failure(Client::open(Options(directory.file("no/such/app.db"))));
  EXPECT_EQ(missing.error_class(), ErrorClass::transport);
  EXPECT_EQ(missing.send_state(), SendState::never_sent);
  EXPECT_EQ(missing.engine_code(), "SQLITE_CANTOPEN");
  EXPECT_NE(std::string(missing.what()).find("the directory " + directory.file("no/such") + " does not exist"),
            std::string::npos)
      << missing.what();
  auto const is_directory = failure(Client::open(Options(directory.path().string())));
  EXPECT_NE(std::string(is_directory.what()).find("it is a directory"), std::string::npos);
  EXPECT_EQ(failure(Client::open(Options(":memory:"))).error_class(), ErrorClass::request);
  EXPECT_EQ(failure(Client::open(Options(""))).error_class(), ErrorClass::request);
  Options unknown_vfs(file());
  unknown_vfs.vfs = "no-such-vfs";
  EXPECT_NE(std::string(failure(Client::open(unknown_vfs)).what()).find("no-such-vfs"), std::string::npos);
  Options bad(file());
  bad.group_max = 0;
  EXPECT_NE(std::string(failure(Client::open(bad)).what()).find("group_max"), std::string::npos);
}

TEST_F(ClientTest, RefusesAFileThatIsNoDatabase) {
  std::ofstream(file()) << std::string(5000, 'x');
  auto const error = failure(Client::open(Options(file())));
  EXPECT_EQ(error.error_class(), ErrorClass::internal);
  EXPECT_EQ(error.engine_code(), "SQLITE_NOTADB");
  EXPECT_NE(std::string(error.what()).find(file()), std::string::npos) << "the message names the file";
}

TEST_F(ClientTest, ReportsACorruptFile) {
  {
    auto client = open_with_table();
    for (int i = 0; i < 200; ++i)
      run(client.write(Statement("INSERT INTO t(name) VALUES (?1)", std::string(300, 'a') + std::to_string(i))));
    run(client.close());
  }
  {
    std::fstream damaged(file(), std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(4096);
    std::string const noise(12 * 4096, '\x5A');
    damaged.write(noise.data(), static_cast<std::streamsize>(noise.size()));
  }
  auto client = open();
  auto const error = failure(client.read("SELECT sum(length(name)) FROM t", nullptr));
  EXPECT_EQ(error.error_class(), ErrorClass::internal);
  EXPECT_TRUE(error.engine_code().starts_with("SQLITE_CORRUPT")) << error.engine_code();
}

TEST_F(ClientTest, SharesTheFileWithASecondClient) {
  auto first = open_with_table();
  auto second = open();
  run(first.write("INSERT INTO t(name) VALUES ('a')"));
  EXPECT_EQ(rows(second, "SELECT name FROM t"), Lines{"a"});
  run(second.write("INSERT INTO t(name) VALUES ('b')"));
  EXPECT_EQ(rows(first, "SELECT count(*) FROM t"), Lines{"2"});
}

TEST_F(ClientTest, WaitsForAnotherProcesssLockOnlySoLong) {
  Options options(file());
  options.busy_timeout = 30ms;
  auto client = open(options);
  run(client.write("CREATE TABLE t(x)"));
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  auto const busy = failure(client.write("INSERT INTO t VALUES (1)"));
  EXPECT_EQ(busy.error_class(), ErrorClass::overload);
  EXPECT_EQ(busy.send_state(), SendState::refused);
  EXPECT_EQ(busy.engine_code(), "SQLITE_BUSY");
  EXPECT_EQ(rows(client, "SELECT count(*) FROM t"), Lines{"0"}) << "readers are not held up";
  ASSERT_EQ(sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_NO_THROW(run(client.write("INSERT INTO t VALUES (1)")));
  sqlite3_close(other);
}

TEST_F(ClientTest, ResumesEachCallerOnItsOwnExecutor) {
  boost::asio::io_context other;
  auto client = open_with_table();
  auto const here = std::this_thread::get_id();
  std::thread::id resumed;
  auto body = [&]() -> boost::asio::awaitable<void> {
    co_await client.write("INSERT INTO t(name) VALUES ('a')");
    resumed = std::this_thread::get_id();
  };
  run_on(other, body());
  EXPECT_EQ(resumed, here);
}

TEST_F(ClientTest, CountsItsThreads) {
  Options options(file());
  options.readers = 3;
  auto client = open(options);
  EXPECT_EQ(rows(client, "SELECT 1").size(), 1U);
  EXPECT_EQ(client.stats().readers, 3U);
  EXPECT_EQ(client.stats().threads, 7U) << "three readers, the writer, a watch over each side, and the pools' own";
  run(client.close());
}

}  // namespace
}  // namespace belay::sqlite
