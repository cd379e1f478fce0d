#include "belay/resilience/backoff.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr std::array all_jitters{Jitter::full, Jitter::equal, Jitter::decorrelated, Jitter::bounded};

TEST(Backoff, DoublesFromHalfASecondToThree) {
  constexpr std::array<nanoseconds, 6> nominal{500ms, 1s, 2s, 3s, 3s, 3s};
  for (unsigned retry = 0; retry < nominal.size(); ++retry) EXPECT_EQ(nominal_pause({}, retry), nominal[retry]);
}

TEST(Backoff, DoublesConflictsFromTenMillisecondsToHalfASecond) {
  constexpr std::array<nanoseconds, 8> nominal{10ms, 20ms, 40ms, 80ms, 160ms, 320ms, 500ms, 500ms};
  for (unsigned retry = 0; retry < nominal.size(); ++retry) {
    EXPECT_EQ(nominal_pause(conflict_backoff, retry), nominal[retry]);
  }
  EXPECT_EQ(conflict_backoff.jitter, Jitter::full);
}

TEST(Backoff, CannotOverflowForAnyRetry) {
  for (auto const retry : {62u, 63u, 64u, 1'000'000u, std::numeric_limits<unsigned>::max()}) {
    EXPECT_EQ(nominal_pause({}, retry), 3s);
    EXPECT_EQ(nominal_pause({.base = 1us, .cap = 24h}, retry), 24h);
  }
  Random random(1);
  for (auto const jitter : all_jitters) {
    BackoffOptions const options{.base = 1h, .cap = 24h, .jitter = jitter};
    Backoff backoff(options);
    for (int i = 0; i < 200; ++i) {
      auto const pause = backoff.next(random);
      ASSERT_GE(pause, 0ns);
      ASSERT_LE(pause, 24h);
    }
  }
}

// R1: pauses lie within their mode's interval, and reach into both ends of it.
TEST(Backoff, DrawsEachPauseFromItsModesInterval) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    for (auto const jitter : all_jitters) {
      BackoffOptions const options{.jitter = jitter};
      Backoff backoff(options);
      Random random(seed);
      nanoseconds before = options.base;
      for (unsigned retry = 0; retry < 10; ++retry) {
        auto const nominal = nominal_pause(options, retry);
        auto const pause = backoff.next(random);
        auto low = 0ns;
        auto high = nominal;
        if (jitter == Jitter::equal || jitter == Jitter::bounded) low = nominal / 2;
        if (jitter == Jitter::decorrelated) {
          low = options.base;
          high = std::min(options.cap, before * 3);
        }
        ASSERT_GE(pause, low);
        ASSERT_LE(pause, high);
        before = pause;
      }
    }
  }
}

TEST(Backoff, KeepsTheBoundedShareThatIsAskedFor) {
  BackoffOptions const exactly{.jitter = Jitter::bounded, .bounded_from = 1};
  Backoff backoff(exactly);
  Random random(3);
  EXPECT_EQ(backoff.next(random), 500ms);
  EXPECT_EQ(backoff.next(random), 1s);
}

TEST(Backoff, RepeatsItsPausesForTheSameSeed) {
  BackoffOptions const options;
  Random first(42);
  Random second(42);
  Backoff one(options);
  Backoff other(options);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(one.next(first), other.next(second));
}

/// Pearson's statistic of `draws` uniform samples in [low, high] over 20 equal bins.
double chi_square(std::vector<nanoseconds> const& draws, nanoseconds low, nanoseconds high) {
  std::array<double, 20> bins{};
  for (auto const draw : draws) {
    auto const place = static_cast<double>((draw - low).count()) / static_cast<double>((high - low).count());
    ++bins[std::min<std::size_t>(static_cast<std::size_t>(place * bins.size()), bins.size() - 1)];
  }
  auto const expected = static_cast<double>(draws.size()) / bins.size();
  double sum = 0;
  for (auto const count : bins) sum += (count - expected) * (count - expected) / expected;
  return sum;
}

