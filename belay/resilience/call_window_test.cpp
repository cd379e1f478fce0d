#include "belay/resilience/call_window.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/random.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using time_point = Deadline::time_point;

constexpr auto start = time_point() + 17s;

struct Call {
  time_point at;
  bool failure;
  bool slow;
};

CallCounts& operator+=(CallCounts& counts, Call const& call) {
  ++counts.total;
  if (call.failure) ++counts.failures;
  if (call.slow) ++counts.slow;
  return counts;
}

TEST(TimeWindow, HoldsTheCurrentTenthAndTheNineBefore) {
  TimeWindow window(30s, start);
  window.add(true, false, start + 2999ms);
  window.add(true, true, start + 3s);
  window.expire(start + 30s - 1ns);
  EXPECT_EQ(window.counts(), (CallCounts{2, 2, 1}));
  window.expire(start + 30s);
  EXPECT_EQ(window.counts(), (CallCounts{1, 1, 1}));
  window.expire(start + 33s);
  EXPECT_EQ(window.counts(), CallCounts());
}

// B6
TEST(TimeWindow, EqualsARecountOfAllCalls) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    TimeWindow window(30s, start);
    std::vector<Call> calls;
    auto now = start;
    for (int i = 0; i < 400; ++i) {
      now += std::chrono::milliseconds(random.below(random.below(50) == 0 ? 60'000 : 800));
      calls.push_back({now, random.below(2) == 0, random.below(3) == 0});
      window.add(calls.back().failure, calls.back().slow, now);
      CallCounts expected;
      for (auto const& call : calls) {
        if ((call.at - start) / 3s > (now - start) / 3s - 10) expected += call;
      }
      ASSERT_EQ(window.counts(), expected);
    }
  }
}

// B6
TEST(CountWindow, EqualsARecountOfTheLastCalls) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    CountWindow window(20, 10s);
    std::vector<Call> calls;
    auto now = start;
    for (int i = 0; i < 400; ++i) {
      now += std::chrono::milliseconds(random.below(random.below(50) == 0 ? 12'000 : 1500));
      calls.push_back({now, random.below(2) == 0, random.below(3) == 0});
      window.add(calls.back().failure, calls.back().slow, now);
      CallCounts expected;
      for (auto call = calls.rbegin(); call != calls.rend() && expected.total < 20 && now - call->at < 10s; ++call) {
        expected += *call;
      }
      ASSERT_EQ(window.counts(), expected);
    }
  }
}

TEST(CallWindows, BearPausesUpToTheEndOfTime) {
  TimeWindow time(30s, start);
  CountWindow count(5, 10s);
  time.add(true, true, start);
  count.add(true, true, start);
  time.expire(time_point::max());
  count.expire(time_point::max());
  EXPECT_EQ(time.counts(), CallCounts());
  EXPECT_EQ(count.counts(), CallCounts());
  time.add(true, false, start);
  count.add(true, false, start);
  EXPECT_EQ(time.counts(), (CallCounts{1, 1, 0}));
  EXPECT_EQ(count.counts(), (CallCounts{1, 1, 0}));
}

}  // namespace
}  // namespace belay::resilience
