#include "belay/resilience/deadline_propagation.hpp"

#include <limits>

#include <gtest/gtest.h>

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;

constexpr Deadline::time_point now = Deadline::time_point() + 1000h;

TEST(DeadlinePropagation, ImportsWhatIsLeftAndClampsNonsense) {
  EXPECT_EQ(import_remaining(1500, now), Deadline::at(now + 1500ms));
  EXPECT_TRUE(import_remaining(0, now).expired(now)) << "a deadline of zero fails before any work";
  EXPECT_TRUE(import_remaining(-1, now).expired(now));
  EXPECT_TRUE(import_remaining(std::numeric_limits<std::int64_t>::min(), now).expired(now));
  EXPECT_EQ(import_remaining(std::numeric_limits<std::int64_t>::max(), now), Deadline::at(now + 1h));
}

TEST(DeadlinePropagation, ExportsWholeMillisecondsRoundedDown) {
  EXPECT_EQ(export_remaining(Deadline::at(now + 1500ms + 999us), now), 1500);
  EXPECT_EQ(export_remaining(Deadline::at(now + 999us), now), 0);
  EXPECT_EQ(export_remaining(Deadline::at(now - 1h), now), 0);
  EXPECT_EQ(export_remaining(Deadline::at(now + 100h), now), 3'600'000);
  EXPECT_EQ(export_remaining(Deadline::never(), now), std::nullopt) << "nothing is said where nothing is set";
}

TEST(DeadlinePropagation, NeverGivesTheCalledMoreThanTheCallerHas) {
  for (auto left = 0us; left < 20ms; left += 137us) {
    auto const ours = Deadline::at(now + left);
    EXPECT_LE(import_remaining(*export_remaining(ours, now), now), ours);
  }
}

TEST(WorkDeadline, KeepsTheLastTwentiethForTheFallback) {
  auto const in = [](auto left) { return Deadline::at(now + left); };
  EXPECT_EQ(work_deadline(in(10s), Fallback::available, now), in(9500ms));
  EXPECT_EQ(work_deadline(in(100ms), Fallback::available, now), in(95ms));
  EXPECT_EQ(work_deadline(in(50ms), Fallback::available, now), in(45ms)) << "at least 5 ms";
  EXPECT_EQ(work_deadline(in(3ms), Fallback::available, now), in(0ms)) << "no time but for the fallback";
  EXPECT_EQ(work_deadline(in(-3ms), Fallback::available, now), in(-3ms));
  EXPECT_EQ(work_deadline(in(10s), Fallback::none, now), in(10s));
  EXPECT_EQ(work_deadline(Deadline::never(), Fallback::available, now), Deadline::never());
}

}  // namespace
}  // namespace belay::resilience
