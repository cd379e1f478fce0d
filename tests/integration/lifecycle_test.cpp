// How casefile starts, waits for its database, and ends.
#include <atomic>
#include <fstream>

#include <boost/json.hpp>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "tests/integration/casefile_process.hpp"
#include "tests/integration/http_client.hpp"

namespace belay::tests {

using namespace std::chrono_literals;

namespace {

void write_file(std::string const& path, std::string const& content) { std::ofstream(path) << content; }

bool holds(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST(Lifecycle, TellsItsStoryInTheLog) {
  TemporaryFolder const folder;
  CasefileProcess server("sqlite:" + folder.file("story.db"), {"--access-log", "off"});
  ASSERT_TRUE(server.wait_for_log("ready"));
  EXPECT_EQ(server.terminate(), 0);
  auto const log = server.log();
  std::size_t at = 0;
  for (auto const* line :
       {"casefile 0.1.0 starting", "opening the database", "listening on http://127.0.0.1:", "SIGTERM received",
        "draining", "closing the database", "database closed", "stopped cleanly"}) {
    auto const found = log.find(line);
    ASSERT_NE(found, std::string::npos) << line << " is missing in\n" << log;
    EXPECT_GE(found, at) << line << " comes too early in\n" << log;
    at = found;
  }
}

TEST(Lifecycle, EndsOnSigintToo) {
  TemporaryFolder const folder;
  CasefileProcess server("sqlite:" + folder.file("x.db"), {"--access-log", "off"});
  server.signal(SIGINT);
  EXPECT_EQ(server.wait(), 0) << server.log();
}

TEST(Lifecycle, KeepsWhatItHasAcrossARestart) {
  TemporaryFolder const folder;
  auto const url = "sqlite:" + folder.file("kept.db");
  std::string created;
  {
    CasefileProcess server(url, {"--access-log", "off"});
    created = HttpClient(server.port()).post("/api/dossiers", R"({"nom_dossier":"kept","user_id":"u"})").body;
    ASSERT_EQ(server.terminate(), 0);
  }
  EXPECT_FALSE(std::filesystem::exists(folder.file("kept.db-wal"))) << "an orderly end folds the log into the file";
  CasefileProcess server(url, {"--access-log", "off"});
  EXPECT_EQ(HttpClient(server.port()).get("/api/dossiers").body, "[" + created + "]");
}

// F32: the database is down at the start and comes up later.
TEST(Lifecycle, ServesDegradedUntilTheDatabaseComesUp) {
  TemporaryFolder const folder;
  auto const missing = folder.path() / "later";
  CasefileProcess server("sqlite:" + (missing / "x.db").string(), {"--access-log", "off"});
  HttpClient client(server.port());
  EXPECT_EQ(client.get("/health/live").status, 200);
  EXPECT_EQ(client.get("/health/ready").status, 503);
  ASSERT_TRUE(server.wait_for_log("cannot open the database"));
  auto const health = client.get("/health");
  EXPECT_EQ(health.status, 503);
  EXPECT_EQ(health.json().at("type"), "database_error") << health.body;
  auto const list = client.get("/api/dossiers");
  EXPECT_EQ(list.status, 503);
  EXPECT_EQ(list.json().at("error").at("type"), "DatabaseUnavailableError");
  EXPECT_FALSE(list.header("Retry-After").empty());

  std::filesystem::create_directory(missing);
  ASSERT_TRUE(server.wait_for_log("ready")) << server.log();
  EXPECT_EQ(client.get("/health/ready").status, 200);
  EXPECT_EQ(client.get("/api/dossiers").body, "[]");
  EXPECT_EQ(server.terminate(), 0);
}

TEST(Lifecycle, ExitsWhenTheDatabaseIsRequiredAndDown) {
  TemporaryFolder const folder;
  auto const finished = run_casefile({"--database", "sqlite:" + folder.file("no/such/folder/x.db"), "--listen",
                                      "127.0.0.1:0", "--startup", "require", "--startup-timeout", "1s"});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_TRUE(holds(finished.output, "no/such/folder")) << finished.output;
}

TEST(Lifecycle, RefusesAFileThatIsNoDatabase) {
  TemporaryFolder const folder;
  write_file(folder.file("text.db"), std::string(5000, 'x'));
  auto const finished = run_casefile({"--check", "--database", "sqlite:" + folder.file("text.db")});
  EXPECT_EQ(finished.exit_code, 1) << finished.output;
  EXPECT_TRUE(holds(finished.output, "text.db") || holds(finished.output, "not a database")) << finished.output;
}

TEST(Lifecycle, NamesTheAddressThatIsTaken) {
  TemporaryFolder const folder;
  CasefileProcess const server("sqlite:" + folder.file("a.db"), {"--access-log", "off"});
  auto const address = "127.0.0.1:" + std::to_string(server.port());
  auto const finished = run_casefile({"--database", "sqlite:" + folder.file("b.db"), "--listen", address});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_TRUE(holds(finished.output, address)) << finished.output;
}

TEST(Lifecycle, ChecksWithoutBindingOrLeavingAnything) {
  TemporaryFolder const folder;
  auto const finished = run_casefile({"--check", "--database", "sqlite:" + folder.file("unborn.db")});
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  EXPECT_TRUE(holds(finished.output, "database = sqlite:")) << finished.output;
  EXPECT_FALSE(std::filesystem::exists(folder.file("unborn.db"))) << "a check creates nothing";
}

TEST(Lifecycle, RefusesSettingsThatMakeNoSense) {
  struct Case {
    std::vector<std::string> arguments;
    std::vector<std::string> environment;
    std::string says;
  };
  std::vector<Case> const cases = {
      {{"--listen", "8000"}, {}, "host:port"},
      {{"--listen", "127.0.0.1:70000"}, {}, "65535"},
      {{"--database", "mysql://x"}, {}, "sqlite:"},
      {{"--database", "postgresql://u:hunter2@h/db"}, {}, "sqlite:PATH"},
      {{"--request-timeout", "soon"}, {}, "30s"},
      {{"--request-timeout", "1ns"}, {}, "10ms"},
      {{"--startup", "maybe"}, {}, "degraded, require"},
      {{"--threads", "-1"}, {}, "256"},
      {{"--body-max", "1TB"}, {}, "whole number"},
      {{"--nonsense"}, {}, "--help"},
      {{}, {"CASEFILE_LISTN=x"}, "CASEFILE_LISTEN"},
      {{}, {"CASEFILE_DATABASE_URL=sqlite:a.db", "DATABASE_URL=sqlite:b.db"}, "differ"},
      {{}, {"API_PORT=eight"}, "API_PORT"},
      {{"--config", "/does/not/exist.toml"}, {}, "exist.toml"},
  };
  for (auto const& [arguments, environment, says] : cases) {
    auto with_check = arguments;
    with_check.emplace_back("--check");
    auto const finished = run_casefile(with_check, environment);
    auto const what = (arguments.empty() ? environment.front() : arguments.back());
    EXPECT_EQ(finished.exit_code, 1) << what;
    EXPECT_TRUE(holds(finished.output, says)) << what << " → " << finished.output;
    EXPECT_FALSE(holds(finished.output, "hunter2")) << "a secret in " << finished.output;
  }
}

TEST(Lifecycle, TakesFlagsOverEnvironmentOverFile) {
  TemporaryFolder const folder;
  write_file(folder.file("casefile.toml"),
             "listen = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\nthreads = 3\nlog-level = \"warn\"\n"
             "database = \"sqlite:" +
                 folder.file("x.db") + "\"\n");
  auto const finished = run_casefile({"--check", "--config", folder.file("casefile.toml"), "--log-level", "error"},
                                     {"CASEFILE_THREADS=4", "CASEFILE_LOG_LEVEL=debug"});
  EXPECT_EQ(finished.exit_code, 0) << finished.output;
  EXPECT_TRUE(holds(finished.output, "listen = 127.0.0.1:1,127.0.0.1:2")) << finished.output;
  EXPECT_TRUE(holds(finished.output, "threads = 4")) << finished.output;
  EXPECT_TRUE(holds(finished.output, "log-level = error")) << finished.output;
}

TEST(Lifecycle, ExplainsItself) {
  auto const help = run_casefile({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (auto const* part : {"--database", "--listen", "CASEFILE_LISTEN", "curl", "SIGTERM", "--check"}) {
    EXPECT_TRUE(holds(help.output, part)) << part;
  }
  EXPECT_TRUE(holds(run_casefile({"--version"}).output, "casefile 0.1.0"));
}

// A client that is in the middle of a request when the signal comes gets its answer.
TEST(Lifecycle, FinishesRequestsInFlight) {
  TemporaryFolder const folder;
  CasefileProcess server("sqlite:" + folder.file("x.db"), {"--access-log", "off"});
  std::vector<std::thread> threads;
  std::atomic<int> broken{0};
  std::atomic<int> answered{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      HttpClient client(server.port());
      for (;;) {
        try {
          auto const answer = client.post("/api/dossiers", R"({"nom_dossier":"drain","user_id":"u"})");
          if (answer.status != 201 && answer.status != 503) ++broken;
          ++answered;
        } catch (std::runtime_error const& error) {
          // A connection that was closed between two requests is how a drain looks; one that breaks inside an
          // answer is not.
          if (std::string(error.what()).find("inside an answer") != std::string::npos) ++broken;
          return;
        }
      }
    });
  }
  while (answered < 100) std::this_thread::yield();
  EXPECT_EQ(server.terminate(), 0) << server.log();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(broken, 0);
}

}  // namespace belay::tests
