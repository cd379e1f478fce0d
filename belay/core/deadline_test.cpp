#include "belay/core/deadline.hpp"

#include <gtest/gtest.h>

namespace belay {
namespace {

using namespace std::chrono_literals;

constexpr Deadline::time_point start{std::chrono::hours(1)};

TEST(Deadline, ExpiresAtItsInstantAndNotBefore) {
  auto const deadline = Deadline::at(start + 10s);
  EXPECT_FALSE(deadline.expired(start + 10s - 1ns));
  EXPECT_TRUE(deadline.expired(start + 10s));
  EXPECT_TRUE(deadline.expired(start + 11s));
}

TEST(Deadline, CountsDownToZeroAndStaysThere) {
  auto const deadline = Deadline::at(start + 10s);
  EXPECT_EQ(deadline.remaining(start), 10s);
  EXPECT_EQ(deadline.remaining(start + 10s), 0s);
  EXPECT_EQ(deadline.remaining(start + 20s), 0s);
}

TEST(Deadline, NeverNeverExpires) {
  auto const never = Deadline::never();
  EXPECT_TRUE(never.is_never());
  EXPECT_FALSE(never.expired());
  EXPECT_FALSE(never.expired(Deadline::time_point::max()));
  EXPECT_EQ(never.remaining(start), Deadline::duration::max());
}

TEST(Deadline, SaturatesInsteadOfOverflowing) {
  EXPECT_TRUE(Deadline::in(Deadline::duration::max()).is_never());
  EXPECT_FALSE(Deadline::in(1h).is_never());
}

TEST(Deadline, IsExpiredFromTheStartWithoutTime) {
  EXPECT_TRUE(Deadline::in(0s).expired());
  EXPECT_TRUE(Deadline::in(-1s).expired());
  EXPECT_FALSE(Deadline::in(1h).expired());
  EXPECT_GT(Deadline::in(1h).remaining(), 59min);
}

TEST(Deadline, TheEarlierOfTwoWins) {
  auto const early = Deadline::at(start);
  auto const late = Deadline::at(start + 1s);
  EXPECT_EQ(earlier(early, late), early);
  EXPECT_EQ(earlier(late, early), early);
  EXPECT_EQ(earlier(Deadline::never(), late), late);
}

}  // namespace
}  // namespace belay
