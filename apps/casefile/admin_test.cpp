#include "apps/casefile/admin.hpp"

#include <memory>
#include <optional>
#include <sstream>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "apps/casefile/api_error.hpp"
#include "apps/casefile/health.hpp"
#include "apps/casefile/routes.hpp"
#include "belay/pool/endpoint.hpp"
#include "belay/pool/pool.hpp"
#include "belay/sqlite/database_fixture.hpp"
#include "belay/testkit/power_loss_vfs.hpp"

namespace casefile {
namespace {

using namespace std::chrono_literals;
using belay::sqlite::Gate;
using Fault = belay::testkit::PowerLossVfs::Fault;

constexpr char const* token = "0123456789abcdef";

/// The API in this process, on a disk that can be made to fail.
class AdminTest : public testing::Test {
 protected:
  AdminTest() {
    auto const sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(log);
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
  }
  ~AdminTest() override {
    if (database) belay::sqlite::run_on(context, database->close(belay::Deadline::in(5s)));
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("none"));
  }

  void open(std::string const& options = "", std::string admin_token = token) {
    database = std::make_unique<Database>("sqlite:" + directory.file("x.db") + "?vfs=" + vfs.name() + options);
    health = std::make_unique<Health>(*database);
    router.emplace(make_router(*database, *health, 2s, std::move(admin_token)));
    belay::sqlite::run_on(context, database->open(belay::Deadline::in(5s)));
    health->enter(Phase::ready);
  }

