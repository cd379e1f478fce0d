#include "belay/pool/expiry_schedule.hpp"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/random.hpp"

namespace {

using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;

// P16, by its own model: connections come and go at random, planned instants keep their distance.
TEST(ExpirySchedule, NeverPlansTwoWithinAGap) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    auto const connections = 1 + random.below(20);
    auto const lifetime = std::chrono::nanoseconds(100s);
    auto const gap = lifetime / static_cast<std::int64_t>(connections);
    Deadline::time_point now{std::chrono::seconds(random.below(10'000))};
    ExpirySchedule schedule(lifetime, gap, now + std::chrono::nanoseconds(random.below(1'000'000'000)));
    std::vector<ExpirySchedule::Plan> plans;
    for (int i = 0; i < 300; ++i) {
      now += std::chrono::milliseconds(random.below(4000));
      if (plans.size() < connections && random.below(2) == 0) {
        auto const plan = schedule.plan(now, now + lifetime - std::chrono::milliseconds(random.below(10'000)));
        EXPECT_GT(plan.at, now);
        EXPECT_LE(plan.at, now + lifetime);
        EXPECT_NE(plan.ticket, ExpirySchedule::no_ticket);
        plans.push_back(plan);
      } else if (!plans.empty()) {
        auto const which = random.below(plans.size());
        schedule.give_back(plans[which].ticket);
        plans.erase(plans.begin() + static_cast<std::ptrdiff_t>(which));
      }
      std::vector<Deadline::time_point> ahead;
      for (auto const& plan : plans) {
        if (plan.at > now) ahead.push_back(plan.at);
      }
      std::sort(ahead.begin(), ahead.end());
      for (std::size_t k = 1; k < ahead.size(); ++k) EXPECT_GE(ahead[k] - ahead[k - 1], gap);
    }
  }
}

TEST(ExpirySchedule, TakesTheLatestInstantThatSuits) {
  Deadline::time_point const now{1000s};
  ExpirySchedule schedule(100s, 10s, now);
  EXPECT_EQ(schedule.plan(now, now + 95s).at, now + 90s);
  EXPECT_EQ(schedule.plan(now, now + 95s).at, now + 80s);
}

TEST(ExpirySchedule, GoesBeyondTheWishRatherThanSharingAnInstant) {
  Deadline::time_point const now{1000s};
  ExpirySchedule schedule(100s, 50s, now);
  EXPECT_EQ(schedule.plan(now, now + 60s).at, now + 50s);
  EXPECT_EQ(schedule.plan(now, now + 60s).at, now + 100s);
  EXPECT_EQ(schedule.plan(now, now + 60s).ticket, ExpirySchedule::no_ticket) << "both instants are taken";
}

}  // namespace
