#include "belay/resilience/server_timeout.hpp"

#include <gtest/gtest.h>

#include "belay/core/random.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

TEST(ServerTimeout, RoundsUpToTheNextStep) {
  EXPECT_EQ(server_timeout(1ns), 50ms);
  EXPECT_EQ(server_timeout(50ms), 50ms);
  EXPECT_EQ(server_timeout(50ms + 1ns), 100ms);
  EXPECT_EQ(server_timeout(101ms), 250ms);
  EXPECT_EQ(server_timeout(251ms), 500ms);
  EXPECT_EQ(server_timeout(501ms), 1s);
  EXPECT_EQ(server_timeout(1001ms), 2s);
  EXPECT_EQ(server_timeout(3s), 5s);
  EXPECT_EQ(server_timeout(6s), 10s);
  EXPECT_EQ(server_timeout(11s), 30s);
  EXPECT_EQ(server_timeout(30s), 30s);
  EXPECT_EQ(server_timeout(30s + 1ns), 60s);
  EXPECT_EQ(server_timeout(45s), 60s);
  EXPECT_EQ(server_timeout(61s), 90s);
}

TEST(ServerTimeout, IsNoneWithoutADeadlineAndBeyondWhatEnginesAccept) {
  EXPECT_EQ(server_timeout(Deadline::never(), Deadline::time_point()), std::nullopt);
  EXPECT_EQ(server_timeout(24h * 30), std::nullopt);
  EXPECT_EQ(server_timeout(nanoseconds::max() - 1ns), std::nullopt);
}

// D3: never shorter than what the caller has left, never longer than one step of the grid.
TEST(ServerTimeout, NeverEndsEarlierThanTheCallerAndAtMostAStepLaterD3) {
  Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    auto const remaining = nanoseconds(1 + static_cast<nanoseconds::rep>(random.below(1ull << random.below(46))));
    auto const timeout = server_timeout(remaining);
    ASSERT_TRUE(timeout) << remaining.count();
    ASSERT_GE(*timeout, remaining);
    // The step below is too short, so nothing between would have done.
    std::chrono::milliseconds below = *timeout - 30s;
    for (auto const step : {50ms, 100ms, 250ms, 500ms, 1000ms, 2000ms, 5000ms, 10'000ms}) {
      if (*timeout <= 30s && step < *timeout) below = step;
    }
    ASSERT_TRUE(*timeout == 50ms || remaining > below) << remaining.count();
  }
}

}  // namespace
}  // namespace belay::resilience