  http::Response ask(std::string method, std::string path, std::string body = "", std::string authorization = "") {
    http::Request request;
    request.method = std::move(method);
    request.path = request.target = std::move(path);
    request.body = std::move(body);
    request.id = "r1";
    request.headers.add("Content-Type", "application/json");
    if (!authorization.empty()) request.headers.add("Authorization", authorization);
    try {
      return belay::sqlite::run_on(context, (*router)(request));
    } catch (...) {
      return response_for(std::current_exception(), request);
    }
  }
  http::Response as_admin(std::string method, std::string path) {
    return ask(std::move(method), std::move(path), "", std::string("Bearer ") + token);
  }
  http::Response post() { return ask("POST", "/api/dossiers", R"({"nom_dossier":"T","user_id":"user:t"})"); }
  static std::string header(http::Response const& response, std::string_view name) {
    for (auto const& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }
  static boost::json::value json(http::Response const& response) { return boost::json::parse(response.body); }

  belay::sqlite::TemporaryDirectory directory;
  belay::testkit::PowerLossVfs vfs{"admin-disk"};
  boost::asio::io_context context;
  std::ostringstream log;
  std::unique_ptr<Database> database;
  std::unique_ptr<Health> health;
  std::optional<http::Router> router;
};

TEST_F(AdminTest, IsAbsentWithoutAToken) {
  open("", "");
  for (auto const* path : {"/api/admin/pool", "/api/admin/circuit-breaker"}) {
    EXPECT_EQ(as_admin("GET", path).status, 404U) << path;
  }
}

TEST_F(AdminTest, WantsTheToken) {
  open();
  for (auto const* given : {"", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdeF",
                            "Bearer 0123456789abcdef0", "Basic 0123456789abcdef", "0123456789abcdef"}) {
    auto const answer = ask("POST", "/api/admin/pool/invalidate", "", given);
    EXPECT_EQ(answer.status, 401U) << given;
    EXPECT_EQ(header(answer, "WWW-Authenticate"), "Bearer");
  }
  EXPECT_EQ(ask("GET", "/api/admin/pool", "", std::string("bEARER ") + token).status, 200U) << "RFC 9110, 11.1";
}

TEST_F(AdminTest, AnOpenBreakerAnswersAtOnceAndSaysWhenToComeBack) {
  open();
  ASSERT_EQ(post().status, 201U);
  vfs.fail_writes(1, belay::testkit::PowerLossVfs::all_following, Fault::disk_full);
  // Five in a row are not enough while there is hardly any traffic: they must span a second (BreakerOptions).
  auto refused = post();
  int failures = 0;
  for (auto const limit = belay::Deadline::in(10s); refused.body.find("CircuitOpenError") == std::string::npos;) {
    EXPECT_EQ(refused.status, 503U);
    EXPECT_NE(refused.body.find("DatabaseUnavailableError"), std::string::npos) << refused.body;
    ASSERT_FALSE(limit.expired()) << "it never opened";
    refused = post();
    ++failures;
  }
  EXPECT_GE(failures, 5);
  EXPECT_EQ(refused.status, 503U);
  EXPECT_NE(refused.body.find("CircuitOpenError"), std::string::npos) << refused.body;
  EXPECT_GT(std::stoi(header(refused, "Retry-After")), 1);
  EXPECT_EQ(ask("GET", "/api/dossiers").status, 200U) << "reads go on";
  EXPECT_EQ(ask("GET", "/health/ready").status, 200U);

  auto const breakers = json(as_admin("GET", "/api/admin/circuit-breaker")).as_array();
  ASSERT_EQ(breakers.size(), 2U);
  auto const& write = breakers[1].as_object();
  EXPECT_EQ(write.at("name"), "database.write");
  EXPECT_EQ(write.at("state"), "open");
  EXPECT_EQ(write.at("opened_total"), 1);
  EXPECT_FALSE(write.at("last_failure").is_null());
  EXPECT_GT(write.at("retry_after_s").as_double(), 1.0);
  EXPECT_EQ(breakers[0].as_object().at("state"), "closed");
  EXPECT_TRUE(breakers[0].as_object().at("last_failure").is_null());
  EXPECT_NE(log.str().find("circuit breaker database.write: closed -> open"), std::string::npos) << log.str();

  vfs.clear_faults();
  EXPECT_EQ(post().status, 503U) << "it is left alone all the same";
  auto const reset = as_admin("POST", "/api/admin/circuit-breaker/reset");
  EXPECT_EQ(json(reset).as_array()[1].as_object().at("state"), "closed");
  EXPECT_EQ(post().status, 201U);
}

TEST_F(AdminTest, IsNotReadyWhileReadsAreRefused) {
  open();
  auto const client = database->client();
  auto* const breaker = client.endpoint()->policy().breaker(belay::pool::OperationClass::read);
  breaker->force_open(belay::Deadline::clock::now());
  EXPECT_EQ(ask("GET", "/health/ready").status, 503U);
  auto const answer = ask("GET", "/health/db");
  EXPECT_EQ(answer.status, 503U);
  EXPECT_EQ(json(answer).as_object().at("healthy"), false);
  EXPECT_LE(json(answer).as_object().at("error").as_string().size(), 200U);
  EXPECT_EQ(ask("GET", "/health/live").status, 200U);
}

TEST_F(AdminTest, AnExhaustedPoolAnswersAtOnceAndTheLogSaysWhy) {
  open("&reads_at_once=1&queue_max=1");
  auto client = database->client();
  auto const gate = std::make_shared<Gate>();
  belay::sqlite::Started<belay::sqlite::Summary> held(context, client.read("SELECT 1", gate));
  belay::sqlite::Started<belay::sqlite::Summary> waiting(context, client.read("SELECT 1", nullptr));
  context.restart();
  context.poll();
  gate->wait_until_entered();
  auto const refused = ask("GET", "/api/dossiers");
  EXPECT_EQ(refused.status, 503U);
  EXPECT_NE(refused.body.find("PoolTimeoutError"), std::string::npos) << refused.body;
  EXPECT_EQ(header(refused, "Retry-After"), "1");
  auto const told = log.str();
  EXPECT_NE(told.find("request r1 GET /api/dossiers"), std::string::npos) << told;
  EXPECT_NE(told.find("1 waiting"), std::string::npos) << told;
  EXPECT_NE(told.find("held longest by 'read'"), std::string::npos) << told;

  auto const pool = json(as_admin("GET", "/api/admin/pool")).as_array()[0].as_object();
  EXPECT_EQ(pool.at("name"), "database.reads");
  EXPECT_EQ(pool.at("places"), 1);
  EXPECT_EQ(pool.at("checked_out"), 1);
  EXPECT_EQ(pool.at("waiting"), 1);
  EXPECT_EQ(pool.at("refused"), 1);
  EXPECT_EQ(pool.at("held_longest").as_array()[0].as_object().at("label"), "read");
  gate->open();
  held.get();
  waiting.get();
  EXPECT_EQ(ask("GET", "/api/dossiers").status, 200U);
}

TEST_F(AdminTest, InvalidatesEveryConnection) {
  open();
  auto const before = json(as_admin("GET", "/api/admin/pool")).as_array()[0].as_object().at("generation").as_int64();
  auto const answer = json(as_admin("POST", "/api/admin/pool/invalidate")).as_object();
  EXPECT_EQ(answer.at("invalidated"), 2) << "the readers' and the writer's";
  EXPECT_EQ(answer.at("generation"), before + 1);
  EXPECT_EQ(post().status, 201U) << "opened anew";
}

TEST_F(AdminTest, HealthOfTheDatabaseShowsItsPools) {
  open();
  auto const answer = json(ask("GET", "/health/db")).as_object();
  EXPECT_EQ(answer.at("healthy"), true);
  EXPECT_EQ(answer.at("circuit"), "closed");
  EXPECT_EQ(answer.at("pool_stats").as_object().at("max"), 128);
  EXPECT_EQ(answer.at("pool_stats").as_object().at("pool_checked_out"), 0);
  EXPECT_GT(answer.at("latency_ms").as_double(), 0.0);
  EXPECT_FALSE(answer.contains("error"));
}

}  // namespace
}  // namespace casefile
