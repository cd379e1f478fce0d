#include "belay/resilience/retry_budget.hpp"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/random.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using time_point = Deadline::time_point;

constexpr time_point start = time_point() + 1000h;

int withdrawals(RetryBudget& budget, time_point now) {
  int count = 0;
  while (budget.try_withdraw(now)) ++count;
  return count;
}

TEST(RetryBudget, OwesOneRetryForTenFirstAttempts) {
  RetryBudget budget(start, {.floor_per_second = 0, .initial = 0});
  for (int i = 0; i < 9; ++i) budget.deposit(start);
  EXPECT_FALSE(budget.try_withdraw(start));
  budget.deposit(start);
  EXPECT_TRUE(budget.try_withdraw(start));
  EXPECT_FALSE(budget.try_withdraw(start));
}

TEST(RetryBudget, PaysInOneTokenPerSecondWhateverTheTraffic) {
  RetryBudget budget(start, {.initial = 0});
  EXPECT_FALSE(budget.try_withdraw(start + 999ms));
  EXPECT_TRUE(budget.try_withdraw(start + 1s));
  EXPECT_FALSE(budget.try_withdraw(start + 1999ms));
  EXPECT_EQ(withdrawals(budget, start + 4s), 3);
}

TEST(RetryBudget, LosesNoFractionOfASecondToFrequentCalls) {
  RetryBudget budget(start, {.deposit_per_call = 0, .initial = 0});
  int given = 0;
  for (auto now = start; now <= start + 100s; now += 7ms) {
    budget.deposit(now);
    given += budget.try_withdraw(now);
  }
  EXPECT_EQ(given, 99);  // the last step ends 4 ms short of the hundredth second
}

TEST(RetryBudget, SavesUpToItsCapOnly) {
  RetryBudget budget(start);
  EXPECT_EQ(withdrawals(budget, start), 10) << "the initial balance";
  EXPECT_EQ(withdrawals(budget, start + 1h), 10);
}

TEST(RetryBudget, LetsTheCapFollowTheDepositsOfTenSeconds) {
  RetryBudget budget(start);
  for (int i = 0; i < 5000; ++i) budget.deposit(start + 9s);
  EXPECT_DOUBLE_EQ(budget.cap(start + 9s), 500);
  EXPECT_DOUBLE_EQ(budget.balance(start + 9s), 500) << "10 from the start, less what was over the cap of that moment";
  EXPECT_DOUBLE_EQ(budget.cap(start + 19s), 500) << "the window just completed";
  EXPECT_DOUBLE_EQ(budget.cap(start + 20s), 10) << "nothing was paid in for a whole window";
  EXPECT_DOUBLE_EQ(budget.balance(start + 20s), 10) << "and the balance falls with the cap";
  budget.deposit(start + 20s);
  EXPECT_EQ(withdrawals(budget, start + 20s), 10);
}

// Nobody called overnight: what the day's traffic allowed is not owed to the morning's first failures.
TEST(RetryBudget, LetsTheCapFallHoweverLongThePause) {
  for (auto const pause : {1h, 6h, 8h, 10h, 11h, 12h, 18h, 24h, 100h, 1000h}) {
    SCOPED_TRACE(testing::Message() << "pause of " << pause.count() << " h");
    RetryBudget budget(start);
    for (int i = 0; i < 5000; ++i) budget.deposit(start + 9s);
    auto const now = start + pause;
    EXPECT_DOUBLE_EQ(budget.cap(now), 10);
    budget.deposit(now);
    EXPECT_DOUBLE_EQ(budget.cap(now), 10);
    EXPECT_EQ(withdrawals(budget, now), 10);
  }
}

TEST(RetryBudget, LetsTheCapFallThoughOnlyRetriesTakeFromIt) {
  RetryBudget budget(start);
  for (int i = 0; i < 5000; ++i) budget.deposit(start + 9s);
  for (auto now = start + 9s; now < start + 13h; now += 15s) ASSERT_TRUE(budget.try_withdraw(now));
  EXPECT_DOUBLE_EQ(budget.cap(start + 13h), 10);
}

