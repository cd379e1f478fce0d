#include "belay/testkit/shrinker.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/random.hpp"

namespace belay::testkit {
namespace {

std::size_t count(Selection const& selection) {
  return static_cast<std::size_t>(std::count(selection.begin(), selection.end(), true));
}

TEST(Shrinker, FindsTheElementsThatMatter) {
  auto const fails = [](Selection const& left_in) { return left_in[3] && left_in[17] && left_in[40]; };
  auto const shrunk = shrink(64, fails);
  EXPECT_EQ(count(shrunk.left_in), 3u);
  EXPECT_TRUE(fails(shrunk.left_in));
  EXPECT_TRUE(shrunk.is_minimal);
  EXPECT_LT(shrunk.runs, 200u);
}

TEST(Shrinker, EndsLocallyMinimalWhateverTheFailure) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    auto const size = 1 + random.below(20);
    // Fails with either of two groups, or with at least three of the first half: not monotonous in general.
    std::vector<Selection> groups(2, Selection(size));
    for (auto& group : groups) {
      for (std::size_t i = 0; i < size; ++i) group[i] = random.below(4) == 0;
    }
    auto const fails = [&](Selection const& left_in) {
      return std::any_of(groups.begin(), groups.end(), [&](Selection const& group) {
        for (std::size_t i = 0; i < size; ++i) {
          if (group[i] && !left_in[i]) return false;
        }
        return true;
      });
    };
    auto const shrunk = shrink(size, fails);
    EXPECT_TRUE(shrunk.is_minimal);
    EXPECT_TRUE(fails(shrunk.left_in));
    for (std::size_t i = 0; i < size; ++i) {
      if (!shrunk.left_in[i]) continue;
      auto smaller = shrunk.left_in;
      smaller[i] = false;
      EXPECT_FALSE(fails(smaller)) << "without " << i;
    }
  }
}

TEST(Shrinker, StopsAtItsBoundOfRuns) {
  std::size_t runs = 0;
  auto const fails = [&](Selection const& left_in) {
    ++runs;
    return left_in[0] && left_in[99];
  };
  auto const shrunk = shrink(100, fails, 5);
  EXPECT_EQ(runs, 5u);
  EXPECT_EQ(shrunk.runs, 5u);
  EXPECT_FALSE(shrunk.is_minimal);
}

TEST(Shrinker, NamesWhatIsLeft) {
  auto const shrunk = shrink(3, [](Selection const& left_in) { return bool(left_in[1]); });
  EXPECT_EQ(shrunk.describe({"client 1", "client 2", "partition"}),
            "1 of 3 elements fail (after " + std::to_string(shrunk.runs) + " runs, locally minimal): client 2");
  EXPECT_EQ(count(shrink(5, [](Selection const&) { return true; }).left_in), 0u) << "nothing is needed";
}

TEST(Shrinker, RefusesWhatDoesNotFail) {
  EXPECT_THROW(shrink(3, [](Selection const&) { return false; }), Error);
  EXPECT_THROW(shrink(
                   3, [](Selection const&) { return true; }, 0),
               Error);
}

}  // namespace
}  // namespace belay::testkit
