#include "belay/testkit/power_loss_vfs.hpp"

#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

namespace belay::testkit {
namespace {

namespace fs = std::filesystem;
using Loss = PowerLossVfs::Loss;
using Fault = PowerLossVfs::Fault;

/// A directory with an "app" folder to work in and an "after" folder to restore to.
struct PowerLossVfsTest : testing::Test {
  PowerLossVfsTest() {
    std::string name = (fs::temp_directory_path() / "belay-power-XXXXXX").string();
    root = mkdtemp(name.data());
    fs::create_directory(root / "app");
    fs::create_directory(root / "after");
    vfs.emplace("power-loss-test");
  }
  ~PowerLossVfsTest() override {
    sqlite3_close(database);
    fs::remove_all(root);
  }

  void open(char const* synchronous) {
    ASSERT_EQ(sqlite3_open_v2((root / "app" / "t.db").c_str(), &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                              vfs->name().c_str()),
              SQLITE_OK);
    sqlite3_extended_result_codes(database, 1);
    ASSERT_EQ(execute("PRAGMA journal_mode=WAL"), SQLITE_OK);
    ASSERT_EQ(execute(std::string("PRAGMA synchronous=") + synchronous), SQLITE_OK);
  }
  int execute(std::string const& sql) { return sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr); }

  /// After the cut: reboots, and counts the rows of t; -1 when there is no such table.
  int rows_after_reboot() {
    vfs->restore((root / "after").string());
    sqlite3* restored = nullptr;
    EXPECT_EQ(sqlite3_open((root / "after" / "t.db").c_str(), &restored), SQLITE_OK);
    int rows = -1;
    auto const take = [](void* out, int, char** cells, char**) {
      *static_cast<int*>(out) = std::stoi(cells[0]);
      return 0;
    };
    sqlite3_exec(restored, "SELECT count(*) FROM t", take, &rows, nullptr);
    std::string integrity;
    sqlite3_exec(
        restored, "PRAGMA integrity_check",
        [](void* out, int, char** cells, char**) {
          *static_cast<std::string*>(out) = cells[0];
          return 0;
        },
        &integrity, nullptr);
    EXPECT_EQ(integrity, "ok");
    sqlite3_close(restored);
    return rows;
  }

  fs::path root;
  std::optional<PowerLossVfs> vfs;
  sqlite3* database = nullptr;
  Random random{7};
};

TEST_F(PowerLossVfsTest, KeepsWhatWasSynced) {
  open("FULL");
  ASSERT_EQ(execute("CREATE TABLE t(x); INSERT INTO t VALUES(1); INSERT INTO t VALUES(2)"), SQLITE_OK);
  EXPECT_GT(vfs->syncs(), 0U);
  vfs->cut_power(Loss::drop_all, random);
  EXPECT_EQ(rows_after_reboot(), 2);
}

TEST_F(PowerLossVfsTest, LosesWhatWasNotSynced) {
  open("OFF");
  ASSERT_EQ(execute("CREATE TABLE t(x); INSERT INTO t VALUES(1)"), SQLITE_OK);
  ASSERT_EQ(execute("PRAGMA synchronous=FULL; INSERT INTO t VALUES(2)"), SQLITE_OK);
  ASSERT_EQ(execute("PRAGMA synchronous=OFF; INSERT INTO t VALUES(3)"), SQLITE_OK);
  vfs->cut_power(Loss::drop_all, random);
  EXPECT_EQ(rows_after_reboot(), 2);
}

TEST_F(PowerLossVfsTest, KeepsARandomSubsetOfUnsyncedWritesAndIsReplayable) {
  int lost_in_part = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    auto const work = root / ("run" + std::to_string(seed));
    fs::create_directory(work);
    std::string images[2];
    for (auto& image : images) {
      PowerLossVfs shim("power-loss-subset");
      sqlite3* writer = nullptr;
      fs::remove_all(work);
      fs::create_directory(work);
      ASSERT_EQ(sqlite3_open_v2((work / "t.db").c_str(), &writer, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                shim.name().c_str()),
                SQLITE_OK);
      sqlite3_exec(writer, "PRAGMA journal_mode=MEMORY; CREATE TABLE t(x)", nullptr, nullptr, nullptr);
      sqlite3_exec(writer, "PRAGMA synchronous=OFF; INSERT INTO t VALUES(zeroblob(20000))", nullptr, nullptr, nullptr);
      Random coins(seed);
      shim.cut_power(Loss::keep_random_subset, coins);
      shim.restore((root / "after").string());
      std::ifstream file(root / "after" / "t.db", std::ios::binary);
      image.assign(std::istreambuf_iterator<char>(file), {});
      sqlite3_close(writer);
    }
    EXPECT_EQ(images[0], images[1]) << "seed " << seed;
    lost_in_part += images[0].size() > 8192 && images[0].size() < 20000 ? 1 : 0;
  }
  EXPECT_GT(lost_in_part, 0) << "no run kept some of the writes and lost others";
}

