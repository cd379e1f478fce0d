#include "belay/core/clock.hpp"

#include <gtest/gtest.h>

namespace belay {
namespace {

using namespace std::chrono_literals;

TEST(SystemClock, NeverRunsBackwards) {
  auto const& clock = system_clock();
  auto last = clock.now();
  auto last_since_boot = clock.since_boot();
  for (int i = 0; i < 1000; ++i) {
    auto const now = clock.now();
    auto const since_boot = clock.since_boot();
    ASSERT_GE(now, last);
    ASSERT_GE(since_boot, last_since_boot);
    last = now;
    last_since_boot = since_boot;
  }
  EXPECT_GT(last_since_boot, 0ns);
}

TEST(SystemClock, AgreesWithTheStandardClocks) {
  auto const before = std::chrono::steady_clock::now();
  EXPECT_GE(system_clock().now(), before);
  EXPECT_GE(system_clock().wall(), Datetime::from(std::chrono::system_clock::now() - 1h));
  EXPECT_LE(system_clock().wall(), Datetime::from(std::chrono::system_clock::now() + 1h));
}

}  // namespace
}  // namespace belay
