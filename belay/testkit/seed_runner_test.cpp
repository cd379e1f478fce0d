#include "belay/testkit/seed_runner.hpp"

#include <cstdlib>
#include <set>
#include <sstream>
#include <stdexcept>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace belay::testkit {
namespace {

struct SeedRunnerTest : testing::Test {
  void SetUp() override { forget_environment(); }
  void TearDown() override { forget_environment(); }
  static void forget_environment() {
    for (auto const* const name : {"BELAY_SEED", "BELAY_SEEDS", "BELAY_FIRST_SEED"}) unsetenv(name);
  }

  std::ostringstream report;
  SeedRunOptions options() {
    SeedRunOptions chosen;
    chosen.name = "coins";
    chosen.test = "SeedRunner.Coins";
    chosen.seeds = 20;
    chosen.report = &report;
    return chosen;
  }
};

TEST_F(SeedRunnerTest, RunsEachSeedTwice) {
  std::multiset<std::uint64_t> seeds;
  auto const summary = run_seeds(options(), [&](SimScheduler& world) {
    seeds.insert(world.seed());
    world.run_for(std::chrono::seconds(1));
  });
  EXPECT_EQ(seeds.size(), 40u);
  EXPECT_EQ(seeds.count(1), 2u);
  EXPECT_EQ(seeds.count(20), 2u);
  EXPECT_EQ(summary.seeds, 20u);
  EXPECT_EQ(summary.virtual_time, std::chrono::seconds(20));
  EXPECT_TRUE(summary.failures.empty());
  EXPECT_NE(report.str().find("figure: scenario=coins seeds=20 failures=0"), std::string::npos) << report.str();
}

TEST_F(SeedRunnerTest, ReportsTheSeedHowToReplayItAndTheTrace) {
  auto const summary = run_seeds(options(), [&](SimScheduler& world) {
    world.note("something happened");
    if (world.seed() == 7) throw std::runtime_error("a slot had two owners");
  });
  ASSERT_EQ(summary.failures.size(), 1u);
  EXPECT_EQ(summary.failures[0].seed, 7u);
  EXPECT_EQ(summary.seeds, 7u) << "it stops at the first failure";
  auto const text = report.str();
  EXPECT_NE(text.find("\nseed: 7\n"), std::string::npos) << text;
  EXPECT_NE(text.find("replay: BELAY_SEED=7 "), std::string::npos) << text;
  EXPECT_NE(text.find("--gtest_filter=SeedRunner.Coins"), std::string::npos) << text;
  EXPECT_NE(text.find("a slot had two owners"), std::string::npos) << text;
  EXPECT_NE(text.find("something happened"), std::string::npos) << text;
}

TEST_F(SeedRunnerTest, FindsARunThatIsNotDeterministic) {
  int runs = 0;
  auto const summary =
      run_seeds(options(), [&](SimScheduler& world) { world.note("number", static_cast<std::uint64_t>(++runs), 0); });
  ASSERT_EQ(summary.failures.size(), 1u);
  EXPECT_NE(summary.failures[0].what.find("two runs of the same seed differ"), std::string::npos);
}

TEST_F(SeedRunnerTest, FindsADeadlockAndAFailedCheck) {
  auto const stuck = run_seeds(options(), [](SimScheduler& world) { world.run_until([] { return false; }); });
  ASSERT_EQ(stuck.failures.size(), 1u);
  bool failed = false;
  auto chosen = options();
  chosen.has_failed = [&] { return failed; };
  auto const checked = run_seeds(chosen, [&](SimScheduler& world) { failed = world.seed() == 3; });
  ASSERT_EQ(checked.failures.size(), 1u);
  EXPECT_EQ(checked.failures[0].seed, 3u);
}

TEST_F(SeedRunnerTest, ObeysTheEnvironment) {
  std::vector<std::uint64_t> seeds;
  auto const scenario = [&](SimScheduler& world) { seeds.push_back(world.seed()); };
  auto chosen = options();
  chosen.regressions = {99};
  setenv("BELAY_SEEDS", "2", 1);
  setenv("BELAY_FIRST_SEED", "50", 1);
  run_seeds(chosen, scenario);
  EXPECT_EQ(seeds, (std::vector<std::uint64_t>{99, 99, 50, 50, 51, 51}));
  seeds.clear();
  setenv("BELAY_SEED", "1234", 1);
  run_seeds(chosen, scenario);
  EXPECT_EQ(seeds, (std::vector<std::uint64_t>{1234, 1234}));
  setenv("BELAY_SEED", "12x", 1);
  EXPECT_THROW(run_seeds(chosen, scenario), Error);
}

TEST_F(SeedRunnerTest, LetsBuggifyPointsFireUnderSomeSeeds) {
  auto const summary = run_seeds(options(), [](SimScheduler& world) {
    for (int i = 0; i < 100; ++i) {
      if (buggify("test.point")) world.note("fired");
    }
  });
  EXPECT_TRUE(summary.failures.empty()) << report.str();
  if constexpr (is_buggify_compiled) {
    ASSERT_EQ(summary.points.size(), 1u);
    EXPECT_EQ(summary.points[0].hits, 2000u);
    EXPECT_GT(summary.points[0].fired, 0u);
    EXPECT_LT(summary.points[0].fired, 1000u);
  }
}

TEST_F(SeedRunnerTest, RefusesNonsense) {
  auto const nothing = [](SimScheduler&) {};
  auto chosen = options();
  chosen.name = "";
  EXPECT_THROW(run_seeds(chosen, nothing), Error);
  chosen = options();
  chosen.seeds = 0;
  EXPECT_THROW(run_seeds(chosen, nothing), Error);
  chosen = options();
  chosen.failures_max = 0;
  EXPECT_THROW(run_seeds(chosen, nothing), Error);
}

}  // namespace
}  // namespace belay::testkit
