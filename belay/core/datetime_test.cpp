#include "belay/core/datetime.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/random.hpp"

namespace belay {
namespace {

using namespace std::chrono_literals;

constexpr auto int64_min = std::numeric_limits<std::int64_t>::min();
constexpr auto int64_max = std::numeric_limits<std::int64_t>::max();

std::string reprinted(std::string_view text) {
  auto const parsed = Datetime::parse(text);
  return parsed ? parsed->to_string() : "refused";
}

TEST(Datetime, ReadsAndWritesRfc3339) {
  auto const parsed = Datetime::parse("2024-01-02T03:04:05.678901234Z");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->seconds(), 1704164645);
  EXPECT_EQ(parsed->nanoseconds(), 678901234u);
  EXPECT_EQ(parsed->to_string(), "2024-01-02T03:04:05.678901234Z");
  EXPECT_EQ(Datetime().to_string(), "1970-01-01T00:00:00Z");
}

TEST(Datetime, CountsBackwardsBefore1970AndForwardsWithinTheSecond) {
  auto const parsed = Datetime::parse("1969-12-31T23:59:59.5Z");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->seconds(), -1);
  EXPECT_EQ(parsed->nanoseconds(), 500'000'000u);
  EXPECT_EQ(parsed->unix_nanoseconds(), -500'000'000);
}

TEST(Datetime, WritesTheShortestFractionOfThreeSixOrNineDigits) {
  EXPECT_EQ(reprinted("2024-01-02T03:04:05.5Z"), "2024-01-02T03:04:05.500Z");
  EXPECT_EQ(reprinted("2024-01-02T03:04:05.0000000Z"), "2024-01-02T03:04:05Z");
  EXPECT_EQ(reprinted("2024-01-02T03:04:05.00001Z"), "2024-01-02T03:04:05.000010Z");
  EXPECT_EQ(reprinted("2024-01-02T03:04:05.0000001Z"), "2024-01-02T03:04:05.000000100Z");
  EXPECT_EQ(reprinted("2024-01-02T03:04:05.999999999Z"), "2024-01-02T03:04:05.999999999Z");
}

TEST(Datetime, ConvertsOffsetsToUtc) {
  EXPECT_EQ(reprinted("2024-01-01T00:30:00+01:00"), "2023-12-31T23:30:00Z");
  EXPECT_EQ(reprinted("2024-02-28T23:30:00-23:59"), "2024-02-29T23:29:00Z");
  EXPECT_EQ(reprinted("2024-01-01T00:00:00-00:00"), "2024-01-01T00:00:00Z");
  EXPECT_EQ(reprinted("2024-01-01t00:00:00z"), "2024-01-01T00:00:00Z");
}

TEST(Datetime, KnowsLeapYears) {
  EXPECT_EQ(reprinted("2024-02-29T00:00:00Z"), "2024-02-29T00:00:00Z");
  EXPECT_EQ(reprinted("2000-02-29T00:00:00Z"), "2000-02-29T00:00:00Z");
  EXPECT_EQ(reprinted("0000-02-29T00:00:00Z"), "0000-02-29T00:00:00Z");
  EXPECT_EQ(reprinted("2023-02-29T00:00:00Z"), "refused");
  EXPECT_EQ(reprinted("1900-02-29T00:00:00Z"), "refused");
}

TEST(Datetime, ReachesFromTheYear0To9999) {
  EXPECT_EQ(reprinted("0000-01-01T00:00:00Z"), "0000-01-01T00:00:00Z");
  EXPECT_EQ(reprinted("9999-12-31T23:59:59.999999999Z"), "9999-12-31T23:59:59.999999999Z");
  EXPECT_EQ(reprinted("0000-01-01T00:00:00+00:01"), "refused");
  EXPECT_EQ(reprinted("9999-12-31T23:59:59-00:01"), "refused");
}

