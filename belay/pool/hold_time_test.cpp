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

/// Against counting: after the wait, all but the allowed loss of those that fit into the budget still do.
TEST(HoldTime, KnowsWhatTheWorkNeedsOfABudget) {
  belay::Random random(5);
  for (int round = 0; round < 200; ++round) {
    HoldTime hold;
    std::vector<std::chrono::nanoseconds> all;
    auto const scale = 1 + random.below(1'000'000'000);
    for (int i = 0; i < 500; ++i) {
      all.emplace_back(random.below(random.below(8) == 0 ? 40 * scale : scale));
      hold.add(all.back());
    }
    std::chrono::nanoseconds const budget(1 + random.below(8 * scale));
    auto const needed = hold.needed_of(budget, 0.02);
    ASSERT_LE(needed, budget);
    auto const up_to = [&](double most) {
      return static_cast<double>(
          std::count_if(all.begin(), all.end(), [&](auto one) { return static_cast<double>(one.count()) <= most; }));
    };
    auto const fit = up_to(static_cast<double>(budget.count()));
    if (needed < budget) {
      EXPECT_GE(up_to(static_cast<double>(needed.count())), 0.98 * fit - 10) << round;
    }
    // No more than a bucket too much: a quarter below, some few of the newest are not counted yet.
    auto const less = up_to(0.7 * static_cast<double>(needed.count()));
    if (needed.count() > 100) {
      EXPECT_LE(less, 0.98 * fit + 20) << round;
    }
  }
}

TEST(HoldTime, NeedsNothingOfABudgetThatNoneWouldFit) {
  HoldTime hold;
  EXPECT_EQ(hold.needed_of(1s, 0.02), 0ns) << "no samples";
  for (int i = 0; i < 100; ++i) hold.add(1s);
  EXPECT_EQ(hold.needed_of(1ms, 0.02), 0ns);
  EXPECT_EQ(hold.needed_of(0ns, 0.02), 0ns);
  EXPECT_EQ(hold.needed_of(-1s, 0.02), 0ns);
  EXPECT_LE(hold.needed_of(std::chrono::nanoseconds::max(), 0.02), 1250ms);
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
