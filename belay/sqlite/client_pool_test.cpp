#include <filesystem>

#include "belay/pool/endpoint.hpp"
#include "belay/pool/pool.hpp"
#include "belay/sqlite/client.hpp"
#include "belay/sqlite/database_fixture.hpp"
#include "belay/testkit/power_loss_vfs.hpp"

namespace belay::sqlite {
namespace {

using namespace std::chrono_literals;
using boost::asio::awaitable;
using Lines = std::vector<std::string>;
using Fault = testkit::PowerLossVfs::Fault;

/// The pools before the readers and the writer, and the endpoint before the pools.
class ClientPoolTest : public DatabaseTest {
 protected:
  ClientPoolTest() : options(file()) {}

  Client& client() {
    if (!client_) {
      client_ = std::make_unique<Client>(open(options));
      run(client_->write("CREATE TABLE IF NOT EXISTS t(x)"));
    }
    return *client_;
  }
  void guard(std::chrono::nanoseconds open_for = 60s) {
    auto guards = std::make_shared<pool::EndpointOptions>();
    guards->policy = pool::policy_options(resilience::presets::enterprise());
    for (auto* const operation : {&guards->policy.read, &guards->policy.write}) {
      operation->retry.retries_max = 0;
      operation->breaker->open_for = open_for;
    }
    options.endpoint = guards;
    options.vfs = vfs.name();
  }
  Started<Summary> hold_read(std::shared_ptr<Gate> const& gate) {
    auto call = start(client().read("SELECT 1", gate));
    gate->wait_until_entered();
    return call;
  }

  Options options;
  testkit::PowerLossVfs vfs{"pooled-disk"};
  std::unique_ptr<Client> client_;
};

TEST_F(ClientPoolTest, LendsPlacesInOrderOfArrival) {
  options.reads_at_once = 1;
  auto const gate = std::make_shared<Gate>();
  auto held = hold_read(gate);
  std::vector<int> order;
  std::vector<Started<void>> waiting;
  auto read = [&](int number) -> awaitable<void> {
    co_await client().read("SELECT 1", nullptr);
    order.push_back(number);
  };
  for (int i = 0; i < 5; ++i) waiting.push_back(start(read(i)));
  EXPECT_EQ(client().reads().snapshot().waiting, 5U);
  EXPECT_EQ(client().stats().reads_queued, 5U);
  gate->open();
  for (auto& call : waiting) call.get();
  EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4}));
  held.get();
}

TEST_F(ClientPoolTest, GivesEveryPlaceBack) {
  for (int i = 0; i < 50; ++i) {
    run(client().write(Statement("INSERT INTO t VALUES (?1)", i)));
    rows(client(), "SELECT count(*) FROM t");
    (void)failure(client().write("INSERT INTO nowhere VALUES (1)"));
    (void)failure(client().read("SELECT * FROM nowhere", nullptr));
    (void)failure(client().read("SELECT 1", nullptr, Deadline::in(0s)));
  }
  auto body = [](Transaction& tx) -> awaitable<void> { co_await tx.write("INSERT INTO t VALUES (1)"); };
  run(client().transaction(body));
  for (auto const* const pool : {&client().reads(), &client().writes()}) {
    auto const shot = pool->snapshot();
    EXPECT_EQ(shot.leases, 0U);
    EXPECT_EQ(shot.leases_given, shot.leases_returned);
    EXPECT_EQ(shot.connects_succeeded, 1U) << "nothing that a call does wrong costs the link";
  }
}

TEST_F(ClientPoolTest, ATransactionHasTheWholeWriter) {
  std::size_t leases = 0;
  std::size_t waiting = 0;
  std::optional<Started<Summary>> write;
  auto body = [&](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO t VALUES (1)");
    write.emplace(start(client().write("INSERT INTO t VALUES (2)")));
    leases = client().writes().snapshot().leases;
    waiting = client().writes().snapshot().waiting;
    EXPECT_EQ(client().writes().diagnose().oldest.front().label, "transaction");
  };
  run(client().transaction(body));
  write->get();
  EXPECT_EQ(leases, 1U);
  EXPECT_EQ(waiting, 1U);
}

