#pragma once

#include <memory>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "tests/integration/casefile_process.hpp"
#include "tests/integration/http_client.hpp"

namespace belay::tests {

/// One casefile for all tests of a suite, on a database of its own, which each test finds empty.
class ApiTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TemporaryFolder>();
    server_ = std::make_unique<CasefileProcess>("sqlite:" + folder_->file("case%20files.db"),
                                                std::vector<std::string>{"--access-log", "off"});
  }
  static void TearDownTestSuite() {
    auto const exit_code = server_->terminate();
    EXPECT_EQ(exit_code, 0) << server_->log();  // a sanitizer's finding ends it with another
    server_.reset();
    folder_.reset();
  }
  void SetUp() override {
    auto const left = client.get("/api/dossiers?limit=500").json();
    for (auto const& dossier : left.as_array()) {
      auto const id = std::string(dossier.at("id").as_string());
      ASSERT_EQ(client.send("DELETE", "/api/dossiers/" + id).status, 204);
    }
  }

  std::string create(std::string const& nom_dossier = "Test", std::string const& user_id = "user:test") {
    boost::json::object const body{{"nom_dossier", nom_dossier}, {"user_id", user_id}};
    auto const answer = client.post("/api/dossiers", boost::json::serialize(body));
    EXPECT_EQ(answer.status, 201) << answer.body;
    return std::string(answer.json().at("id").as_string());
  }

  /// The type of an error answer: "ValidationError".
  static std::string error_type(Answer const& answer) {
    return std::string(answer.json().at("error").at("type").as_string());
  }

  static inline std::unique_ptr<TemporaryFolder> folder_;
  static inline std::unique_ptr<CasefileProcess> server_;
  HttpClient client{server_->port()};
};

}  // namespace belay::tests
