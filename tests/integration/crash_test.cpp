// kill -9 right after any acknowledgement, at random moments under load (scenario F02): every acknowledged dossier is
// there after the restart. BELAY_ROUNDS sets the number of rounds, BELAY_SEED the moments.
#include <atomic>
#include <cstdio>
#include <mutex>
#include <random>

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/integration/casefile_process.hpp"
#include "tests/integration/http_client.hpp"

namespace belay::tests {

namespace {

std::uint64_t number_from(char const* variable, std::uint64_t otherwise) {
  auto const* text = std::getenv(variable);
  return text ? std::stoull(text) : otherwise;
}

/// Clients that create dossiers until the server is gone, and remember what was acknowledged.
class Load {
 public:
  Load(std::uint16_t port, int clients) {
    for (int i = 0; i < clients; ++i) {
      threads_.emplace_back([this, port] {
        try {
          for (HttpClient client(port);;) {
            auto const answer = client.post("/api/dossiers", R"({"nom_dossier":"crash","user_id":"crash"})");
            if (answer.status != 201) continue;
            std::lock_guard const lock(mutex_);
            acknowledged_.emplace_back(answer.json().at("id").as_string());
            ++count_;
          }
        } catch (std::exception const&) {
          // The server was killed: what had been acknowledged until then is what counts.
        }
      });
    }
  }
  void wait_for(std::size_t acknowledgements) const {
    while (count_ < acknowledgements) std::this_thread::yield();
  }
  std::vector<std::string> finish() {
    for (auto& thread : threads_) thread.join();
    return std::move(acknowledged_);
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> acknowledged_;
  std::atomic<std::size_t> count_{0};
  std::vector<std::thread> threads_;
};

std::string integrity_of(std::string const& path) {
  sqlite3* database = nullptr;
  std::string verdict = "cannot open";
  if (sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READWRITE, nullptr) == SQLITE_OK) {
    sqlite3_exec(
        database, "PRAGMA integrity_check",
        [](void* out, int, char** columns, char**) {
          *static_cast<std::string*>(out) = columns[0];
          return 0;
        },
        &verdict, nullptr);
  }
  sqlite3_close(database);
  return verdict;
}

}  // namespace

TEST(Crash, LosesNothingThatWasAcknowledged) {
  auto const rounds = number_from("BELAY_ROUNDS", 8);
  auto const seed = number_from("BELAY_SEED", 1);
  std::mt19937_64 random(seed);
  TemporaryFolder const folder;
  auto const path = folder.file("crash.db");
  std::size_t total = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    std::vector<std::string> acknowledged;
    {
      CasefileProcess server("sqlite:" + path, {"--access-log", "off"});
      Load load(server.port(), 8);
      load.wait_for(1 + random() % 400);
      server.kill();
      acknowledged = load.finish();
    }
    total += acknowledged.size();
    ASSERT_EQ(integrity_of(path), "ok") << "seed " << seed << ", round " << round;
    CasefileProcess server("sqlite:" + path, {"--access-log", "off"});
    HttpClient client(server.port());
    for (auto const& id : acknowledged) {
      ASSERT_EQ(client.get("/api/dossiers/" + id).status, 200) << "seed " << seed << ", round " << round << ", " << id;
    }
    ASSERT_EQ(server.terminate(), 0) << server.log();
  }
  std::printf("seed: %llu\nfigure: kill_rounds=%llu acknowledged=%zu lost=0\n", static_cast<unsigned long long>(seed),
              static_cast<unsigned long long>(rounds), total);
  EXPECT_GT(total, rounds);
}

}  // namespace belay::tests
