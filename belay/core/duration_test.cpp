#include "belay/core/duration.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/random.hpp"

namespace belay {
namespace {

using namespace std::chrono_literals;

constexpr auto seconds_max = std::numeric_limits<std::int64_t>::max();

std::string reprinted(std::string_view text) {
  auto const parsed = Duration::parse(text);
  return parsed ? parsed->to_string() : "refused";
}

TEST(Duration, ReadsAndWritesEveryUnit) {
  EXPECT_EQ(reprinted("1y2w3d4h5m6s7ms8\u00b5s9ns"), "1y2w3d4h5m6s7ms8\u00b5s9ns");
  EXPECT_EQ(*Duration::parse("1h30m"), Duration(5400, 0));
  EXPECT_EQ(*Duration::parse("1y"), Duration(365 * 86400, 0));
  EXPECT_EQ(*Duration::parse("7us"), *Duration::parse("7\u00b5s"));
  EXPECT_EQ(*Duration::parse("7\u03bcs"), Duration(0, 7000));
  EXPECT_EQ(Duration().to_string(), "0ns");
}

TEST(Duration, WritesTheLargestUnitsAndLeavesOutZeroParts) {
  EXPECT_EQ(reprinted("90m"), "1h30m");
  EXPECT_EQ(reprinted("60s"), "1m");
  EXPECT_EQ(reprinted("1500ms"), "1s500ms");
  EXPECT_EQ(reprinted("0s0ns"), "0ns");
  EXPECT_EQ(reprinted("370d"), "1y5d");
}

TEST(Duration, AddsPartsInAnyOrder) {
  EXPECT_EQ(*Duration::parse("1s1h1s"), Duration(3602, 0));
  EXPECT_EQ(*Duration::parse("999999999ns1ns"), Duration(1, 0));
  EXPECT_EQ(*Duration::parse("999ms999999us1000ns"), Duration(1, 999'000'000));
}

TEST(Duration, RefusesEverythingElse) {
  for (auto const* text :
       {"", "5", "s", "1.5s", "1h 30m", " 1s", "1s ", "-1s", "+1s", "1S", "1mo", "1sec", "1h30", "0x1s",
        "9223372036854775808s", "9223372036854775807s1s", "9223372036854775807m", "1\xc2s"}) {
    EXPECT_FALSE(Duration::parse(text)) << text;
  }
}

TEST(Duration, ReachesTheLastNanosecondOfItsRange) {
  Duration const longest(seconds_max, 999'999'999);
  EXPECT_EQ(Duration::parse(longest.to_string()), longest);
  EXPECT_EQ(*Duration::parse("9223372036854775807s"), Duration(seconds_max, 0));
  EXPECT_FALSE(Duration::parse(longest.to_string() + "1ns"));
}

TEST(Duration, ConvertsFromAndToChrono) {
  EXPECT_EQ(Duration::from(90s).to_string(), "1m30s");
  EXPECT_EQ(Duration::from(1500ms).nanoseconds(), 1500ms);
  EXPECT_EQ(Duration::from(std::chrono::nanoseconds::max()).nanoseconds(), std::chrono::nanoseconds::max());
  EXPECT_FALSE(Duration(9223372036, 854775808).nanoseconds());
  EXPECT_FALSE(Duration(seconds_max, 0).nanoseconds());
  EXPECT_EQ(Duration(3, 4).subsecond_nanoseconds(), 4u);
}

TEST(Duration, IsNeverNegativeNorCarriesNanoseconds) {
  EXPECT_THROW(Duration::from(-1ns), Error);
  EXPECT_THROW(Duration(-1, 0), Error);
  EXPECT_THROW(Duration(0, 1'000'000'000), Error);
}

TEST(Duration, IsOrderedByLength) {
  EXPECT_LT(*Duration::parse("59m59s"), *Duration::parse("1h"));
  EXPECT_LT(Duration(1, 0), Duration(1, 1));
}

TEST(Duration, RoundTripsRandomLengths) {
  Random random(1);
  for (int i = 0; i < 10'000; ++i) {
    Duration const duration(static_cast<std::int64_t>(random.next() >> (1 + random.below(62))),
                            static_cast<std::uint32_t>(random.below(1'000'000'000)));
    ASSERT_EQ(Duration::parse(duration.to_string()), duration) << duration.to_string();
  }
}

}  // namespace
}  // namespace belay
