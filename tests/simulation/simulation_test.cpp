#include <cstdlib>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "campaign.hpp"
#include "world.hpp"

namespace belay::simulation {
namespace {

std::uint64_t number_from_environment(char const* name, std::uint64_t otherwise) {
  char const* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

// P1 to P19, P22, M1 to M3, B1 to B5 and B7, R1 to R7, D1, D2, D4, L1, L2, L4, H1 to H3, and P20 by the twin runs: what
// `scripts/simulate` does at length.
TEST(Simulation, KeepsAllInvariantsWhateverGoesWrong) {
  Campaign campaign;
  campaign.first_seed = number_from_environment("BELAY_SEED", 1);
  campaign.seeds = number_from_environment("BELAY_SEEDS", std::getenv("BELAY_SEED") != nullptr ? 1 : 30);
  campaign.replay = "build/dev/tests/simulation/simulate 1 ";
  std::ostringstream report;
  auto const result = campaign.run(report);
  EXPECT_EQ(result.violations, 0U) << report.str();
  EXPECT_EQ(result.coverage.describe().find("illegal:"), std::string::npos) << result.coverage.describe();
  EXPECT_LT(result.failed_calls * 10, result.calls * 9) << "hardly anything works: the plans prove nothing";
}

// The shrinker relies on it.
TEST(Simulation, LeavesOutWhatASelectionLeavesOut) {
  auto const plan = Plan::from_seed(3);
  testkit::Selection nothing(plan.element_names().size(), false);
  EXPECT_TRUE(plan.only(nothing).faults.empty());
  EXPECT_EQ(plan.only(nothing).clients, 0U);
  testkit::Selection const all(plan.element_names().size(), true);
  EXPECT_EQ(plan.only(all).faults.size(), plan.faults.size());
  EXPECT_EQ(plan.only(all).clients, plan.clients);
}

}  // namespace
}  // namespace belay::simulation
