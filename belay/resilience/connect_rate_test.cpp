#include "belay/resilience/connect_rate.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using Verdict = ConnectRate::Verdict;

struct ConnectRateTest : testing::Test {
  ConnectRate rate{10, 4, Random(1)};
  ConnectRate::time_point now = ConnectRate::time_point() + 1h;

  int burst() {
    int taken = 0;
    while (rate.try_take(now)) ++taken;
    return taken;
  }
  void refuse() { rate.ended(Verdict::refused, 0, now); }
  void accept() { rate.ended(Verdict::accepted, 0, now); }
};

TEST_F(ConnectRateTest, LetsABurstThroughAndThenItsRate) {
  EXPECT_EQ(burst(), 4);
  EXPECT_EQ(rate.next_at(now), now + 100ms);
  now += 100ms - 1ns;
  EXPECT_EQ(burst(), 0);
  now += 1ns;
  EXPECT_EQ(burst(), 1);
  now += 1s;
  EXPECT_EQ(burst(), 4) << "the bucket holds no more";
}

TEST_F(ConnectRateTest, KeepsItsWordAboutTheNextToken) {
  Random random(2);
  for (int i = 0; i < 2000; ++i) {
    if (random.below(3) == 0) refuse();
    if (random.below(2) == 0) accept();
    auto const at = rate.next_at(now);
    EXPECT_EQ(at == now, ConnectRate(rate).try_take(now));
    now = at;
    ASSERT_TRUE(rate.try_take(now)) << "refused at the time that it told, at step " << i;
  }
}

TEST_F(ConnectRateTest, HalvesOnceForAllAttemptsThatWereUnderWay) {
  EXPECT_EQ(burst(), 4);
  rate.ended(Verdict::refused, 3, now);
  rate.ended(Verdict::refused, 2, now);
  rate.ended(Verdict::refused, 1, now);
  rate.ended(Verdict::refused, 0, now);
  EXPECT_DOUBLE_EQ(rate.per_second(), 5);
  refuse();
  EXPECT_DOUBLE_EQ(rate.per_second(), 2.5) << "this one started after the halving";
}

TEST_F(ConnectRateTest, PausesForAJitteredIntervalAfterARefusal) {
  auto shortest = 1h + 0ns, longest = 0h + 0ns;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    ConnectRate other(10, 4, Random(seed));
    other.ended(Verdict::refused, 0, now);
    auto const pause = other.next_at(now) - now;
    shortest = std::min<std::chrono::nanoseconds>(shortest, pause);
    longest = std::max<std::chrono::nanoseconds>(longest, pause);
  }
  EXPECT_GE(shortest, 100ms) << "half an interval of 200 ms";
  EXPECT_LT(shortest, 110ms);
  EXPECT_LE(longest, 300ms);
  EXPECT_GT(longest, 290ms);
}

TEST_F(ConnectRateTest, NeverFallsBelowItsFloor) {
  for (int i = 0; i < 100; ++i) refuse();
  EXPECT_DOUBLE_EQ(rate.per_second(), ConnectRate::floor_per_second);
  ConnectRate slow(0.05, 1, Random(1));
  slow.ended(Verdict::refused, 0, now);
  EXPECT_DOUBLE_EQ(slow.per_second(), 0.05) << "a floor above the rate itself is none";
}

TEST_F(ConnectRateTest, GrowsByAStepAndDoublesAfterAQuietRun) {
  burst();
  refuse();
  refuse();
  refuse();
  EXPECT_DOUBLE_EQ(rate.per_second(), 1.25);
  accept();
  accept();
  EXPECT_DOUBLE_EQ(rate.per_second(), 1.25 + 2 * ConnectRate::step_per_second) << "the run is long enough, not quiet";
  now += ConnectRate::quiet_for - 1ns;
  burst();
  accept();
  auto const before = rate.per_second();
  now += 1ns;
  accept();
  EXPECT_DOUBLE_EQ(rate.per_second(), before * 2);
  accept();
  EXPECT_DOUBLE_EQ(rate.per_second(), before * 2 + ConnectRate::step_per_second)
      << "the next doubling needs its own run";
}

TEST_F(ConnectRateTest, ComesBackByItselfWhileItHoldsNothingBack) {
  for (int i = 0; i < 4; ++i) refuse();
  auto const reduced = rate.per_second();
  now += 2s;
  rate.next_at(now);
  EXPECT_DOUBLE_EQ(rate.per_second(), reduced) << "the bucket is not full yet";
  now += 2min;
  rate.next_at(now);
  EXPECT_DOUBLE_EQ(rate.per_second(), 10);
}

TEST_F(ConnectRateTest, BeginsSlowlyAfterAnOutageAndDoublesUntilRefused) {
  rate.begin_slowly(now);
  burst();
  EXPECT_DOUBLE_EQ(rate.per_second(), 1.5);
  accept();
  accept();
  EXPECT_DOUBLE_EQ(rate.per_second(), 6);
  refuse();
  accept();
  EXPECT_DOUBLE_EQ(rate.per_second(), 3.1);
  accept();
  accept();
  accept();
  EXPECT_LE(rate.per_second(), 10);
}

TEST_F(ConnectRateTest, KeepsAnEarlierFoundShareOverAnOutage) {
  for (int i = 0; i < 5; ++i) refuse();
  auto const found = rate.per_second();
  rate.begin_slowly(now);
  EXPECT_DOUBLE_EQ(rate.per_second(), found);
}

TEST_F(ConnectRateTest, IsNotConfusedByATimeThatStandsStillOrGoesBack) {
  EXPECT_EQ(burst(), 4);
  now -= 1h;
  EXPECT_EQ(burst(), 0);
}

}  // namespace
}  // namespace belay::resilience