TEST(RetryBudget, SaturatesUnderTrafficBeyondWhatItCanCount) {
  RetryBudget budget(start, {.deposit_per_call = 1});
  for (int i = 0; i < 70'000; ++i) {
    budget.deposit(start + 5s);
    ASSERT_GE(budget.balance(start + 5s), std::min(i, 67'000)) << "nothing spills over into the time";
  }
  EXPECT_LT(budget.cap(start + 5s), 67'109);
  EXPECT_DOUBLE_EQ(budget.balance(start + 5s), budget.cap(start + 5s));
}

TEST(RetryBudget, IgnoresACallersClockThatLags) {
  RetryBudget budget(start, {.initial = 0});
  EXPECT_TRUE(budget.try_withdraw(start + 1s));
  EXPECT_FALSE(budget.try_withdraw(start + 500ms));
  budget.deposit(start - 1h);
  EXPECT_FALSE(budget.try_withdraw(start + 1s)) << "no second was paid in twice";
  EXPECT_TRUE(budget.try_withdraw(start + 2s));
}

TEST(RetryBudget, StaysSoundAcrossYears) {
  RetryBudget budget(start);
  auto now = start;
  for (int i = 0; i < 12; ++i) {
    now += 24h * 365 * 3;
    EXPECT_EQ(withdrawals(budget, now), 10) << i;
    EXPECT_EQ(withdrawals(budget, now + 3s), 3) << i;
  }
}

// R2: attempts <= 1.1 * first attempts + 1/s * t + balance at the start, over any span of any run.
TEST(RetryBudget, BoundsAmplificationOverEverySpanR2) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    RetryBudget budget(start);
    auto now = start;
    struct Mark {
      time_point at;
      double balance;
      int firsts;
      int retries;
    };
    std::vector<Mark> marks;
    int firsts = 0;
    int retries = 0;
    auto const pause_max = std::uint64_t{1} << random.below(22);
    auto const failing = random.uniform();
    for (int step = 0; step < 1000; ++step) {
      now += std::chrono::microseconds(random.below(pause_max));
      if (step % 40 == 0) marks.push_back({now, budget.balance(now), firsts, retries});
      ++firsts;
      budget.deposit(now);
      for (int again = 0; again < 4 && random.uniform() < failing && budget.try_withdraw(now); ++again) ++retries;
      for (auto const& mark : marks) {
        auto const seconds = std::chrono::duration<double>(now - mark.at).count();
        ASSERT_LE(retries - mark.retries, 0.1 * (firsts - mark.firsts) + seconds + mark.balance + 0.001);
      }
      ASSERT_GE(budget.balance(now), 0);
      ASSERT_LE(budget.balance(now), budget.cap(now));
    }
  }
}

// R7, with real threads (and ThreadSanitizer): no token is made or lost.
TEST(RetryBudget, ConservesTokensUnderManyThreadsR7) {
  constexpr int threads = 4;
  constexpr int rounds = 20'000;
  RetryBudget budget(start, {.floor_per_second = 0, .cap_min = 60'000, .initial = 100});
  std::atomic<int> withdrawn = 0;
  std::atomic<bool> is_sound = true;
  {
    std::vector<std::jthread> workers;
    for (int worker = 0; worker < threads; ++worker) {
      workers.emplace_back([&, worker] {
        int mine = 0;
        for (int round = 0; round < rounds; ++round) {
          auto const now = start + std::chrono::microseconds(round * 10 + worker);
          budget.deposit(now);
          mine += budget.try_withdraw(now);
          auto const balance = budget.balance(now);
          if (balance < 0 || balance > 60'000) is_sound = false;
        }
        withdrawn += mine;
      });
    }
  }
  EXPECT_TRUE(is_sound);
  auto const end = start + 1s;
  EXPECT_NEAR(100 + 0.1 * threads * rounds - withdrawn, budget.balance(end), 1e-6);
}

TEST(RetryBudgetOptions, AreRefusedByNameWhenOutOfRange) {
  EXPECT_NO_THROW(validate(RetryBudgetOptions()));
  EXPECT_THROW(validate({.deposit_per_call = -0.1}), Error);
  EXPECT_THROW(validate({.deposit_per_call = 1.1}), Error);
  EXPECT_THROW(validate({.deposit_per_call = 0.1234}), Error);
  EXPECT_THROW(validate({.floor_per_second = 1001}), Error);
  EXPECT_THROW(validate({.cap_min = 0, .initial = 0}), Error);
  EXPECT_THROW(validate({.cap_min = 60'001}), Error);
  try {
    RetryBudget(start, {.initial = 11});
    FAIL();
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::request);
    EXPECT_STREQ(error.what(), "retry budget option initial is 11, it must lie between 0 and 10");
  }
}

}  // namespace
}  // namespace belay::resilience
