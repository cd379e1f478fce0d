#include "belay/resilience/keyed_rate_limiter.hpp"

#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;

constexpr auto start = Deadline::time_point() + 1h;
constexpr RateLimit limit{.per_second = 10, .burst = 3};

TEST(KeyedRateLimiter, LimitsEachKeyByItself) {
  KeyedRateLimiter limiter(limit, 1000);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limiter.try_acquire("ann", start));
  EXPECT_FALSE(limiter.try_acquire("ann", start));
  EXPECT_TRUE(limiter.try_acquire("bob", start));
  EXPECT_TRUE(limiter.try_acquire("ann", start + 100ms));
}

TEST(KeyedRateLimiter, SaysWhatTheHeadersNeed) {
  KeyedRateLimiter limiter(limit, 1000);
  auto quota = limiter.try_acquire("ann", start);
  EXPECT_EQ(quota.limit, 3u);
  EXPECT_EQ(quota.remaining, 2u);
  EXPECT_EQ(quota.reset, 100ms);
  quota = limiter.try_acquire("ann", start, 2);
  EXPECT_EQ(quota.remaining, 0u);
  EXPECT_EQ(quota.reset, 300ms);
  EXPECT_EQ(quota.retry_after, 0ns);
  quota = limiter.try_acquire("ann", start + 50ms);
  EXPECT_FALSE(quota);
  EXPECT_EQ(quota.remaining, 0u);
  EXPECT_EQ(quota.reset, 250ms);
  EXPECT_EQ(quota.retry_after, 50ms);
  EXPECT_FALSE(quota.shared);
}

TEST(KeyedRateLimiter, ForgetsAKeyWhenItsStateEqualsThatOfANewOne) {
  KeyedRateLimiter limiter(limit, 1000);
  (void)limiter.try_acquire("ann", start);
  (void)limiter.try_acquire("bob", start, 3);
  limiter.expire(start + 100ms - 1ns);
  EXPECT_EQ(limiter.size(), 2u);
  limiter.expire(start + 100ms);
  EXPECT_EQ(limiter.size(), 1u);
  limiter.expire(start + 300ms);
  EXPECT_EQ(limiter.size(), 0u);
}

TEST(KeyedRateLimiter, IsBoundedWhenKeysAreInvented) {
  constexpr std::size_t keys_max = 1600;
  KeyedRateLimiter limiter(limit, keys_max);
  ASSERT_TRUE(limiter.try_acquire("known", start, 3));
  int own = 0;
  int shared = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto const quota = limiter.try_acquire("invented " + std::to_string(i), start);
    if (quota && !quota.shared) ++own;
    if (quota && quota.shared) ++shared;
  }
  EXPECT_LE(limiter.size(), keys_max);
  EXPECT_LE(own, static_cast<int>(keys_max));
  EXPECT_EQ(shared, 16 * 3) << "one burst per shard for all newcomers together";
  EXPECT_FALSE(limiter.try_acquire("known", start + 50ms).shared) << "who was there keeps its place";
  // Once the invented ones have expired, newcomers have places again, without anybody's help.
  auto const quota = limiter.try_acquire("late", start + 10s);
  EXPECT_TRUE(quota);
  EXPECT_FALSE(quota.shared);
}

// L1: a key that moves from the shared cell to its own must not gain another burst by that.
TEST(KeyedRateLimiter, TakesTheSharedDebtAlong) {
  KeyedRateLimiter limiter(limit, 16);  // one place in each shard
  std::vector<std::string> keys;
  for (int i = 0; i < 200; ++i) {
    keys.push_back("key " + std::to_string(i));
    (void)limiter.try_acquire(keys.back(), start);
  }
  // The places expire at start + 100 ms; the shared cells owe until start + 300 ms.
  limiter.expire(start + 100ms);
  ASSERT_EQ(limiter.size(), 0u);
  int admitted = 0;
  for (auto const& key : keys) admitted += limiter.try_acquire(key, start + 100ms, 3) ? 1 : 0;
  EXPECT_EQ(admitted, 0);
}

TEST(KeyedRateLimiter, RefusesWhatCannotBeAsked) {
  KeyedRateLimiter limiter(limit, 16);
  EXPECT_THROW((void)limiter.try_acquire(std::string(257, 'x'), start), Error);
  EXPECT_THROW((void)limiter.try_acquire("ann", start, 4), Error);
  EXPECT_THROW(KeyedRateLimiter(limit, 15), Error);
}

// Run under ThreadSanitizer.
TEST(KeyedRateLimiterThreads, CountEachKeysPermitsOnce) {
  KeyedRateLimiter limiter({.per_second = 0.01, .burst = 100}, 1000);
  std::vector<int> admitted(4);
  std::vector<std::thread> running;
  for (auto& own : admitted) {
    running.emplace_back([&limiter, &own] {
      for (int i = 0; i < 2000; ++i) {
        if (limiter.try_acquire("key " + std::to_string(i % 10), start)) ++own;
        if (i % 100 == 0) limiter.expire(start);
      }
    });
  }
  for (auto& thread : running) thread.join();
  EXPECT_EQ(admitted[0] + admitted[1] + admitted[2] + admitted[3], 1000);
}

}  // namespace
}  // namespace belay::resilience
