// What strangers send. Whatever it is: no crash, no hang, no 500, and the next request is answered.
#include <random>

#include "tests/integration/api_fixture.hpp"

namespace belay::tests {

using ApiHostile = ApiTest;

TEST_F(ApiHostile, RefusesBodiesThatAreNotWhatTheyShouldBe) {
  std::string deep;
  for (int i = 0; i < 100000; ++i) deep += '[';
  for (auto const& body :
       {std::string(), std::string("{"), std::string("null"), std::string("[]"), std::string("5"),
        std::string("\"text\""), std::string("{\"nom_dossier\":\"a\",\"nom_dossier\":\"b\",\"user_id\":\"u\"}"),
        std::string("{\"nom_dossier\":\"\xC3\x28\",\"user_id\":\"u\"}"),
        std::string("{\"nom_dossier\":\"\\ud800\",\"user_id\":\"u\"}"),
        std::string("{\"nom_dossier\":{},\"user_id\":[]}"),
        std::string("{\"nom_dossier\":\"a\",\"user_id\":\"u\"} trailing"),
        std::string("{\"nom_dossier\":\"a\",\"user_id\":\"u\0\"}", 34), deep,
        "{\"nom_dossier\":\"" + std::string(500000, 'x') + "\",\"user_id\":\"u\"}"}) {
    auto const answer = client.post("/api/dossiers", body);
    EXPECT_EQ(answer.status, 422) << body.substr(0, 80) << " → " << answer.body;
    EXPECT_EQ(error_type(answer), "ValidationError") << body.substr(0, 80);
    EXPECT_LT(answer.body.size(), 5000u) << "a bad body is not sent back";
  }
  EXPECT_EQ(client.get("/api/dossiers").body, "[]");
}

TEST_F(ApiHostile, RefusesAHugeBody) {
  EXPECT_EQ(client.post("/api/dossiers", std::string(1024 * 1024 + 1, ' ')).status, 413);
  EXPECT_EQ(client.get("/health/live").status, 200);
}

TEST_F(ApiHostile, TakesStrangeIdsForUnknownOnes) {
  for (auto const* id : {"%00", "%FF", "..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "dossier:", "dossier:a'b",
                         "a;DROP%20TABLE%20dossier", "%F0%9F%A7%97", "a%20b", "dossier:dossier:x", "%", "%zz"}) {
    auto const answer = client.get(std::string("/api/dossiers/") + id);
    EXPECT_TRUE(answer.status == 404 || answer.status == 400) << id << " → " << answer.status;
    EXPECT_TRUE(answer.json().is_object()) << id;
  }
  EXPECT_EQ(client.get("/api/dossiers/" + std::string(65, 'a')).status, 404);
  EXPECT_EQ(client.get("/api/dossiers").status, 200) << "the table is still there";
}

TEST_F(ApiHostile, AnswersExpectContinue) {
  std::string const body = R"({"nom_dossier":"Test","user_id":"user:test"})";
  auto const answer =
      HttpClient::raw(server_->port(),
                      "POST /api/dossiers HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
                      "Content-Length: " +
                          std::to_string(body.size()) + "\r\n\r\n" + body);
  EXPECT_NE(answer.find("HTTP/1.1 201"), std::string::npos) << answer;
}

TEST_F(ApiHostile, AnswersPipelinedRequestsInOrder) {
  auto const id = create();
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    requests += "GET /api/dossiers/" + (i % 2 ? id : "dossier:none") + " HTTP/1.1\r\nHost: x\r\n" +
                (i == 49 ? "Connection: close\r\n" : "") + "\r\n";
  }
  auto const answers = HttpClient::raw(server_->port(), requests);
  std::size_t at = 0;
  for (int i = 0; i < 50; ++i) {
    at = answers.find("HTTP/1.1 ", at);
    ASSERT_NE(at, std::string::npos) << "only " << i << " answers";
    EXPECT_EQ(answers.substr(at + 9, 3), i % 2 ? "200" : "404") << i;
    at += 9;
  }
}

/// Builds requests from fragments that are each plausible, and damages some of the bytes.
class RequestFuzzer {
 public:
  explicit RequestFuzzer(std::uint64_t seed) : random_(seed) {}

  std::string next() {
    auto request = pick({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", "G\0T", ""}) +
                   " " +
                   pick({"/", "/api/dossiers", "/api/dossiers/dossier:x", "/api/dossiers/%3A", "/health", "*",
                         "http://x/api/dossiers", "//", "/api/dossiers?limit=1&limit=2", "/\x80", "x"}) +
                   " " + pick({"HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTP/1.1", ""}) + "\r\n";
    for (auto headers = random_() % 5; headers > 0; --headers) {
      request += pick({"Host: x", "Host: x", "Connection: close", "Connection: keep-alive", "Content-Length: 10",
                       "Content-Length: -1", "Content-Length: 99999999999999999999", "Transfer-Encoding: chunked",
                       "Transfer-Encoding: gzip, chunked", "Expect: 100-continue", "X-Request-Id: a b", " folded",
                       "No colon", ": empty", "X: \x01", "Accept: */*"}) +
                 pick({"\r\n", "\r\n", "\r\n", "\n", "\r"});
    }
    request += "\r\n";
    request += pick({"", "0123456789", "5\r\nhello\r\n0\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\n", "{}",
                     R"({"nom_dossier":"f","user_id":"f"})"});
    for (auto damages = random_() % 4; damages > 0 && !request.empty(); --damages) {
      request[random_() % request.size()] = static_cast<char>(random_());
    }
    return request;
  }

 private:
  std::string pick(std::initializer_list<char const*> choices) {
    return *(choices.begin() + random_() % choices.size());
  }
  std::mt19937_64 random_;
};

TEST_F(ApiHostile, SurvivesTenThousandRandomRequests) {
  auto const* seed_text = std::getenv("BELAY_SEED");
  std::uint64_t const seed = seed_text ? std::stoull(seed_text) : 20240501;
  RecordProperty("seed", std::to_string(seed));
  RequestFuzzer fuzzer(seed);
  int answered = 0;
  for (int i = 0; i < 10000;) {
    std::string batch;  // some on one connection, as pipelining would have them
    for (int together = 1 + i % 8; together > 0 && i < 10000; --together, ++i) batch += fuzzer.next();
    // Ends the stream: the server must not wait for a body that will never come.
    auto const answer = HttpClient::raw(server_->port(), batch + "\r\nGET / HTTP/1.0\r\n\r\n", 50);
    if (answer.starts_with("HTTP/1.1 ")) ++answered;
    ASSERT_EQ(answer.find("HTTP/1.1 500"), std::string::npos) << "seed " << seed << " request " << i << "\n" << batch;
  }
  EXPECT_GT(answered, 1000) << "the fuzzer reaches the server";
  EXPECT_EQ(client.get("/health").status, 200);
}

}  // namespace belay::tests
