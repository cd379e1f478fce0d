#include "belay/resilience/adaptive_limit.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/random.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr AdaptiveLimitOptions on{.mode = AdaptiveMode::on};

struct AdaptiveLimitTest : testing::Test {
  /// One window of calls that all took as long, with so many under way.
  void window(nanoseconds took, std::uint32_t in_use) {
    for (int i = 0; i < 49; ++i) limit.record(took, in_use, now);
    now += 1s;
    limit.record(took, in_use, now);
  }
  void windows(int count, nanoseconds took) {
    for (int i = 0; i < count; ++i) window(took, limit.computed());
  }

  Deadline::time_point now = Deadline::time_point() + 1h;
  AdaptiveLimit limit{on, 100, now};
};

// L4
TEST_F(AdaptiveLimitTest, FallsToItsMinimumAndReturnsAfterADisturbance) {
  windows(5, 10ms);
  EXPECT_EQ(limit.limit(), 100u);
  windows(1, 100ms);
  EXPECT_EQ(limit.limit(), 50u) << "at most to half per window";
  windows(20, 100ms);
  EXPECT_EQ(limit.limit(), 4u) << "never below the minimum";
  windows(30, 10ms);
  EXPECT_EQ(limit.limit(), 100u);
}

TEST_F(AdaptiveLimitTest, MovesOnlyWhenMoreThanFourFifthsAreUsed) {
  window(10ms, 100);
  window(100ms, 80);
  EXPECT_EQ(limit.limit(), 100u);
  window(100ms, 81);
  EXPECT_EQ(limit.limit(), 50u);
  window(10ms, 40);
  EXPECT_EQ(limit.limit(), 50u);
  window(10ms, 41);
  EXPECT_EQ(limit.limit(), 57u);
}

TEST_F(AdaptiveLimitTest, AcceptsAServiceThatBecameSlowerForGood) {
  windows(10, 10ms);
  EXPECT_NEAR(static_cast<double>(limit.baseline().count()), 10e6, 1.3e6);
  windows(30, 50ms);
  EXPECT_EQ(limit.limit(), 4u);
  windows(600, 50ms);
  EXPECT_NEAR(static_cast<double>(limit.baseline().count()), 50e6, 6e6);
  EXPECT_EQ(limit.limit(), 100u);
}

TEST_F(AdaptiveLimitTest, FindsTheKneeOfAServerThatQueues) {
  // 20 calls at once take 10 ms; beyond that they wait for each other.
  limit = AdaptiveLimit(on, 400, now);
  window(10ms, 10);
  std::uint32_t least = 400;
  std::uint32_t most = 0;
  for (int i = 0; i < 200; ++i) {
    auto const calls = limit.limit();
    windows(1, std::max<nanoseconds>(10ms, 10ms * calls / 20));
    if (i < 50) continue;
    least = std::min(least, limit.limit());
    most = std::max(most, limit.limit());
  }
  EXPECT_GE(least, 20u) << "the server stays busy";
  EXPECT_LE(most, 60u) << "twice the knee, a step and the histogram's width";
}

TEST_F(AdaptiveLimitTest, FallsWhenTheServerSaysItIsOverloaded) {
  windows(3, 10ms);
  for (int i = 0; i < 20; ++i) limit.overloaded(100, now + 1s);
  EXPECT_EQ(limit.limit(), 80u);
}

// L4
TEST_F(AdaptiveLimitTest, StaysWithinItsBoundsWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    auto const max = static_cast<std::uint32_t>(4 + random.below(60));
    limit = AdaptiveLimit(on, max, now);
    for (int i = 0; i < 3000; ++i) {
      now += std::chrono::milliseconds(random.below(100));
      if (random.below(500) == 0) now += 20min;
      auto const in_use = static_cast<std::uint32_t>(random.below(max + 1));
      if (random.below(20) == 0) {
        limit.overloaded(in_use, now);
      } else {
        limit.record(random.below(100) == 0 ? nanoseconds::max() : nanoseconds(random.next() >> random.below(64) >> 1),
                     in_use, now);
      }
      ASSERT_GE(limit.limit(), 4u);
      ASSERT_LE(limit.limit(), max);
    }
  }
}

TEST_F(AdaptiveLimitTest, OnlyShowsInShadowAndDoesNothingWhenOff) {
  limit = AdaptiveLimit({.mode = AdaptiveMode::shadow}, 100, now);
  windows(3, 10ms);
  windows(1, 100ms);
  EXPECT_EQ(limit.limit(), 100u);
  EXPECT_EQ(limit.computed(), 50u);
  limit = AdaptiveLimit({}, 100, now);
  windows(3, 10ms);
  windows(1, 100ms);
  EXPECT_EQ(limit.limit(), 100u);
  EXPECT_EQ(limit.computed(), 100u);
}

TEST(AdaptiveLimit, NamesTheOptionOutOfItsRange) {
  EXPECT_THROW(AdaptiveLimit(on, 3, {}), Error) << "the minimum is 4";
  EXPECT_NO_THROW(AdaptiveLimit({}, 3, {})) << "off";
  EXPECT_THROW(AdaptiveLimit({.mode = AdaptiveMode::on, .window = 1min, .baseline_age_max = 1min}, 10, {}), Error);
  EXPECT_THROW(AdaptiveLimit({.mode = AdaptiveMode::on, .tolerance = 1}, 10, {}), Error);
}

}  // namespace
}  // namespace belay::resilience
