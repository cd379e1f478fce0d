#include "apps/casefile/api_error.hpp"

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace casefile {

using belay::ErrorClass;
using belay::SendState;

namespace {

http::Response answer_to(std::exception_ptr failure) { return response_for(std::move(failure), http::Request()); }

http::Response answer_to(ErrorClass error_class, std::string engine_code = "") {
  return answer_to(std::make_exception_ptr(
      belay::Error(error_class, SendState::refused, "SECRET detail of the database", std::move(engine_code))));
}

bool holds(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST(ApiError, MapsEveryClassOfDatabaseFailure) {
  struct Row {
    ErrorClass error_class;
    std::string engine_code;
    unsigned status;
    std::string type;
  };
  for (auto const& [error_class, engine_code, status, type] :
       std::vector<Row>{{ErrorClass::transport, "SQLITE_CANTOPEN", 503, "DatabaseUnavailableError"},
                        {ErrorClass::timeout_local, "", 504, "DatabaseTimeoutError"},
                        {ErrorClass::timeout_server, "57014", 504, "DatabaseTimeoutError"},
                        {ErrorClass::overload, "SQLITE_FULL", 503, "DatabaseUnavailableError"},
                        {ErrorClass::capacity, "", 503, "PoolTimeoutError"},
                        {ErrorClass::auth, "", 503, "DatabaseUnavailableError"},
                        {ErrorClass::role, "SQLITE_READONLY", 503, "DatabaseUnavailableError"},
                        {ErrorClass::conflict, "", 503, "DatabaseUnavailableError"},
                        {ErrorClass::request, "SQLITE_ERROR", 500, "InternalServerError"},
                        {ErrorClass::cancelled, "", 503, "DatabaseUnavailableError"},
                        {ErrorClass::protocol, "", 500, "InternalServerError"},
                        {ErrorClass::internal, "SQLITE_CORRUPT", 503, "DatabaseUnavailableError"},
                        {ErrorClass::internal, "", 500, "InternalServerError"}}) {
    auto const answer = answer_to(error_class, engine_code);
    EXPECT_EQ(answer.status, status) << name_of(error_class);
    EXPECT_TRUE(holds(answer.body, "\"type\":\"" + type + "\"")) << name_of(error_class) << answer.body;
    EXPECT_FALSE(holds(answer.body, "SECRET")) << "what the database says is for the log only";
    EXPECT_EQ(!answer.headers.empty() && answer.headers[0].first == "Retry-After", status == 503);
  }
}

TEST(ApiError, SaysWhenTheCircuitBreakerWillLetCallsThroughAgain) {
  belay::Error::Details details{{"refused_by", "circuit_breaker"}, {"retry_after_ms", "41200"}};
  auto const answer = answer_to(std::make_exception_ptr(
      belay::Error(ErrorClass::capacity, SendState::never_sent, "open", std::string(), std::move(details))));
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(holds(answer.body, "\"type\":\"CircuitOpenError\"")) << answer.body;
  ASSERT_FALSE(answer.headers.empty());
  EXPECT_EQ(answer.headers[0], (std::pair<std::string, std::string>("Retry-After", "42"))) << "rounded up";
}

TEST(ApiError, TakesAWaitInOurOwnQueueForWhatItIs) {
  auto const answer = answer_to(
      std::make_exception_ptr(belay::Error(ErrorClass::timeout_local, SendState::never_sent, "no place in time")));
  EXPECT_EQ(answer.status, 503);
  EXPECT_TRUE(holds(answer.body, "\"type\":\"PoolTimeoutError\"")) << answer.body;
}

TEST(ApiError, TellsNothingOfUnexpectedExceptions) {
  auto const answer = answer_to(std::make_exception_ptr(std::runtime_error("SECRET")));
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, R"({"error":{"message":"An unexpected error occurred","type":"InternalServerError"}})");
}

TEST(ApiError, QuotesTheIdAsGiven) {
  auto const answer = answer_to(std::make_exception_ptr(ApiError::not_found("Dossier", "dossier:\"x\"")));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.body,
            R"({"error":{"message":"Dossier with ID 'dossier:\"x\"' not found","type":"ResourceNotFoundError"}})");
}

TEST(ApiError, ListsEveryIssueWithItsPlace) {
  using belay::json::Issue;
  std::vector<Issue> const issues = {Issue{{"items", "3"}, Issue::Kind::missing, "is missing"},
                                     Issue{{}, Issue::Kind::invalid, "is not JSON"}};
  auto const answer = answer_to(std::make_exception_ptr(ApiError::validation("body", issues)));
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.body, R"({"error":{"message":"Validation failed","type":"ValidationError","details":{"errors":[)"
                         R"({"loc":["body","items","3"],"msg":"is missing","type":"missing"},)"
                         R"({"loc":["body"],"msg":"is not JSON","type":"invalid"}]}}})");
}

}  // namespace casefile