// R8: the pauses are uniform over their interval. 43.8 is the 0.1 % point of chi-square with 19 degrees of freedom; the
// seed is fixed, so the test cannot flicker.
TEST(Backoff, SpreadsPausesEvenlyR8) {
  struct Case {
    Jitter jitter;
    nanoseconds low;
    nanoseconds high;
  };
  for (auto const& [jitter, low, high] :
       {Case{Jitter::full, 0ns, 500ms}, Case{Jitter::equal, 250ms, 500ms}, Case{Jitter::bounded, 250ms, 500ms},
        Case{Jitter::decorrelated, 500ms, 1500ms}}) {
    BackoffOptions const options{.jitter = jitter};
    Random random(7);
    std::vector<nanoseconds> draws;
    for (int i = 0; i < 20'000; ++i) {
      Backoff backoff(options);
      draws.push_back(backoff.next(random));
    }
    EXPECT_LT(chi_square(draws, low, high), 43.8) << "jitter " << static_cast<int>(jitter);
  }
  EXPECT_GT(chi_square(std::vector<nanoseconds>(20'000, 250ms), 0ns, 500ms), 43.8) << "the test sees a missing jitter";
}

double correlation(std::vector<double> const& x, std::vector<double> const& y) {
  auto const n = static_cast<double>(x.size());
  double sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sx += x[i];
    sy += y[i];
    sxx += x[i] * x[i];
    syy += y[i] * y[i];
    sxy += x[i] * y[i];
  }
  return (n * sxy - sx * sy) / std::sqrt((n * sxx - sx * sx) * (n * syy - sy * sy));
}

// R8: clients that failed at the same instant do not come back together. 0.07 is about four standard errors.
TEST(Backoff, LeavesClientsUncorrelatedR8) {
  constexpr std::size_t clients = 12;
  Random const root(11);
  std::vector<std::vector<double>> pauses(clients);
  BackoffOptions const options;
  for (std::size_t client = 0; client < clients; ++client) {
    auto random = root.fork("client " + std::to_string(client));
    for (int outage = 0; outage < 3000; ++outage) {
      Backoff backoff(options);
      pauses[client].push_back(static_cast<double>(backoff.next(random).count()));
    }
  }
  for (std::size_t one = 0; one < clients; ++one) {
    for (std::size_t other = one + 1; other < clients; ++other) {
      EXPECT_LT(std::abs(correlation(pauses[one], pauses[other])), 0.07) << one << " and " << other;
    }
  }
}

TEST(Pushback, IsAFloorLengthenedByUpToAFifth) {
  Random random(5);
  nanoseconds shortest = 1h;
  nanoseconds longest = 0ns;
  for (int i = 0; i < 2000; ++i) {
    auto const pause = with_pushback(100ms, 1s, random);
    shortest = std::min(shortest, pause);
    longest = std::max(longest, pause);
  }
  EXPECT_GE(shortest, 1s);
  EXPECT_LE(longest, 1200ms);
  EXPECT_LT(shortest, 1010ms) << "it reaches down to the floor";
  EXPECT_GT(longest, 1190ms) << "and up to a fifth more";
  EXPECT_EQ(with_pushback(3s, 1s, random), 3s) << "a longer pause stays as it is";
  EXPECT_EQ(with_pushback(3s, std::nullopt, random), 3s);
  EXPECT_EQ(with_pushback(3s, -5s, random), 3s) << "nonsense from a server is no floor";
  EXPECT_GT(with_pushback(0ns, nanoseconds::max(), random), 24h) << "an absurd one saturates";
}

TEST(Backoff, LengthensWithoutOverflow) {
  EXPECT_EQ(lengthened(500ms, 3), 1500ms);
  EXPECT_GT(lengthened(nanoseconds::max(), 100), 24h);
}

TEST(BackoffOptions, AreRefusedByNameWhenOutOfRange) {
  EXPECT_NO_THROW(validate({}));
  EXPECT_NO_THROW(validate(conflict_backoff));
  EXPECT_THROW(validate({.base = 0ns}), Error);
  EXPECT_THROW(validate({.base = 2s, .cap = 1s}), Error);
  EXPECT_THROW(validate({.cap = 25h}), Error);
  EXPECT_THROW(validate({.bounded_from = std::nan("")}), Error);
  try {
    validate({.base = -1s}, "retry backoff");
    FAIL();
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::request);
    EXPECT_STREQ(error.what(), "retry backoff option base is -1000 ms, it must lie between 0.001 ms and 3600000 ms");
  }
}

}  // namespace
}  // namespace belay::resilience
