#include "apps/casefile/config.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace casefile {

using namespace std::chrono_literals;

namespace {

Config config_from(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) {
  Sources sources;
  sources.arguments = std::move(arguments);
  sources.environment = std::move(environment);
  return std::get<Start>(load(sources)).config;
}

std::string refusal_of(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) {
  try {
    (void)config_from(std::move(arguments), std::move(environment));
  } catch (belay::Error const& error) {
    return error.what();
  }
  return "accepted";
}

bool holds(std::string const& text, std::string const& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST(Config, HasUsableDefaults) {
  auto const config = config_from({});
  EXPECT_EQ(config.database, "sqlite:casefile.db");
  EXPECT_EQ(config.listen, std::vector<std::string>{"127.0.0.1:8000"});
  EXPECT_EQ(config.startup, StartupPolicy::degraded);
}

TEST(Config, ReadsDurationsAndSizes) {
  auto const config = config_from({"--request-timeout", "1m30s", "--body-max=2MiB", "--idle-timeout", "500ms"});
  EXPECT_EQ(config.request_timeout, 90s);
  EXPECT_EQ(config.body_max, 2u * 1024 * 1024);
  EXPECT_EQ(config.idle_timeout, 500ms);
  EXPECT_EQ(config_from({"--body-max", "1GiB"}).body_max, 1024u * 1024 * 1024);
  EXPECT_TRUE(holds(refusal_of({"--body-max", "2GiB"}), "1GiB"));
  EXPECT_TRUE(holds(refusal_of({"--body-max", "99999999999999999999"}), "whole number"));
}

TEST(Config, ListensOnSeveralAddresses) {
  std::vector<std::string> const both = {"127.0.0.1:8000", "[::1]:8001"};
  EXPECT_EQ(config_from({"--listen", "127.0.0.1:8000", "--listen", "[::1]:8001"}).listen, both);
  EXPECT_EQ(config_from({}, {{"CASEFILE_LISTEN", "127.0.0.1:8000, [::1]:8001"}}).listen, both);
  EXPECT_TRUE(holds(refusal_of({"--listen", "127.0.0.1:8000,"}), "empty item"));
}

TEST(Config, UnderstandsTheNamesOfTheSystemsItReplaces) {
  EXPECT_EQ(config_from({}, {{"API_HOST", "0.0.0.0"}, {"API_PORT", "8001"}}).listen,
            std::vector<std::string>{"0.0.0.0:8001"});
  EXPECT_EQ(config_from({}, {{"API_PORTS", "8000,8001"}}).listen,
            (std::vector<std::string>{"127.0.0.1:8000", "127.0.0.1:8001"}));
  EXPECT_EQ(config_from({}, {{"DATABASE_URL", "sqlite:/data/x.db"}}).database, "sqlite:/data/x.db");
}

TEST(Config, RefusesTwoDifferentValuesOfOneSetting) {
  auto const refusal = refusal_of({}, {{"CASEFILE_DATABASE_URL", "sqlite:a.db"}, {"DATABASE_URL", "sqlite:b.db"}});
  EXPECT_TRUE(holds(refusal, "CASEFILE_DATABASE_URL")) << refusal;
  EXPECT_TRUE(holds(refusal, "DATABASE_URL differ")) << refusal;
  EXPECT_EQ(config_from({}, {{"CASEFILE_DATABASE_URL", "sqlite:a.db"}, {"DATABASE_URL", "sqlite:a.db"}}).database,
            "sqlite:a.db");
  EXPECT_TRUE(holds(refusal_of({}, {{"API_PORT", "1"}, {"API_PORTS", "1,2"}}), "differ"));
  EXPECT_TRUE(holds(refusal_of({"--threads", "1", "--threads", "2"}), "2 times"));
}

TEST(Config, SaysWhereAValueCameFrom) {
  EXPECT_TRUE(holds(refusal_of({}, {{"CASEFILE_THREADS", "many"}}), "the environment variable CASEFILE_THREADS"));
  EXPECT_TRUE(holds(refusal_of({"--threads", "many"}), "--threads"));
  EXPECT_TRUE(holds(refusal_of({}, {{"CASEFILE_TREADS", "4"}}), "CASEFILE_THREADS")) << "the known ones are listed";
}

TEST(Config, NeverRepeatsAPassword) {
  auto const refusal = refusal_of({"--database", "postgresql://ann:hunter2@host/db?sslpassword=hunter3"});
  EXPECT_FALSE(holds(refusal, "hunter")) << refusal;
  EXPECT_TRUE(holds(refusal, "postgresql://ann:***@host")) << refusal;
}

TEST(Config, TakesTheAdminTokenFromTheEnvironmentAlone) {
  Sources sources;
  sources.environment["CASEFILE_ADMIN_TOKEN"] = "0123456789abcdef";
  auto const start = std::get<Start>(load(sources));
  EXPECT_EQ(start.config.admin_token, "0123456789abcdef");
  for (auto const& line : start.explanation) EXPECT_EQ(line.find("0123456789abcdef"), std::string::npos) << line;
  for (auto const* bad : {"short", "0123456789 abcdef", "0123456789abcdef\n"}) {
    sources.environment["CASEFILE_ADMIN_TOKEN"] = bad;
    EXPECT_THROW(load(sources), belay::Error) << bad;
  }
  sources.environment.clear();
  sources.arguments = {"--admin-token", "0123456789abcdef"};
  EXPECT_THROW(load(sources), belay::Error) << "a flag stands in the list of processes";
}

TEST(Config, NamesTheLineOfTheFile) {
  auto const path = std::filesystem::temp_directory_path() / "belay-config-test.toml";
  auto const refusal_of_file = [&](char const* content) {
    std::ofstream(path) << content;
    return refusal_of({"--config", path.string()});
  };
  EXPECT_TRUE(holds(refusal_of_file("threads = 2\nlisten = \"x\"\n"), "line 2"));
  EXPECT_TRUE(holds(refusal_of_file("threads = 2\n\nthraeds = 3\n"), "line 3: unknown setting 'thraeds'"));
  EXPECT_TRUE(holds(refusal_of_file("threads = \n"), "line 1"));
  EXPECT_TRUE(holds(refusal_of_file("threads = 2.5\n"), "a whole number"));
  std::filesystem::remove(path);
}

TEST(Config, ExplainsEverySettingInHelp) {
  auto const loaded = load(Sources{{"--help"}, {}});
  auto const& text = std::get<Message>(loaded).text;
  for (auto const* part : {"--database", "--drain-timeout", "CASEFILE_ACCESS_LOG", "default 127.0.0.1:8000"}) {
    EXPECT_TRUE(holds(text, part)) << part;
  }
}

}  // namespace casefile