TEST(Datetime, RefusesEverythingElse) {
  for (auto const* text : {"",
                           "2024",
                           "2024-01-02",
                           "2024-01-02T03:04:05",
                           "2024-01-02 03:04:05Z",
                           "2024-01-02T03:04Z",
                           "2024-13-01T00:00:00Z",
                           "2024-00-01T00:00:00Z",
                           "2024-01-00T00:00:00Z",
                           "2024-04-31T00:00:00Z",
                           "2024-01-32T00:00:00Z",
                           "2024-01-02T24:00:00Z",
                           "2024-01-02T03:60:00Z",
                           "2024-01-02T03:04:60Z",
                           "2016-12-31T23:59:60Z",
                           "2024-01-02T03:04:05.Z",
                           "2024-01-02T03:04:05.1234567890Z",
                           "2024-01-02T03:04:05,5Z",
                           "2024-01-02T03:04:05+24:00",
                           "2024-01-02T03:04:05+01:60",
                           "2024-01-02T03:04:05+0100",
                           "2024-01-02T03:04:05+01",
                           "2024-01-02T03:04:05Z ",
                           " 2024-01-02T03:04:05Z",
                           "2024-1-2T03:04:05Z",
                           "-001-01-02T03:04:05Z",
                           "+2024-01-02T03:04:05Z",
                           "12024-01-02T03:04:05Z",
                           "2024-01-02T03:04:05ZZ",
                           "20240102T030405Z"}) {
    EXPECT_FALSE(Datetime::parse(text)) << text;
  }
  EXPECT_FALSE(Datetime::parse(std::string_view("2024-01-02T03:04:05Z\0", 21)));
}

TEST(Datetime, WritesEveryInt64SecondWithoutOverflow) {
  EXPECT_EQ(Datetime::from_unix(253402300800, 0).to_string(), "+10000-01-01T00:00:00Z");
  EXPECT_EQ(Datetime::from_unix(-62167219201, 0).to_string(), "-0001-12-31T23:59:59Z");
  EXPECT_EQ(Datetime::from_unix(8210266876799, 0).to_string(), "+262142-12-31T23:59:59Z");
  EXPECT_EQ(Datetime::from_unix(int64_max, 0).to_string(), "+292277026596-12-04T15:30:07Z");
  EXPECT_EQ(Datetime::from_unix(int64_min, 0).to_string(), "-292277022657-01-27T08:29:52Z");
}

TEST(Datetime, ConvertsToNanosecondsWhereTheyFit) {
  for (auto const count : {int64_min, int64_min + 1, std::int64_t{-1'000'000'000}, std::int64_t{-1}, std::int64_t{0},
                           std::int64_t{1}, std::int64_t{999'999'999}, int64_max}) {
    EXPECT_EQ(Datetime::from_unix_nanoseconds(count).unix_nanoseconds(), count);
  }
  EXPECT_EQ(Datetime::from_unix_nanoseconds(int64_max).to_string(), "2262-04-11T23:47:16.854775807Z");
  EXPECT_FALSE(Datetime::from_unix(9223372036, 854775808).unix_nanoseconds());
  EXPECT_FALSE(Datetime::from_unix(-9223372037, 145224191).unix_nanoseconds());
  EXPECT_FALSE(Datetime::from_unix(int64_max, 0).unix_nanoseconds());
  EXPECT_FALSE(Datetime::from_unix(int64_min, 999'999'999).unix_nanoseconds());
}

TEST(Datetime, RefusesNanosecondsOfAWholeSecond) {
  EXPECT_EQ(Datetime::from_unix(0, 999'999'999).nanoseconds(), 999'999'999u);
  EXPECT_THROW(Datetime::from_unix(0, 1'000'000'000), Error);
}

TEST(Datetime, IsOrderedByTime) {
  EXPECT_LT(Datetime::from_unix(-1, 999'999'999), Datetime());
  EXPECT_LT(Datetime::from_unix(5, 0), Datetime::from_unix(5, 1));
  EXPECT_EQ(*Datetime::parse("2024-01-01T01:00:00+01:00"), *Datetime::parse("2024-01-01T00:00:00Z"));
}

TEST(Datetime, FollowsTheSystemClock) {
  auto const time = std::chrono::system_clock::time_point(1704164645s + 678ms);
  EXPECT_EQ(Datetime::from(time).to_string(), "2024-01-02T03:04:05.678Z");
  EXPECT_GE(Datetime::now(), Datetime::from(std::chrono::system_clock::now() - 1h));
}

TEST(Datetime, RoundTripsRandomInstantsOfTheTextRange) {
  Random random(20240102);
  for (int i = 0; i < 20'000; ++i) {
    auto const seconds = static_cast<std::int64_t>(random.below(253402300800 + 62167219200)) - 62167219200;
    auto const time = Datetime::from_unix(seconds, static_cast<std::uint32_t>(random.below(1'000'000'000)));
    ASSERT_EQ(Datetime::parse(time.to_string()), time) << time.to_string();
  }
}

}  // namespace
}  // namespace belay
