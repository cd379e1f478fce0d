#include "belay/resilience/fleet_cap.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/random.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;

struct FleetCapTest : testing::Test {
  FleetCap fleet{{.hard_limit = 20}};
  FleetCap::time_point now = FleetCap::time_point() + 1h;
};

TEST_F(FleetCapTest, IsTheHardLimitUntilSomethingIsRefused) {
  EXPECT_EQ(fleet.cap(now), 20u);
  EXPECT_EQ(fleet.grows_at(now), FleetCap::time_point::max());
}

TEST_F(FleetCapTest, IsCutToSevenTenthsAndRaisedByOneEachTenSeconds) {
  fleet.refused(now);
  EXPECT_EQ(fleet.cap(now), 14u);
  EXPECT_EQ(fleet.grows_at(now), now + 10s);
  EXPECT_EQ(fleet.cap(now + 10s - 1ns), 14u);
  EXPECT_EQ(fleet.cap(now + 10s), 15u);
  EXPECT_EQ(fleet.cap(now + 49s), 18u);
  EXPECT_EQ(fleet.cap(now + 1h), 20u);
}

TEST_F(FleetCapTest, TakesRefusalsOfOneBurstForOne) {
  for (int i = 0; i < 4; ++i) fleet.refused(now + i * 300ms);
  EXPECT_EQ(fleet.cap(now + 1s), 14u);
  fleet.refused(now + 1s);
  EXPECT_EQ(fleet.cap(now + 1s), 9u);
}

TEST_F(FleetCapTest, WaitsTenSecondsFromTheLastRefusalEvenIfThatDidNotCut) {
  fleet.refused(now);
  fleet.refused(now + 900ms);
  EXPECT_EQ(fleet.cap(now + 10s), 14u);
  EXPECT_EQ(fleet.cap(now + 10s + 900ms), 15u);
}

TEST_F(FleetCapTest, NeverFallsBelowTwoUnlessTheHardLimitIsOne) {
  for (int i = 0; i < 50; ++i) fleet.refused(now += 2s);
  EXPECT_EQ(fleet.cap(now), 2u);
  FleetCap single({.hard_limit = 1});
  single.refused(now);
  EXPECT_EQ(single.cap(now), 1u);
}

TEST_F(FleetCapTest, StaysWithinItsBoundsWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    auto const hard_limit = static_cast<std::uint32_t>(1 + random.below(50));
    FleetCap cap({.hard_limit = hard_limit});
    auto at = now;
    auto before = hard_limit;
    for (int i = 0; i < 500; ++i) {
      auto const pause = std::chrono::milliseconds(random.below(20'000));
      at += pause;
      auto const grown = cap.cap(at);
      ASSERT_GE(grown, before);
      ASSERT_LE(grown, before + static_cast<std::uint32_t>(pause / 10s) + 1);
      if (random.below(3) == 0) cap.refused(at);
      before = cap.cap(at);
      ASSERT_GE(before, std::min(2u, hard_limit));
      ASSERT_LE(before, hard_limit);
    }
  }
}

TEST_F(FleetCapTest, RefusesNonsensicalOptions) {
  EXPECT_THROW(FleetCap({.hard_limit = 0}), Error);
  EXPECT_THROW(FleetCap({.cut = 1}), Error);
  EXPECT_THROW(FleetCap({.raise_every = 0s}), Error);
  EXPECT_THROW(FleetCap({.settle_for = 11s}), Error);
}

}  // namespace
}  // namespace belay::resilience
