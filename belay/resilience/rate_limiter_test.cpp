#include "belay/resilience/rate_limiter.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/random.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using time_point = Deadline::time_point;

constexpr auto start = time_point() + 1h;

struct Admitted {
  time_point at;
  std::uint32_t n;
};

/// L1: in any window [at of one admission, at of another] no more than rate * w + burst permits.
void expect_within_limit(std::vector<Admitted> admitted, RateLimit const& limit) {
  std::stable_sort(admitted.begin(), admitted.end(), [](auto const& a, auto const& b) { return a.at < b.at; });
  for (std::size_t first = 0; first < admitted.size(); ++first) {
    double permits = 0;
    for (std::size_t last = first; last < admitted.size(); ++last) {
      permits += admitted[last].n;
      auto const window = std::chrono::duration<double>(admitted[last].at - admitted[first].at).count();
      ASSERT_LE(permits, limit.per_second * window + limit.burst + 1e-6)
          << "between admissions " << first << " and " << last;
    }
  }
}

TEST(RateLimiter, GivesTheBurstAndThenTheRate) {
  RateLimiter limiter({.per_second = 10, .burst = 3}, start);
  EXPECT_EQ(limiter.remaining(start), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.try_acquire(start));
  auto const refusal = limiter.try_acquire(start);
  EXPECT_FALSE(refusal);
  EXPECT_EQ(refusal.retry_after, 100ms);
  EXPECT_FALSE(limiter.try_acquire(start + 100ms - 1ns));
  EXPECT_TRUE(limiter.try_acquire(start + 100ms));
  EXPECT_FALSE(limiter.try_acquire(start + 250ms, 2));
  EXPECT_TRUE(limiter.try_acquire(start + 300ms, 2));
  EXPECT_EQ(limiter.remaining(start + 500ms), 2u);
}

TEST(RateLimiter, PromisesWaitsInTheOrderOfTheirRequests) {
  RateLimiter limiter({.per_second = 10, .burst = 1}, start);
  EXPECT_EQ(limiter.reserve(start, Deadline::never()).wait, 0ns);
  EXPECT_EQ(limiter.reserve(start, Deadline::never()).wait, 100ms);
  EXPECT_EQ(limiter.reserve(start, Deadline::never()).at, start + 200ms);
  EXPECT_FALSE(limiter.try_acquire(start + 250ms)) << "nobody overtakes those who wait";
  EXPECT_TRUE(limiter.try_acquire(start + 300ms));
}

// L1
TEST(RateLimiterProperty, NeverExceedsRateAndBurstInAnyWindow) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    RateLimit const limit{.per_second = 0.5 + 200 * random.uniform(),
                          .burst = static_cast<std::uint32_t>(1 + random.below(12)),
                          .wait_max = 3s};
    RateLimiter limiter(limit, start);
    std::vector<Admitted> admitted;
    std::vector<std::pair<RateReservation, std::uint32_t>> reservations;
    auto now = start;
    for (int i = 0; i < 500; ++i) {
      now += nanoseconds(static_cast<std::int64_t>(3e9 / limit.per_second * random.uniform()));
      if (random.below(40) == 0) now += 10s;
      auto const n = static_cast<std::uint32_t>(1 + random.below(limit.burst));
      switch (random.below(8)) {
        case 0: limiter.overloaded(now); break;  // a lower rate must not hand out another burst
        case 1:
          if (!reservations.empty()) {
            auto const last = reservations.back();
            if (limiter.cancel(last.first, now)) {
              auto const given_back = std::find_if(admitted.rbegin(), admitted.rend(), [&](auto const& one) {
                return one.at == last.first.at && one.n == last.second;
              });
              ASSERT_NE(given_back, admitted.rend());
              admitted.erase(std::next(given_back).base());
            }
            reservations.pop_back();
          }
          break;
        case 2:
        case 3:
          if (auto const reservation = limiter.reserve(now, Deadline::at(now + 2s), n)) {
            admitted.push_back({reservation.at, n});
            reservations.emplace_back(reservation, n);
          }
          break;
        default:
          if (limiter.try_acquire(now, n)) admitted.push_back({now, n});
      }
    }
    ASSERT_GT(admitted.size(), 20u);
    expect_within_limit(admitted, limit);
  }
}

