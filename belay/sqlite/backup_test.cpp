#include "belay/sqlite/backup.hpp"

#include <filesystem>
#include <fstream>

#include <boost/asio/detached.hpp>
#include <sys/stat.h>

#include "belay/sqlite/client.hpp"
#include "belay/sqlite/database_fixture.hpp"

namespace belay::sqlite {
namespace {

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

class BackupTest : public DatabaseTest {
 protected:
  BackupTest() : client(open()) { run(client.write("CREATE TABLE account(id INTEGER PRIMARY KEY, balance INT, pad)")); }

  Lines ask_copy(std::string const& sql) {
    auto copy = open(Options(copy_file()));
    return rows(copy, sql);
  }
  std::string copy_file() const { return directory.file("copy.db"); }

  Client client;
};

/// Transfers keep the sum; a copy that mixes two instants would not.
TEST_F(BackupTest, IsOneInstantsPictureWhileWritesGoOn) {
  constexpr int accounts = 400;
  std::vector<Statement> fill;
  for (int i = 0; i < accounts; ++i) {
    fill.emplace_back("INSERT INTO account VALUES (?1, 100, ?2)", i, std::string(3000, 'x'));
  }
  run(client.write(fill));
  bool stop = false;
  int transfers = 0;
  auto writer = [&](int from) -> boost::asio::awaitable<void> {
    while (!stop) {
      std::vector<Statement> transfer;
      transfer.emplace_back("UPDATE account SET balance = balance - 1, pad = pad || 'y' WHERE id = ?1", from);
      transfer.emplace_back("UPDATE account SET balance = balance + 1 WHERE id = ?1", accounts - 1 - from);
      co_await client.write(std::move(transfer));
      ++transfers;
    }
  };
  for (int i = 0; i < 4; ++i) boost::asio::co_spawn(context, writer(i * 50), boost::asio::detached);
  auto body = [&]() -> boost::asio::awaitable<void> {
    for (int i = 0; i < 3; ++i) co_await client.backup(copy_file());
    stop = true;
  };
  run(body());
  context.restart();
  context.run();
  EXPECT_GT(transfers, 0);
  EXPECT_EQ(ask_copy("PRAGMA integrity_check"), Lines{"ok"});
  EXPECT_EQ(ask_copy("SELECT count(*), sum(balance) FROM account"), Lines{"400|40000"});
}

TEST_F(BackupTest, ReplacesTheFileInOneStepAndIsReadableByItself) {
  run(client.write("INSERT INTO account VALUES (1, 7, NULL)"));
  std::ofstream(copy_file()) << "what was there before";
  run(client.backup(copy_file()));
  EXPECT_FALSE(std::filesystem::exists(copy_file() + ".partial"));
  EXPECT_FALSE(std::filesystem::exists(copy_file() + "-wal"));
  struct stat status {};
  ASSERT_EQ(stat(copy_file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  std::ifstream copy(copy_file(), std::ios::binary);
  std::string const header(std::istreambuf_iterator<char>(copy), {});
  EXPECT_EQ(header.at(18), 1) << "no write-ahead log needed to read it";
  EXPECT_EQ(ask_copy("SELECT balance FROM account"), Lines{"7"});
}

TEST_F(BackupTest, IsRefusedWhereItCannotBeWritten) {
  auto const error = failure(client.backup(directory.file("no/such/copy.db")));
  EXPECT_EQ(error.error_class(), ErrorClass::transport);
  EXPECT_NE(std::string(error.what()).find("no/such/copy.db"), std::string::npos);
  EXPECT_EQ(rows(client, "SELECT 1"), Lines{"1"});
}

TEST_F(BackupTest, StopsWhenCancelledOrLateAndLeavesNothing) {
  std::vector<Statement> fill;
  for (int i = 0; i < 2000; ++i) {
    fill.emplace_back("INSERT INTO account VALUES (?1, 1, ?2)", i, std::string(20'000, 'x'));
  }
  run(client.write(fill));
  auto const late = failure(client.backup(copy_file(), Deadline::in(1ms)));
  EXPECT_EQ(late.error_class(), ErrorClass::timeout_local);
  auto call = start(client.backup(copy_file()));
  auto const second = failure(client.backup(copy_file()));
  EXPECT_EQ(second.error_class(), ErrorClass::capacity);
  EXPECT_EQ(second.send_state(), SendState::never_sent);
  call.cancel();
  EXPECT_EQ(call.error().error_class(), ErrorClass::cancelled);
  run(client.close());
  EXPECT_FALSE(std::filesystem::exists(copy_file()));
  EXPECT_FALSE(std::filesystem::exists(copy_file() + ".partial"));
}

}  // namespace
}  // namespace belay::sqlite
