#include <cstdint>
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "belay/pool/test_pool_driver.hpp"

namespace {

using belay::pool::DriverPlan;
using belay::pool::PoolDriver;

std::uint64_t number_from_environment(char const* name, std::uint64_t otherwise) {
  char const* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// BELAY_SEED runs that one, BELAY_SEEDS so many.
template <class Run>
void for_each_seed(std::uint64_t seeds, Run run) {
  if (auto const only = number_from_environment("BELAY_SEED", 0); only != 0) return run(only);
  seeds = number_from_environment("BELAY_SEEDS", seeds);
  for (std::uint64_t seed = 1; seed <= seeds && !testing::Test::HasFailure(); ++seed) run(seed);
}

// P1, P3 to P9, P13 to P19, P21, P22 and M3, after every step of random histories.
TEST(PoolModel, KeepsItsInvariantsWhateverHappens) {
  for_each_seed(150, [](std::uint64_t seed) {
    SCOPED_TRACE("BELAY_SEED=" + std::to_string(seed));
    PoolDriver driver(DriverPlan::from_seed(seed));
    driver.run();
    for (auto const& violation : driver.violations()) ADD_FAILURE() << violation;
  });
}

TEST(PoolModel, RunsTheSameSeedTheSameWay) {
  for_each_seed(25, [](std::uint64_t seed) {
    SCOPED_TRACE("BELAY_SEED=" + std::to_string(seed));
    PoolDriver first(DriverPlan::from_seed(seed));
    PoolDriver second(DriverPlan::from_seed(seed));
    first.run();
    second.run();
    EXPECT_EQ(first.trace_hash(), second.trace_hash());
    EXPECT_EQ(first.steps(), second.steps());
  });
}

}  // namespace