// L2
TEST(RateLimiterProperty, LeavesTheStateAsItWasToTheBitWhenItRefuses) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    RateLimiter limiter({.per_second = 50, .burst = 5, .wait_max = 200ms}, start);
    auto now = start;
    int refused = 0;
    for (int i = 0; i < 300; ++i) {
      now += std::chrono::milliseconds(random.below(30));
      auto const n = static_cast<std::uint32_t>(1 + random.below(5));
      auto const deadline =
          random.below(3) == 0 ? Deadline::never() : Deadline::at(now + std::chrono::milliseconds(random.below(100)));
      auto const tat = limiter.tat_ns();
      auto const longest = std::min<nanoseconds>(deadline.remaining(now), 200ms);
      if (auto const reservation = limiter.reserve(now, deadline, n)) {
        EXPECT_LE(reservation.wait, longest);
        EXPECT_NE(limiter.tat_ns(), tat);
      } else {
        ++refused;
        EXPECT_TRUE(reservation.wait > longest || deadline.expired(now + reservation.wait));
        ASSERT_EQ(limiter.tat_ns(), tat);
      }
      auto const before_try = limiter.tat_ns();
      if (!limiter.try_acquire(now, n)) {
        ASSERT_EQ(limiter.tat_ns(), before_try);
      }
    }
    EXPECT_GT(refused, 20);
  }
}

TEST(RateLimiter, TakesBackOnlyTheLatestReservation) {
  RateLimiter limiter({.per_second = 1, .burst = 1}, start);
  ASSERT_TRUE(limiter.try_acquire(start));
  auto const second = limiter.reserve(start, Deadline::never());
  auto const third = limiter.reserve(start, Deadline::never());
  EXPECT_FALSE(limiter.cancel(second, start)) << "the third was promised on top of it";
  EXPECT_TRUE(limiter.cancel(third, start));
  EXPECT_TRUE(limiter.cancel(second, start)) << "now it is the latest";
  EXPECT_EQ(limiter.reserve(start, Deadline::never()).at, second.at);
  EXPECT_FALSE(limiter.cancel(second, second.at)) << "its time has come";
}

TEST(RateLimiter, SlowsDownOnOverloadAndRecovers) {
  RateLimiter limiter({.per_second = 100, .burst = 1}, start);
  EXPECT_EQ(limiter.share(start), 1);
  limiter.overloaded(start);
  EXPECT_NEAR(limiter.share(start), 0.7, 1e-5);
  limiter.overloaded(start);
  EXPECT_NEAR(limiter.share(start), 0.49, 1e-5);
  EXPECT_NEAR(limiter.share(start + 2s), 0.59, 1e-5);
  ASSERT_TRUE(limiter.try_acquire(start));
  auto const wait = limiter.try_acquire(start).retry_after;
  EXPECT_NEAR(static_cast<double>(wait.count()), 10e6 / 0.49, 1e3) << "a permit costs more, and is still to be had";
  EXPECT_TRUE(limiter.try_acquire(start + wait));
  EXPECT_NEAR(limiter.share(start + 10s), 0.99, 1e-5);
  EXPECT_EQ(limiter.share(start + 11s), 1);
  for (int i = 0; i < 100; ++i) limiter.overloaded(start + 20s);
  EXPECT_EQ(limiter.share(start + 20s), RateLimiter::share_min);
}

