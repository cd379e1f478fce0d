#include <atomic>

#include "belay/sqlite/client.hpp"
#include "belay/sqlite/database_fixture.hpp"
#include "belay/testkit/power_loss_vfs.hpp"

namespace belay::sqlite {
namespace {

using Lines = std::vector<std::string>;
using Fault = testkit::PowerLossVfs::Fault;

class DiskFaultTest : public DatabaseTest {
 protected:
  DiskFaultTest() {
    Options options(file());
    options.vfs = vfs.name();
    client = std::make_unique<Client>(open(options));
    run(client->write("CREATE TABLE t(x)"));
  }
  Lines values() { return rows(*client, "SELECT x FROM t ORDER BY x"); }

  testkit::PowerLossVfs vfs{"faulty-disk"};
  std::unique_ptr<Client> client;
};

TEST_F(DiskFaultTest, RefusesWritesWhileTheDiskIsFullAndGoesOnAfterwards) {
  vfs.fail_writes(1, testkit::PowerLossVfs::all_following, Fault::disk_full);
  for (int i = 0; i < 3; ++i) {
    auto const error = failure(client->write("INSERT INTO t VALUES (1)"));
    EXPECT_EQ(error.error_class(), ErrorClass::overload);
    EXPECT_EQ(error.send_state(), SendState::refused);
    EXPECT_EQ(error.engine_code(), "SQLITE_FULL");
  }
  EXPECT_TRUE(values().empty()) << "reads go on";
  vfs.clear_faults();
  run(client->write("INSERT INTO t VALUES (2)"));
  EXPECT_EQ(values(), Lines{"2"});
}

TEST_F(DiskFaultTest, DoesNotKnowWhetherAFailedSyncWasACommit) {
  vfs.fail_syncs(1, 1, Fault::io_error);
  auto const error = failure(client->write("INSERT INTO t VALUES (1)"));
  EXPECT_EQ(error.error_class(), ErrorClass::internal);
  EXPECT_EQ(error.send_state(), SendState::unknown);
  EXPECT_EQ(error.engine_code(), "SQLITE_IOERR_FSYNC");
  run(client->write("INSERT INTO t VALUES (2)"));
  EXPECT_EQ(values(), Lines{"2"});
}

TEST_F(DiskFaultTest, TellsEveryMemberOfAGroupWhoseCommitFails) {
  auto const gate = std::make_shared<Gate>();
  auto held = start(client->write("INSERT INTO t VALUES (0) RETURNING x", gate));
  gate->wait_until_entered();
  std::vector<Started<Summary>> group;
  for (int i = 1; i < 5; ++i) group.push_back(start(client->write(Statement("INSERT INTO t VALUES (?1)", i))));
  auto broken = start(client->write("INSERT INTO nowhere VALUES (1)"));
  vfs.fail_syncs(2, 1, Fault::io_error);
  gate->open();
  EXPECT_NO_THROW(held.get());
  for (auto& call : group) EXPECT_EQ(call.error().send_state(), SendState::unknown);
  EXPECT_EQ(broken.error().send_state(), SendState::unknown) << "its verdict went down with the commit";
  EXPECT_EQ(values(), Lines{"0"});
}

/// Whichever write or sync fails: the call tells, what was acknowledged stays, and the client works on.
TEST_F(DiskFaultTest, SurvivesAFaultAtEveryStep) {
  int acknowledged = 0;
  int next = 0;
  for (auto const fault : {Fault::io_error, Fault::disk_full}) {
    for (bool const sync : {false, true}) {
      for (std::uint64_t step = 1; step <= 6; ++step) {
        sync ? vfs.fail_syncs(step, 1, fault) : vfs.fail_writes(step, 1, fault);
        for (int i = 0; i < 4; ++i) {
          try {
            run(client->write(Statement("INSERT INTO t VALUES (?1)", ++next)));
            ++acknowledged;
          } catch (Error const& error) {
            EXPECT_TRUE(error.error_class() == ErrorClass::internal || error.error_class() == ErrorClass::overload)
                << error.what();
            EXPECT_NE(error.send_state(), SendState::executed);
          }
        }
        vfs.clear_faults();
        EXPECT_EQ(values().size(), static_cast<std::size_t>(acknowledged)) << "step " << step;
      }
    }
  }
  EXPECT_LT(acknowledged, next) << "no fault struck";
  EXPECT_EQ(rows(*client, "PRAGMA integrity_check"), Lines{"ok"});
}

}  // namespace
}  // namespace belay::sqlite
