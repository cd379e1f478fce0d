#include "belay/core/random.hpp"

#include <array>
#include <limits>

#include <gtest/gtest.h>

namespace belay {
namespace {

TEST(Random, FollowsItsPublishedAlgorithm) {
  // xoshiro256** whose state is the first four numbers of splitmix64 from seed 0, computed independently.
  Random random(0);
  EXPECT_EQ(random.next(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(random.next(), 0xbf6e1f784956452au);
  EXPECT_EQ(random.next(), 0x1a5f849d4933e6e0u);
}

TEST(Random, RepeatsItselfFromTheSameSeed) {
  Random a(42), b(42), other(43);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    auto const number = a.next();
    EXPECT_EQ(number, b.next());
    differs = differs || number != other.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, ForksByLabelWhateverWasDrawnBefore) {
  Random untouched(7);
  Random used(7);
  for (int i = 0; i < 10; ++i) used.next();
  EXPECT_EQ(untouched.fork("pool").next(), used.fork("pool").next());
  EXPECT_NE(untouched.fork("pool").next(), untouched.fork("breaker").next());
  EXPECT_NE(untouched.fork("").next(), Random(7).next());
  EXPECT_NE(untouched.fork("a").fork("b").next(), untouched.fork("b").fork("a").next());
  EXPECT_NE(Random(8).fork("pool").next(), untouched.fork("pool").next());
}

TEST(Random, StaysBelowItsBoundAndReachesAllOfIt) {
  Random random(3);
  std::array<int, 6> counts{};
  for (int i = 0; i < 6000; ++i) ++counts.at(random.below(6));
  for (auto const count : counts) {
    EXPECT_GT(count, 850);  // 1000 expected, standard deviation 29
    EXPECT_LT(count, 1150);
  }
  EXPECT_EQ(random.below(1), 0u);
  for (int i = 0; i < 1000; ++i) ASSERT_LT(random.below((std::uint64_t{1} << 63) + 1), (std::uint64_t{1} << 63) + 1);
}

TEST(Random, IsUnbiasedWhereRejectionMatters) {
  // Of 3 * 2^62 values a plain multiplication would give the thirds different weights.
  Random random(5);
  constexpr std::uint64_t third = std::uint64_t{1} << 62;
  std::array<int, 3> counts{};
  for (int i = 0; i < 30'000; ++i) ++counts.at(random.below(3 * third) / third);
  for (auto const count : counts) EXPECT_NEAR(count, 10'000, 400);
}

TEST(Random, IsUniformFromZeroToLessThanOne) {
  Random random(9);
  double sum = 0, lowest = 1, highest = 0;
  for (int i = 0; i < 10'000; ++i) {
    auto const number = random.uniform();
    ASSERT_GE(number, 0.0);
    ASSERT_LT(number, 1.0);
    sum += number;
    lowest = std::min(lowest, number);
    highest = std::max(highest, number);
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
  EXPECT_LT(lowest, 0.01);
  EXPECT_GT(highest, 0.99);
}

TEST(Random, DiffersBetweenTwoEntropySeeds) { EXPECT_NE(Random::from_entropy().next(), Random::from_entropy().next()); }

}  // namespace
}  // namespace belay
