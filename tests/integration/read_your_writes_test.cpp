// What has been acknowledged is there, for everybody, at once (scenario F01).
#include <atomic>
#include <thread>

#include "tests/integration/api_fixture.hpp"

namespace belay::tests {

using ReadYourWrites = ApiTest;

TEST_F(ReadYourWrites, HoldForAThousandRoundsSixtyFourAtOnce) {
  constexpr int clients = 64;
  constexpr int rounds = 1000;
  std::atomic<int> next{0};
  std::atomic<int> misses{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i) {
    threads.emplace_back([&, i] {
      HttpClient own(server_->port());
      auto const user = "ryw" + std::to_string(i);
      for (int round; (round = next++) < rounds;) {
        auto const created = own.post(
            "/api/dossiers", R"({"nom_dossier":"round )" + std::to_string(round) + R"(","user_id":")" + user + "\"}");
        if (created.status != 201) {
          ++misses;
          continue;
        }
        auto const id = std::string(created.json().at("id").as_string());
        if (own.get("/api/dossiers/" + id).body != created.body) ++misses;
        auto const list = own.get("/api/dossiers?limit=1&user_id=" + user).json().as_array();
        if (list.size() != 1 || list[0].at("id") != id.c_str()) ++misses;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(misses, 0);
}

TEST_F(ReadYourWrites, HoldWithAConnectionPerRequestAndAbruptCloses) {
  for (int i = 0; i < 100; ++i) {
    auto const created = HttpClient(server_->port()).post("/api/dossiers", R"({"nom_dossier":"x","user_id":"u"})");
    ASSERT_EQ(created.status, 201);
    auto const id = std::string(created.json().at("id").as_string());
    ASSERT_EQ(HttpClient(server_->port()).get("/api/dossiers/" + id).body, created.body);
  }
}

TEST_F(ReadYourWrites, TogglingAPinIsNeverLost) {
  auto const id = create();
  constexpr int clients = 8;
  constexpr int toggles = 25;  // clients * toggles is even: at the end the pin is where it was
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int i = 0; i < clients; ++i) {
    threads.emplace_back([&] {
      HttpClient own(server_->port());
      for (int j = 0; j < toggles; ++j) {
        if (own.send("PATCH", "/api/dossiers/" + id + "/pin").status != 200) ++failures;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(client.get("/api/dossiers/" + id).json().at("pinned"), false);
}

}  // namespace belay::tests
