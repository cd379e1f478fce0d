#include "belay/core/uuid.hpp"

#include <limits>
#include <unordered_set>

#include <gtest/gtest.h>

#include "belay/core/datetime.hpp"
#include "belay/core/random.hpp"

namespace belay {
namespace {

constexpr std::string_view example = "018e3c3c-1111-7abc-8def-0123456789ab";

TEST(Uuid, ReadsEitherCaseAndWritesLowerCase) {
  EXPECT_EQ(Uuid::parse(example)->to_string(), example);
  EXPECT_EQ(Uuid::parse("018E3C3C-1111-7ABC-8DEF-0123456789AB"), Uuid::parse(example));
  EXPECT_EQ(Uuid().to_string(), "00000000-0000-0000-0000-000000000000");
  EXPECT_EQ(Uuid::parse(example)->octets()[0], 0x01);
  EXPECT_EQ(Uuid::parse(example)->octets()[15], 0xab);
}

TEST(Uuid, RefusesEverythingElse) {
  for (auto const* text : {"", "018e3c3c11117abc8def0123456789ab", "{018e3c3c-1111-7abc-8def-0123456789ab}",
                           "018e3c3c-1111-7abc-8def-0123456789a", "018e3c3c-1111-7abc-8def-0123456789abc",
                           "018e3c3c-1111-7abc-8def-0123456789ag", "018e3c3c-11117-abc-8def-0123456789ab",
                           "018e3c3c_1111-7abc-8def-0123456789ab", " 18e3c3c-1111-7abc-8def-0123456789ab"}) {
    EXPECT_FALSE(Uuid::parse(text)) << text;
  }
}

TEST(Uuid, MakesRandomOnesOfVersion4) {
  Random random(1);
  std::unordered_set<Uuid> seen;
  for (int i = 0; i < 1000; ++i) {
    auto const uuid = Uuid::v4(random);
    EXPECT_EQ(uuid.version(), 4);
    EXPECT_EQ(uuid.octets()[8] >> 6, 2) << "the variant of RFC 9562";
    EXPECT_TRUE(seen.insert(uuid).second);
  }
}

TEST(Uuid, MakesTimeOrderedOnesOfVersion7) {
  Random random(1);
  auto const time = *Datetime::parse("2022-02-22T19:22:22Z");  // the example of RFC 9562, appendix A.6
  auto const uuid = Uuid::v7(time, random);
  EXPECT_EQ(uuid.to_string().substr(0, 14), "017f22e2-79b0-");
  EXPECT_EQ(uuid.version(), 7);
  EXPECT_EQ(uuid.octets()[8] >> 6, 2);
  EXPECT_NE(Uuid::v7(time, random), uuid);
  EXPECT_LT(uuid, Uuid::v7(Datetime::from_unix(time.seconds(), 1'000'000), random));
}

TEST(Uuid, ClampsTimesThatVersion7CannotHold) {
  Random random(1);
  auto const front = [&](std::int64_t seconds) {
    return Uuid::v7(Datetime::from_unix(seconds, 999'999'999), random).to_string().substr(0, 13);
  };
  EXPECT_EQ(front(-1), "00000000-0000");
  EXPECT_EQ(front(std::numeric_limits<std::int64_t>::min()), "00000000-0000");
  EXPECT_EQ(front(std::numeric_limits<std::int64_t>::max()), "ffffffff-ffff");
}

TEST(Uuid, IsOrderedByItsBytes) {
  EXPECT_LT(Uuid(), *Uuid::parse(example));
  EXPECT_LT(*Uuid::parse("7f000000-0000-0000-0000-000000000000"), *Uuid::parse("80000000-0000-0000-0000-000000000000"));
}

}  // namespace
}  // namespace belay