TEST_F(ClientPoolTest, SuspectsADeadlockWhenATransactionWaitsForItsOwnWriter) {
  std::optional<Error> inner;
  auto body = [&](Transaction& tx) -> awaitable<void> {
    co_await tx.write("INSERT INTO t VALUES (1)");
    try {
      co_await client().write("INSERT INTO t VALUES (2)", Deadline::in(30ms));
    } catch (Error const& error) {
      inner = error;
    }
  };
  run(client().transaction(body));
  ASSERT_TRUE(inner.has_value());
  EXPECT_EQ(inner->error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(inner->detail("verdict"), "deadlock_suspected");
  EXPECT_EQ(rows(client(), "SELECT x FROM t"), Lines{"1"});
}

TEST_F(ClientPoolTest, OpensAnewWhenItIsInvalidated) {
  auto const gate = std::make_shared<Gate>();
  auto held = hold_read(gate);
  auto const generation = client().reads().snapshot().generation;
  client().reads().invalidate_all(pool::GenerationReason::operator_request, pool::Invalidation::soft);
  client().writes().invalidate_all(pool::GenerationReason::operator_request, pool::Invalidation::soft);
  run(client().write("INSERT INTO t VALUES (1)"));
  EXPECT_FALSE(held.done()) << "what is under way goes on";
  gate->open();
  held.get();
  EXPECT_EQ(rows(client(), "SELECT x FROM t"), Lines{"1"});
  EXPECT_EQ(client().reads().snapshot().generation, generation + 1);
  EXPECT_EQ(client().reads().snapshot().connects_succeeded, 2U);
  EXPECT_EQ(client().writes().snapshot().connects_succeeded, 2U);
  until([&] { return client().stats().threads <= 1U + client().stats().readers + 1U + 2U + 2U; });
}

TEST_F(ClientPoolTest, HardInvalidationEndsWhatIsUnderWay) {
  char const* const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  auto reading = start(client().read(endless, nullptr));
  until([&] { return client().stats().reads == 1; });
  client().reads().invalidate_all(pool::GenerationReason::operator_request, pool::Invalidation::hard);
  EXPECT_EQ(reading.error().error_class(), ErrorClass::cancelled);
  EXPECT_EQ(rows(client(), "SELECT 1"), Lines{"1"});
}

TEST_F(ClientPoolTest, HasNoEndpointUnlessAskedFor) { EXPECT_EQ(client().endpoint(), nullptr); }

TEST_F(ClientPoolTest, ProbesItsFileAndSaysThatItIsUp) {
  guard();
  ASSERT_NE(client().endpoint(), nullptr);
  until([&] { return client().endpoint()->health().state == resilience::HealthState::up; });
  auto one = start(client().close());
  auto other = start(client().close());
  one.get();
  other.get();
  EXPECT_LE(client().stats().threads, 1U);
  run(client().close());
}

TEST_F(ClientPoolTest, ClosingFoldsTheLogAlsoWhenAProbeIsUnderWay) {
  guard();
  for (int i = 0; i < 20; ++i) {
    auto one = open(options);
    run(one.write("CREATE TABLE IF NOT EXISTS t(x)"));
    if (i % 2 == 0) until([&] { return one.endpoint()->health().state == resilience::HealthState::up; });
    run(one.close());
    EXPECT_FALSE(std::filesystem::exists(file() + "-wal")) << "the last link removes the log, round " << i;
  }
}

TEST_F(ClientPoolTest, StopsCallingAWriterThatFails) {
  guard();
  client();
  vfs.fail_writes(1, testkit::PowerLossVfs::all_following, Fault::disk_full);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(failure(client().write("INSERT INTO t VALUES (1)")).engine_code(), "SQLITE_FULL");
  }
  auto const groups = client().stats().groups;
  auto const refused = failure(client().write("INSERT INTO t VALUES (1)"));
  EXPECT_EQ(refused.error_class(), ErrorClass::capacity);
  EXPECT_EQ(refused.send_state(), SendState::never_sent);
  EXPECT_EQ(refused.detail("refused_by"), "circuit_breaker");
  EXPECT_EQ(client().stats().groups, groups) << "the writer was left alone";
  auto body = [](Transaction&) -> awaitable<void> { co_return; };
  EXPECT_EQ(failure(client().transaction(body)).detail("refused_by"), "circuit_breaker");
  EXPECT_TRUE(rows(client(), "SELECT x FROM t").empty()) << "reads have a breaker of their own";
  vfs.clear_faults();
}

TEST_F(ClientPoolTest, RepeatsWhatWasRefusedAndMayBeRepeated) {
  guard();
  auto patient = std::make_shared<pool::EndpointOptions>(*options.endpoint);
  patient->policy.write.retry.retries_max = 4;
  patient->policy.write.retry.backoff.base = 1ms;
  patient->policy.write.retry.overload_pushback.reset();
  options.endpoint = patient;
  client();
  vfs.fail_writes(1, 1, Fault::disk_full);
  run(client().write("INSERT INTO t VALUES (1)"));
  EXPECT_EQ(rows(client(), "SELECT x FROM t"), Lines{"1"}) << "once";
}

TEST_F(ClientPoolTest, DoesNotBlameTheEngineForWhatASinkThrows) {
  struct Picky final : RowSink {
    void row(Row const&) override {
      throw Error(ErrorClass::internal, SendState::executed, "no such thing", "bad_row");
    }
    void restart() override {}
  };
  guard();
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(failure(client().read("SELECT 1", std::make_shared<Picky>())).engine_code(), "bad_row");
  }
  EXPECT_EQ(rows(client(), "SELECT 1"), Lines{"1"});
}

}  // namespace
}  // namespace belay::sqlite
