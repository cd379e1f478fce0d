#include "belay/testkit/buggify.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace belay::testkit {
namespace {

std::string pattern(Buggify& buggify, std::string_view point, int hits = 200) {
  std::string text;
  for (int i = 0; i < hits; ++i) text += buggify.decide(point) ? '1' : '0';
  return text;
}

TEST(Buggify, IsFalseUnlessASimulationRuns) { EXPECT_FALSE(buggify("anywhere")); }

TEST(Buggify, AsksTheInstalledOne) {
  Buggify outer(Random(1));
  outer.set("point", 1);
  {
    auto const installed = outer.install();
    EXPECT_EQ(buggify("point"), is_buggify_compiled);
    Buggify inner(Random(1));
    inner.set("point", 0);
    {
      auto const nested = inner.install();
      EXPECT_FALSE(buggify("point"));
    }
    EXPECT_EQ(buggify("point"), is_buggify_compiled);
  }
  EXPECT_FALSE(buggify("point"));
}

TEST(Buggify, RepeatsASeedAndMixesDifferentlyUnderAnother) {
  int active = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Buggify first{Random(seed)};
    Buggify second{Random(seed)};
    (void)pattern(second, "another point, met before");
    auto const one = pattern(first, "point");
    EXPECT_EQ(one, pattern(second, "point")) << "seed " << seed << ": a neighbour must not shift it";
    if (one.find('1') != std::string::npos) ++active;
  }
  EXPECT_GT(active, 20) << "active in about a quarter of the seeds";
  EXPECT_LT(active, 90);
}

TEST(Buggify, FiresAnActivePointNowAndThen) {
  Buggify buggify(Random(1), {.active_least = 1, .active_most = 1, .fire_least = 0.1, .fire_most = 0.1});
  auto const fired = pattern(buggify, "point", 10000);
  EXPECT_NEAR(static_cast<double>(std::count(fired.begin(), fired.end(), '1')), 1000, 120);
}

TEST(Buggify, ListsThePointsThatWereMet) {
  Buggify buggify(Random(1));
  buggify.set("always", 1);
  buggify.set("not met", 1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(buggify.decide("always"));
  (void)buggify.decide("another");
  auto const points = buggify.points();
  ASSERT_EQ(points.size(), 2u);
  EXPECT_EQ(points[0].name, "always");
  EXPECT_EQ(points[0].hits, 3u);
  EXPECT_EQ(points[0].fired, 3u);
  EXPECT_EQ(points[1].name, "another");
}

TEST(Buggify, RefusesNonsense) {
  EXPECT_THROW(Buggify(Random(1), {.active_least = 0.6, .active_most = 0.5}), Error);
  EXPECT_THROW(Buggify(Random(1), {.fire_least = 0}), Error);
  EXPECT_THROW(Buggify(Random(1), {.fire_most = 1.1}), Error);
  EXPECT_THROW(Buggify(Random(1)).set("point", 2), Error);
}

}  // namespace
}  // namespace belay::testkit
