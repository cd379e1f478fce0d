#include "apps/belay/commands.hpp"

#include <filesystem>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

#include "belay/core/error.hpp"
#include "belay/sqlite/client.hpp"

namespace belay::cli {

namespace {

using namespace std::chrono_literals;

boost::asio::awaitable<void> create(std::string path) {
  auto client = co_await sqlite::Client::open(sqlite::Options(std::move(path)));
  co_await client.write(sqlite::Statement("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, size REAL, raw BLOB)"));
  co_await client.write(sqlite::Statement("INSERT INTO t VALUES(1, 'é', 1.5, x'00ff'), (2, NULL, NULL, NULL)"));
  co_await client.close();
}

std::string failure_of(std::string const& url, std::string const& sql) {
  try {
    (void)query(url, sql, Output::table, 5s);
  } catch (Error const& error) {
    return error.what();
  }
  return "no failure";
}

}  // namespace

class CommandsTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("belay-cli-test-" + std::to_string(getpid()));
    std::filesystem::create_directory(folder_);
    url_ = "sqlite:" + (folder_ / "t.db").string();
    boost::asio::io_context context;
    auto created = boost::asio::co_spawn(context, create((folder_ / "t.db").string()), boost::asio::use_future);
    context.run();
    created.get();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::string url_;
};

TEST_F(CommandsTest, PingTellsWhoAnsweredAndHowFast) {
  auto const answer = ping(url_, 5s);
  EXPECT_NE(answer.find("answers: SQLite 3."), std::string::npos) << answer;
  EXPECT_NE(answer.find(" ms\n"), std::string::npos) << answer;
}

TEST_F(CommandsTest, QueryPrintsATable) {
  EXPECT_EQ(query(url_, "SELECT id, name, size FROM t ORDER BY id", Output::table, 5s),
            "id │ name │ size\n"
            "───┼──────┼─────\n"
            " 1 │ é    │  1.5\n"
            " 2 │ NULL │ NULL\n"
            "(2 rows)\n");
}

TEST_F(CommandsTest, QueryPrintsJson) {
  EXPECT_EQ(query(url_, "SELECT id, name, size FROM t ORDER BY id", Output::json, 5s),
            "[{\"id\":1,\"name\":\"é\",\"size\":1.5},{\"id\":2,\"name\":null,\"size\":null}]\n");
  EXPECT_EQ(query(url_, "SELECT id FROM t WHERE id = 3", Output::json, 5s), "[]\n");
}

TEST_F(CommandsTest, QueryWritesToo) {
  EXPECT_EQ(query(url_, "DELETE FROM t WHERE id = 2", Output::table, 5s), "ok\n");
  EXPECT_EQ(query(url_, "SELECT count(*) AS n FROM t", Output::json, 5s), "[{\"n\":1}]\n");
}

TEST_F(CommandsTest, CreatesNoFileThatIsMissing) {
  auto const missing = (folder_ / "missing.db").string();
  EXPECT_NE(failure_of("sqlite:" + missing, "SELECT 1").find("missing.db"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(missing));
}

TEST_F(CommandsTest, NamesWhatItCannotDo) {
  EXPECT_NE(failure_of("postgresql://u:hunter2@h/db", "SELECT 1").find("SQLite only"), std::string::npos);
  EXPECT_EQ(failure_of("postgresql://u:hunter2@h/db", "SELECT 1").find("hunter2"), std::string::npos);
  EXPECT_NE(failure_of(url_, "SELECT nonsense FROM t").find("nonsense"), std::string::npos);
}

}  // namespace belay::cli