// At its deadline a call has expired: it would pay for a turn that it cannot take.
TEST(RateLimiter, RefusesATurnAtTheVeryDeadlineAndTakesNothing) {
  RateLimiter limiter({.per_second = 10, .burst = 1}, start);
  ASSERT_TRUE(limiter.reserve(start, Deadline::never()));
  auto const before = limiter.tat_ns();
  EXPECT_FALSE(limiter.reserve(start, Deadline::at(start + 100ms)));
  EXPECT_EQ(limiter.tat_ns(), before);
  EXPECT_TRUE(limiter.reserve(start, Deadline::at(start + 100ms + 1ns)));
}

TEST(RateLimiter, SaysWhatCannotBeAsked) {
  RateLimiter limiter({.per_second = 1, .burst = 5}, start);
  EXPECT_THROW((void)limiter.try_acquire(start, 0), Error);
  EXPECT_THROW((void)limiter.reserve(start, Deadline::never(), 6), Error);
  EXPECT_THROW(RateLimiter({.per_second = 0}, start), Error);
  EXPECT_THROW(RateLimiter({.per_second = std::numeric_limits<double>::quiet_NaN()}, start), Error);
  EXPECT_THROW(RateLimiter({.burst = 0}, start), Error);
  EXPECT_THROW(RateLimiter({.per_second = 0.001, .burst = 1'000'000}, start), Error) << "centuries to refill";
  EXPECT_THROW(RateLimiter({.wait_max = -1s}, start), Error);
}

TEST(RateLimiter, BearsTheEndOfTime) {
  RateLimiter limiter({.per_second = 0.001, .burst = 1000}, start);
  for (auto const now : {time_point::max() - 1ns, time_point::max(), start}) {
    (void)limiter.try_acquire(now, 1000);
    (void)limiter.reserve(now, Deadline::never(), 1000);
    limiter.overloaded(now);
    EXPECT_LE(limiter.remaining(now), 1000u);
  }
}

// L1 among threads: the cell never gives a permit twice. Run under ThreadSanitizer.
TEST(RateLimiterThreads, ShareOneCellWithoutExceedingIt) {
  RateLimit const limit{.per_second = 1000, .burst = 50, .wait_max = 1s};
  RateLimiter limiter(limit, start);
  constexpr int threads = 4;
  constexpr int calls = 20'000;
  std::atomic<int> ticks{0};  // the clock all share: 100 us each
  std::vector<std::vector<Admitted>> admitted(threads);
  std::vector<std::thread> running;
  for (int thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      Random random(static_cast<std::uint64_t>(thread));
      auto& mine = admitted[static_cast<std::size_t>(thread)];
      for (int i = 0; i < calls; ++i) {
        auto const now = start + ticks.fetch_add(1) * 100us;
        auto const n = static_cast<std::uint32_t>(1 + random.below(3));
        if (random.below(20'000) == 0) limiter.overloaded(now);
        if (random.below(4) == 0) {
          auto const reservation = limiter.reserve(now, Deadline::at(now + 2ms), n);
          if (reservation && !(random.below(2) == 0 && limiter.cancel(reservation, now))) {
            mine.push_back({reservation.at, n});
          }
        } else if (limiter.try_acquire(now, n)) {
          mine.push_back({now, n});
        }
      }
    });
  }
  for (auto& thread : running) thread.join();
  std::vector<Admitted> all;
  for (auto const& one : admitted) all.insert(all.end(), one.begin(), one.end());
  std::stable_sort(all.begin(), all.end(), [](auto const& a, auto const& b) { return a.at < b.at; });
  ASSERT_GT(all.size(), 500u);
  // As a bucket that leaks at the rate: its level never exceeds the burst. A thread held up between reading the clock
  // and the cell writes an earlier time down than others saw, which can only make the sum look earlier by that time.
  double used = 0;
  for (auto const& one : all) used += one.n;
  auto const span = std::chrono::duration<double>(all.back().at - all.front().at).count();
  EXPECT_LE(used, limit.per_second * span + limit.burst + 1e-6);
}

}  // namespace
}  // namespace belay::resilience
