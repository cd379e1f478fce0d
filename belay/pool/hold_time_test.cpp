#include "belay/pool/hold_time.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/random.hpp"

namespace {

using namespace belay::pool;
using namespace std::chrono_literals;

TEST(HoldTime, IsKnownAfterTwentySamples) {
  HoldTime hold;
  for (int i = 0; i < 19; ++i) hold.add(1ms);
  EXPECT_FALSE(hold.is_known());
  hold.add(1ms);
  EXPECT_TRUE(hold.is_known());
  EXPECT_EQ(hold.mean(), 1ms);
}

TEST(HoldTime, FollowsAChange) {
  HoldTime hold;
  for (int i = 0; i < 100; ++i) hold.add(1ms);
  for (int i = 0; i < 100; ++i) hold.add(10ms);
  EXPECT_GT(hold.mean(), 9ms);
  EXPECT_LE(hold.mean(), 10ms);
}

TEST(HoldTime, KnowsItsQuantilesWithinAnEighth) {
  belay::Random random(3);
  HoldTime hold;
  std::vector<std::chrono::nanoseconds> all;
  for (int i = 0; i < 400; ++i) {
    all.emplace_back(std::chrono::microseconds(1 + random.below(50'000)));
    hold.add(all.back());
  }
  std::sort(all.begin(), all.end());
  EXPECT_NEAR(static_cast<double>(hold.p50().count()), static_cast<double>(all[199].count()),
              0.15 * static_cast<double>(all[199].count()));
  EXPECT_NEAR(static_cast<double>(hold.p99().count()), static_cast<double>(all[395].count()),
              0.15 * static_cast<double>(all[395].count()));
}

TEST(HoldTime, ForgetsThePast) {
  HoldTime hold;
  for (int i = 0; i < 1000; ++i) hold.add(1s);
  for (int i = 0; i < 5000; ++i) hold.add(1ms);
  EXPECT_LT(hold.p50(), 2ms);
}

TEST(HoldTime, TakesExtremesWithoutHarm) {
  HoldTime hold;
  for (int i = 0; i < 30; ++i) {
    hold.add(std::chrono::nanoseconds::max());
    hold.add(-1ns);
    hold.add(0ns);
  }
  EXPECT_GE(hold.p50(), 0ns);
  EXPECT_GT(hold.p99(), 1h);
}

}  // namespace
