#include "belay/resilience/latency_quantile.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/random.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr auto start = Deadline::time_point() + 1h;

nanoseconds draw(Random& random, double median_ms) {
  auto const tail = std::exp(3 * (random.uniform() + random.uniform() + random.uniform() - 1.5));
  return nanoseconds(static_cast<std::int64_t>(median_ms * 1e6 * tail));
}

TEST(LatencyQuantile, SettlesNearTheSortedP99) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    LatencyQuantile quantile(start);
    std::vector<nanoseconds> samples;
    auto now = start;
    for (int i = 0; i < 60'000; ++i) {
      now += 10ms;
      samples.push_back(draw(random, 5));
      quantile.add(samples.back(), now);
    }
    std::sort(samples.begin(), samples.end());
    // A yardstick that is multiplied by three need not be exact: it lies between the p95 and the p99.9.
    EXPECT_GT(quantile.p99(), samples[samples.size() * 950 / 1000]);
    EXPECT_LT(quantile.p99(), samples[samples.size() * 999 / 1000]);
  }
}

TEST(LatencyQuantile, AtMostDoublesInFiveMinutes) {
  LatencyQuantile quantile(start);
  auto now = start;
  for (int i = 0; i < 1000; ++i) quantile.add(100ms, now);
  for (int second = 0; second < 300; ++second) {
    now += 1s;
    for (int i = 0; i < 100; ++i) quantile.add(30s, now);
  }
  EXPECT_LT(quantile.p99(), 210ms);
  EXPECT_GT(quantile.p99(), 180ms) << "it does follow";
}

TEST(LatencyQuantile, BearsAbsurdDurations) {
  LatencyQuantile quantile(start);
  EXPECT_EQ(quantile.p99(), 0ns);
  for (int i = 0; i < 1000; ++i) quantile.add(nanoseconds::max(), start + i * 1h);
  EXPECT_GT(quantile.p99(), 0ns);
  for (int i = 0; i < 200'000; ++i) quantile.add(nanoseconds::min(), start + 2000h);
  EXPECT_GT(quantile.p99(), 0ns);
}

}  // namespace
}  // namespace belay::resilience