TEST_F(PowerLossVfsTest, FailsEveryAccessAfterTheCut) {
  open("FULL");
  ASSERT_EQ(execute("CREATE TABLE t(x)"), SQLITE_OK);
  vfs->cut_power(Loss::drop_all, random);
  EXPECT_EQ(execute("INSERT INTO t VALUES(1)") & 0xFF, SQLITE_IOERR);
  sqlite3* second = nullptr;
  EXPECT_NE(sqlite3_open_v2((root / "app" / "t.db").c_str(), &second, SQLITE_OPEN_READWRITE, vfs->name().c_str()),
            SQLITE_OK);
  sqlite3_close(second);
}

TEST_F(PowerLossVfsTest, FailsTheChosenWriteAndOnlyThat) {
  open("FULL");
  ASSERT_EQ(execute("CREATE TABLE t(x)"), SQLITE_OK);
  vfs->fail_writes(1, 1, Fault::disk_full);
  EXPECT_EQ(execute("INSERT INTO t VALUES(1)"), SQLITE_FULL);
  EXPECT_EQ(execute("INSERT INTO t VALUES(2)"), SQLITE_OK);
  vfs->fail_writes(2, 1, Fault::io_error);
  EXPECT_EQ(execute("INSERT INTO t VALUES(3)"), SQLITE_IOERR_WRITE);
  vfs->fail_writes(1, PowerLossVfs::all_following, Fault::disk_full);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(execute("INSERT INTO t VALUES(4)"), SQLITE_FULL);
  vfs->clear_faults();
  EXPECT_EQ(execute("INSERT INTO t VALUES(5)"), SQLITE_OK);
  vfs->cut_power(Loss::drop_all, random);
  EXPECT_EQ(rows_after_reboot(), 2);
}

TEST_F(PowerLossVfsTest, FailsTheChosenSync) {
  open("FULL");
  ASSERT_EQ(execute("CREATE TABLE t(x)"), SQLITE_OK);
  vfs->fail_syncs(1, 1, Fault::io_error);
  EXPECT_EQ(execute("INSERT INTO t VALUES(1)"), SQLITE_IOERR_FSYNC);
  EXPECT_EQ(execute("INSERT INTO t VALUES(2)"), SQLITE_OK);
}

TEST_F(PowerLossVfsTest, HoldsSyncsWhileTheDiskIsStalled) {
  open("FULL");
  ASSERT_EQ(execute("CREATE TABLE t(x)"), SQLITE_OK);
  vfs->stall_syncs(true);
  auto insert = std::async(std::launch::async, [&] { return execute("INSERT INTO t VALUES(1)"); });
  EXPECT_EQ(insert.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  vfs->stall_syncs(false);
  EXPECT_EQ(insert.get(), SQLITE_OK);
}

TEST_F(PowerLossVfsTest, RefusesANameThatIsTaken) { EXPECT_THROW(PowerLossVfs("power-loss-test"), std::runtime_error); }

}  // namespace
}  // namespace belay::testkit
