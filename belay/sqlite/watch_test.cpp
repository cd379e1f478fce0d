#include "belay/sqlite/watch.hpp"

#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace belay::sqlite {
namespace {

using namespace std::chrono_literals;
using clock = Deadline::clock;

TEST(Watch, LooksAtTheEarliestInstantAskedFor) {
  Watch watch;
  auto const begun = clock::now();
  watch.wake_by(begun + 10s);
  watch.wake_by(begun + 20ms);
  watch.wake_by(begun + 5s);
  clock::time_point looked{};
  watch.run([&](auto now) {
    looked = now;
    return Watch::Next{now, true};
  });
  EXPECT_GE(looked, begun + 20ms);
  EXPECT_LT(looked, begun + 5s);
}

TEST(Watch, ComesBackWhenTheLookAsksForIt) {
  Watch watch;
  watch.wake_now();
  std::vector<clock::time_point> looks;
  watch.run([&](auto now) {
    looks.push_back(now);
    return Watch::Next{now + 5ms, looks.size() == 3};
  });
  ASSERT_EQ(looks.size(), 3U);
  EXPECT_GE(looks[1], looks[0] + 5ms);
  EXPECT_GE(looks[2], looks[1] + 5ms);
}

TEST(Watch, LosesNoRequestMadeWhileItLooks) {
  Watch watch;
  watch.wake_now();
  int looks = 0;
  watch.run([&](auto now) {
    if (++looks == 1) watch.wake_by(now + 1ms);
    return Watch::Next{clock::time_point::max(), looks == 2};
  });
  EXPECT_EQ(looks, 2);
}

TEST(Watch, IsWokenByAnotherThread) {
  Watch watch;
  auto loop = std::async(std::launch::async, [&] { watch.run([](auto now) { return Watch::Next{now, true}; }); });
  EXPECT_EQ(loop.wait_for(10ms), std::future_status::timeout);
  watch.wake_now();
  EXPECT_EQ(loop.wait_for(10s), std::future_status::ready);
}

}  // namespace
}  // namespace belay::sqlite
