#include "belay/resilience/shared_breaker.hpp"

#include <memory>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using time_point = Deadline::time_point;

constexpr time_point start = time_point() + 1000h;

struct CountingWaker final : Waker {
  void wake() noexcept override { ++woken; }
  int woken = 0;
};

BreakerOptions waiting_allowed() {
  auto options = enterprise_breaker_options();
  options.jitter_up = 0;
  options.extra_callers = ExtraCallers::wait;
  return options;
}

struct SharedBreakerTest : testing::Test {
  SharedBreaker breaker{waiting_allowed(), Random(1), start};

  void fail(int times) {
    for (int i = 0; i < times; ++i) {
      breaker.record(breaker.try_enter(start, Deadline::never()).permit.value(), BreakerSignal::failure, start);
    }
  }
};

TEST_F(SharedBreakerTest, IsSeenToBeOpenWithoutBeingAsked) {
  EXPECT_FALSE(breaker.is_open(start));
  EXPECT_FALSE(breaker.refuse_if_open(start));
  fail(5);
  EXPECT_TRUE(breaker.is_open(start));
  EXPECT_EQ(breaker.refuse_if_open(start + 20s), std::chrono::nanoseconds(40s));
  EXPECT_FALSE(breaker.is_open(start + 60s)) << "the next call may probe";
  EXPECT_EQ(breaker.snapshot(start).counters.refused, 1u);
}

TEST_F(SharedBreakerTest, DoesNotKnowWhenAForcedBreakerMayBeAskedAgain) {
  breaker.force_open(start);
  EXPECT_EQ(breaker.refuse_if_open(start + 24h), 0ns);
  EXPECT_FALSE(breaker.try_enter(start, Deadline::never()).retry_after);
  breaker.release(start);
  EXPECT_FALSE(breaker.is_open(start));
}

TEST_F(SharedBreakerTest, IsNeverSeenOpenInShadowModeB9) {
  breaker.set_mode(BreakerMode::shadow);
  fail(5);
  EXPECT_EQ(breaker.state(), BreakerState::open);
  EXPECT_FALSE(breaker.is_open(start));
  breaker.set_mode(BreakerMode::enforcing);
  EXPECT_TRUE(breaker.is_open(start));
}

TEST_F(SharedBreakerTest, WakesThoseWhoWaitAtItsNextEvent) {
  fail(5);
  auto const probe = breaker.try_enter(start + 60s, Deadline::never());
  ASSERT_TRUE(probe.permit);
  auto const patient = breaker.try_enter(start + 60s, Deadline::never());
  auto const impatient = breaker.try_enter(start + 60s, Deadline::never());
  ASSERT_TRUE(patient.wait && impatient.wait);
  auto const waker = std::make_shared<CountingWaker>();
  auto const gone = std::make_shared<CountingWaker>();
  EXPECT_TRUE(breaker.await_news(*patient.wait, waker));
  EXPECT_TRUE(breaker.await_news(*patient.wait, waker)) << "named twice, woken once";
  EXPECT_TRUE(breaker.await_news(*impatient.wait, gone));
  breaker.stop_waiting(*impatient.wait, gone.get());
  EXPECT_EQ(breaker.waiting(), 1u);
  breaker.record(*probe.permit, BreakerSignal::success, start + 61s);
  EXPECT_EQ(waker->woken, 1);
  EXPECT_EQ(gone->woken, 0);
  EXPECT_FALSE(breaker.await_news(*patient.wait, waker)) << "the news it was to wait for has come";
}

TEST_F(SharedBreakerTest, TellsListenersEachEventOnceAndInOrderB7) {
  std::vector<BreakerState> told;
  auto const id = breaker.add_listener([&](BreakerEvent const& event) {
    told.push_back(event.to);
    if (event.to == BreakerState::forced_open) breaker.release(start);  // an event of its own making comes after
  });
  fail(5);
  breaker.force_open(start);
  EXPECT_THAT(told, ElementsAre(BreakerState::open, BreakerState::forced_open, BreakerState::half_open));
  breaker.remove_listener(id);
  breaker.force_closed(start);
  EXPECT_EQ(told.size(), 3u);
}

TEST(SharedBreakerThreads, TellEventsInTheOrderOfTheirEpochs) {
  SharedBreaker breaker(waiting_allowed(), Random(1), start);
  std::uint64_t last_epoch = 1;
  std::uint64_t events = 0;
  breaker.add_listener([&](BreakerEvent const& event) {
    EXPECT_EQ(event.epoch, last_epoch + 1);
    last_epoch = event.epoch;
    ++events;
  });
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2; ++i) {  // no more in all than the breaker keeps for a slow listener
        breaker.force_closed(start);
        breaker.release(start);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GE(events, 2u);
}

}  // namespace
}  // namespace belay::resilience
