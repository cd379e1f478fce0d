#include "belay/resilience/circuit_breaker.hpp"

#include <type_traits>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

static_assert(std::is_trivially_copyable_v<BreakerPermit>);
static_assert(std::is_trivially_copyable_v<BreakerEvent>);

/// Five failures in a row, 60 s exactly, and nothing else.
BreakerOptions plain_options() {
  auto options = enterprise_breaker_options();
  options.jitter_up = 0;
  return options;
}

struct CircuitBreakerTest : testing::Test {
  using time_point = CircuitBreaker::time_point;
  explicit CircuitBreakerTest(BreakerOptions const& options = plain_options()) { use(options); }

  void use(BreakerOptions const& options) { breaker.emplace(options, Random(1), now); }
  BreakerAdmission enter(Deadline deadline = Deadline::never()) { return breaker->try_enter(now, deadline); }
  BreakerPermit permit(Deadline deadline = Deadline::never()) {
    auto const admission = enter(deadline);
    EXPECT_TRUE(admission);
    return admission.permit;
  }
  void give(BreakerVerdict verdict, int times = 1, nanoseconds took = 1ms) {
    for (int i = 0; i < times; ++i) EXPECT_TRUE(breaker->record(permit(), verdict, now, took));
  }
  void trip() {
    while (breaker->state() != BreakerState::open) give(BreakerVerdict::failure);
  }
  void trip_and_wait() {
    trip();
    now = breaker->open_until();
    breaker->advance(now);
    ASSERT_EQ(breaker->state(), BreakerState::half_open);
    while (breaker->next()) {
    }
  }

  time_point now = time_point() + 1h;
  std::optional<CircuitBreaker> breaker;
};

TEST_F(CircuitBreakerTest, LetsNoCallPassWhileOpen) {  // B1
  trip();
  for (int second = 0; second < 60; ++second) {
    auto const refusal = enter();
    EXPECT_FALSE(refusal);
    EXPECT_EQ(refusal.reason, BreakerRefusal::open);
    EXPECT_EQ(refusal.retry_after, 60s - second * 1s);
    now += 1s;
  }
  EXPECT_TRUE(enter());
}

TEST_F(CircuitBreakerTest, LendsAtMostTheProbesAllowed) {  // B2
  auto options = plain_options();
  options.probes_max = 3;
  use(options);
  trip_and_wait();
  auto const in_time = Deadline::at(now + 5s);
  auto const first = permit(in_time);
  permit(in_time);
  permit(in_time);
  auto const refusal = enter();
  EXPECT_FALSE(refusal);
  EXPECT_EQ(refusal.reason, BreakerRefusal::probes_under_way);
  EXPECT_EQ(refusal.retry_after, 30s) << "the earliest lease";
  breaker->record(first, BreakerVerdict::ignored, now);
  permit();
  EXPECT_FALSE(enter());
}

TEST_F(CircuitBreakerTest, IgnoresVerdictsOfAnEarlierEpoch) {  // B3
  auto const early_success = permit();
  auto const early_failure = permit();
  trip_and_wait();
  EXPECT_FALSE(breaker->record(early_success, BreakerVerdict::success, now));
  EXPECT_FALSE(breaker->record(early_failure, BreakerVerdict::failure, now));
  EXPECT_EQ(breaker->state(), BreakerState::half_open);
  give(BreakerVerdict::success, 2);
  EXPECT_EQ(breaker->state(), BreakerState::closed);
  EXPECT_FALSE(breaker->record(early_failure, BreakerVerdict::failure, now));
  EXPECT_EQ(breaker->snapshot(now).failures_in_row, 0u);
  EXPECT_EQ(breaker->snapshot(now).counters.stale, 3u);
}

TEST_F(CircuitBreakerTest, TripsAtExactlyFiveFailuresInARow) {  // B5
  give(BreakerVerdict::failure, 4);
  give(BreakerVerdict::success);
  give(BreakerVerdict::failure, 4);
  EXPECT_EQ(breaker->state(), BreakerState::closed);
  give(BreakerVerdict::failure);
  EXPECT_EQ(breaker->state(), BreakerState::open);
  auto const event = breaker->next();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->cause, BreakerCause::consecutive_failures);
  EXPECT_EQ(event->open_for, 60s);
  EXPECT_FALSE(breaker->next());
}

TEST_F(CircuitBreakerTest, CountsACallCutOffByItsDeadlineAsAFailure) {
  give(BreakerVerdict::slow, 5);
  EXPECT_EQ(breaker->state(), BreakerState::open);
}

TEST_F(CircuitBreakerTest, NeitherCountsNorResetsOnIgnoredCalls) {  // B10
  auto options = BreakerOptions();
  options.count_window = FailureShareRule();
  options.slow = SlowShareRule();
  use(options);
  give(BreakerVerdict::failure, 3);
  auto const before = breaker->snapshot(now);
  give(BreakerVerdict::ignored, 1000);
  auto const after = breaker->snapshot(now);
  EXPECT_EQ(after.failures_in_row, 3u);
  EXPECT_EQ(after.time_window, before.time_window);
  EXPECT_EQ(after.count_window, before.count_window);
  EXPECT_EQ(after.p99, before.p99);
  EXPECT_EQ(after.counters.ignored, 1000u);
}

TEST_F(CircuitBreakerTest, WaitsForABurstToSpanASecondWhereFewCallsAreMade) {
  use(BreakerOptions());
  give(BreakerVerdict::failure, 6);
  EXPECT_EQ(breaker->state(), BreakerState::closed) << "one burst";
  now += 999ms;
  give(BreakerVerdict::failure);
  EXPECT_EQ(breaker->state(), BreakerState::closed);
  now += 1ms;
  give(BreakerVerdict::failure);
  EXPECT_EQ(breaker->state(), BreakerState::open);
}

TEST_F(CircuitBreakerTest, TripsAtOnceWhereManyCallsAreMade) {
  use(BreakerOptions());
  give(BreakerVerdict::success, 15);
  give(BreakerVerdict::failure, 4);
  EXPECT_EQ(breaker->state(), BreakerState::closed);
  give(BreakerVerdict::failure);
  EXPECT_EQ(breaker->state(), BreakerState::open);
}

TEST_F(CircuitBreakerTest, TripsAtHalfOfTwentyCallsInTheTimeWindow) {
  auto options = plain_options();
  options.consecutive.reset();
  options.time_window = FailureShareRule();
  use(options);
  for (int i = 0; i < 9; ++i) {
    give(BreakerVerdict::failure);
    give(BreakerVerdict::success);
  }
  give(BreakerVerdict::failure);
  EXPECT_EQ(breaker->state(), BreakerState::closed) << "19 calls";
  give(BreakerVerdict::failure);
  EXPECT_EQ(breaker->state(), BreakerState::open);
  EXPECT_EQ(breaker->next()->cause, BreakerCause::failure_share_in_time);
}

TEST_F(CircuitBreakerTest, ForgetsTheWindowsWithoutTraffic) {
  auto options = BreakerOptions();
  options.count_window = FailureShareRule();
  use(options);
  give(BreakerVerdict::failure, 4);
  give(BreakerVerdict::success);
  now += 30s;
  EXPECT_EQ(breaker->snapshot(now).time_window, CallCounts());
  EXPECT_EQ(breaker->snapshot(now).count_window, (CallCounts{5, 4, 0}));
  now += 270s;
  EXPECT_EQ(breaker->snapshot(now).count_window, CallCounts());
}

TEST_F(CircuitBreakerTest, TripsWhenCallsAreSlowerThanASecondAndThreeTimesTheP99) {
  auto options = plain_options();
  options.consecutive.reset();
  options.slow = SlowShareRule();
  use(options);
  give(BreakerVerdict::success, 100, 500ms);
  now += 40s;
  give(BreakerVerdict::success, 40, 1400ms);
  EXPECT_EQ(breaker->state(), BreakerState::closed) << "below three times the p99";
  now += 40s;
  give(BreakerVerdict::success, 4, 10ms);
  for (int i = 0; i < 15; ++i) give(BreakerVerdict::success, 1, 1700ms);
  EXPECT_EQ(breaker->state(), BreakerState::closed) << "19 calls";
  give(BreakerVerdict::success, 1, 1700ms);
  EXPECT_EQ(breaker->state(), BreakerState::open) << "16 of 20";
  EXPECT_EQ(breaker->next()->cause, BreakerCause::slow_share);
}

TEST_F(CircuitBreakerTest, KeepsItsYardstickThroughASlowOutage) {
  auto options = plain_options();
  options.consecutive.reset();
  options.slow = SlowShareRule();
  options.slow->share = 1;
  options.slow->calls_min = 1'000'000;  // never trips: what the estimate does meanwhile is the question
  use(options);
  for (int i = 0; i < 1000; ++i) give(BreakerVerdict::success, 1, 400ms);
  for (int i = 0; i < 3000; ++i) {
    now += 10ms;
    give(BreakerVerdict::success, 1, 20s);
  }
  EXPECT_LT(breaker->snapshot(now).p99, 440ms);
}

TEST_F(CircuitBreakerTest, DoublesItsOpenTimeWithinTheJitter) {  // B8
  auto options = BreakerOptions();
  options.consecutive->population_min.reset();
  nanoseconds shortest = 24h;
  nanoseconds longest = 0s;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    breaker.emplace(options, Random(seed), now);
    trip();
    for (auto const nominal : {60s, 120s, 240s, 480s, 600s, 600s}) {
      auto const open_for = breaker->open_until() - now;
      EXPECT_GE(open_for, nominal * 4 / 5);
      EXPECT_LE(open_for, nominal * 6 / 5);
      if (nominal == 60s) {
        shortest = std::min<nanoseconds>(shortest, open_for);
        longest = std::max<nanoseconds>(longest, open_for);
      }
      now = breaker->open_until();
      give(BreakerVerdict::failure);
    }
  }
  EXPECT_LT(shortest, 50s);
  EXPECT_GT(longest, 70s);
}

TEST_F(CircuitBreakerTest, StaysOpenForAtLeastAMinuteInTheEnterprisePreset) {  // B8
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    breaker.emplace(enterprise_breaker_options(), Random(seed), now);
    trip();
    for (int opening = 0; opening < 4; ++opening) {
      EXPECT_GE(breaker->open_until() - now, 60s);
      EXPECT_LE(breaker->open_until() - now, 72s);
      now = breaker->open_until();
      give(BreakerVerdict::failure);
    }
  }
}

TEST_F(CircuitBreakerTest, ForgetsItsOpeningsAfterFiveMinutesClosed) {
  auto options = plain_options();
  options.open_for_max = 10min;
  use(options);
  trip_and_wait();
  give(BreakerVerdict::success, 2);
  now += 5min - 1ns;
  trip();
  EXPECT_EQ(breaker->open_until() - now, 120s);
  now = breaker->open_until();
  give(BreakerVerdict::success, 2);
  EXPECT_EQ(breaker->snapshot(now).openings, 2u);
  now += 5min;
  EXPECT_EQ(breaker->snapshot(now).openings, 0u);
  trip();
  EXPECT_EQ(breaker->open_until() - now, 60s);
}

TEST_F(CircuitBreakerTest, BecomesHalfOpenByTheTimerAlone) {
  trip();
  EXPECT_EQ(breaker->next()->to, BreakerState::open);
  EXPECT_EQ(breaker->next_event(), now + 60s);
  breaker->advance(now + 60s - 1ns);
  EXPECT_FALSE(breaker->has_events());
  breaker->advance(now + 60s);
  auto const event = breaker->next();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->to, BreakerState::half_open);
  EXPECT_EQ(event->cause, BreakerCause::open_time_over);
}

TEST_F(CircuitBreakerTest, BecomesHalfOpenNotClosedWhenTheEndpointRecovered) {
  EXPECT_FALSE(breaker->endpoint_recovered(now));
  trip();
  now += 1s;
  EXPECT_TRUE(breaker->endpoint_recovered(now));
  EXPECT_EQ(breaker->state(), BreakerState::half_open);
  EXPECT_FALSE(breaker->endpoint_recovered(now));
  give(BreakerVerdict::failure);
  EXPECT_EQ(breaker->state(), BreakerState::open);
}

TEST_F(CircuitBreakerTest, ClosesAfterTwoProbesInARow) {
  trip_and_wait();
  give(BreakerVerdict::success);
  give(BreakerVerdict::ignored);
  EXPECT_EQ(breaker->state(), BreakerState::half_open);
  give(BreakerVerdict::success);
  EXPECT_EQ(breaker->state(), BreakerState::closed);
}

TEST_F(CircuitBreakerTest, CountsAHungProbeAsAFailureWhenItsLeaseEnds) {
  trip_and_wait();
  auto const hung = permit(Deadline::at(now + 40s));
  EXPECT_EQ(breaker->next_event(), now + 41s);
  now += 41s;
  EXPECT_FALSE(breaker->record(hung, BreakerVerdict::success, now)) << "too late, though nobody called advance()";
  EXPECT_EQ(breaker->state(), BreakerState::open);
  EXPECT_EQ(breaker->next()->cause, BreakerCause::probe_lease_over);
  EXPECT_EQ(breaker->snapshot(now).counters.leases_over, 1u);
}

TEST_F(CircuitBreakerTest, LendsAProbeForAtMostTheOpenTime) {
  trip_and_wait();
  permit(Deadline::at(now + 10min));
  EXPECT_EQ(breaker->next_event(), now + 60s);
}

TEST_F(CircuitBreakerTest, TellsApartTwoProbesThatHadTheSamePlace) {
  trip_and_wait();
  auto const first = permit();
  breaker->record(first, BreakerVerdict::ignored, now);
  auto const second = permit();
  EXPECT_FALSE(breaker->record(first, BreakerVerdict::failure, now)) << "handed back already";
  EXPECT_EQ(breaker->state(), BreakerState::half_open);
  EXPECT_TRUE(breaker->record(second, BreakerVerdict::success, now));
}

TEST_F(CircuitBreakerTest, DoesNotReopenForTwoCancelledCallsFarApart) {
  trip_and_wait();
  give(BreakerVerdict::ignored);
  now += 1h;
  give(BreakerVerdict::ignored);
  EXPECT_EQ(breaker->state(), BreakerState::half_open);
}

TEST_F(CircuitBreakerTest, LetsSixteenCallersWaitForTheVerdict) {
  auto options = plain_options();
  options.extra_callers = ExtraCallers::wait;
  use(options);
  trip_and_wait();
  auto const probe = permit();
  std::vector<BreakerWait> waits;
  for (int i = 0; i < 16; ++i) {
    auto const refusal = enter();
    EXPECT_FALSE(refusal);
    EXPECT_TRUE(refusal.wait);
    waits.push_back(refusal.wait);
  }
  EXPECT_FALSE(enter().wait) << "the seventeenth";
  breaker->stop_waiting(waits.back());
  EXPECT_TRUE(enter().wait) << "in the place of the one that left";

  // One success of two: no transition, but somebody must make the next probe.
  breaker->record(probe, BreakerVerdict::success, now);
  auto const event = breaker->next();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, BreakerEvent::Kind::probe_free);
  EXPECT_EQ(breaker->waiting(), 0u);
  auto const second = permit();
  EXPECT_TRUE(enter().wait);
  breaker->stop_waiting(waits.front());
  EXPECT_EQ(breaker->waiting(), 1u) << "a wait of an earlier round holds no place";
  breaker->record(second, BreakerVerdict::success, now);
  EXPECT_EQ(breaker->next()->to, BreakerState::closed);
  EXPECT_FALSE(breaker->has_events());
}

TEST_F(CircuitBreakerTest, RampsUpAfterClosingWhenItWasBusy) {
  auto const admitted_of = [&](int calls) {
    int admitted = 0;
    for (int i = 0; i < calls; ++i) {
      auto const admission = enter();
      if (admission) {
        ++admitted;
        breaker->record(admission.permit, BreakerVerdict::success, now);
      } else {
        EXPECT_EQ(admission.reason, BreakerRefusal::ramping);
      }
    }
    return admitted;
  };
  for (int i = 0; i < 6000; ++i) {
    give(BreakerVerdict::success);
    now += 10ms;
  }
  trip_and_wait();
  give(BreakerVerdict::success, 2);
  EXPECT_EQ(breaker->state(), BreakerState::closed);
  EXPECT_EQ(admitted_of(100), 10);
  now += 1667ms;
  EXPECT_EQ(admitted_of(100), 25);
  now += 1667ms;
  EXPECT_EQ(admitted_of(100), 50);
  now += 1667ms;
  EXPECT_EQ(admitted_of(100), 100);
}

TEST_F(CircuitBreakerTest, DoesNotRampWhenItWasQuiet) {
  for (int i = 0; i < 100; ++i) {
    give(BreakerVerdict::success);
    now += 50ms;
  }
  trip_and_wait();
  give(BreakerVerdict::success, 2);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(enter());
}

TEST_F(CircuitBreakerTest, RefusesEverythingWhenForcedOpenAndProbesWhenReleased) {
  breaker->force_open(now);
  breaker->force_open(now);
  now += 24h;
  auto const refusal = enter();
  EXPECT_FALSE(refusal);
  EXPECT_EQ(refusal.reason, BreakerRefusal::forced_open);
  EXPECT_EQ(refusal.retry_after, BreakerAdmission::unknown);
  EXPECT_FALSE(breaker->endpoint_recovered(now));
  breaker->release(now);
  EXPECT_EQ(breaker->next()->to, BreakerState::forced_open);
  EXPECT_EQ(breaker->next()->to, BreakerState::half_open);
  EXPECT_FALSE(breaker->has_events()) << "forcing twice is forcing once";
  give(BreakerVerdict::success, 2);
  EXPECT_EQ(breaker->state(), BreakerState::closed);
}

TEST_F(CircuitBreakerTest, AdmitsEverythingWhenForcedClosed) {
  trip();
  breaker->force_closed(now);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(breaker->record(permit(), BreakerVerdict::failure, now));
  EXPECT_EQ(breaker->state(), BreakerState::forced_closed);
  breaker->release(now);
  EXPECT_EQ(breaker->state(), BreakerState::closed);
}

TEST_F(CircuitBreakerTest, KeepsTheLastSixteenEventsAndCountsTheLost) {
  for (int i = 0; i < 10; ++i) {
    breaker->force_open(now);
    breaker->force_closed(now);
  }
  EXPECT_EQ(breaker->snapshot(now).counters.events_lost, 4u);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(breaker->next()->epoch, static_cast<std::uint64_t>(6 + i));
  EXPECT_FALSE(breaker->next());
}

TEST_F(CircuitBreakerTest, BearsTimesOutOfOrderAndAtTheEnd) {
  trip();
  now -= 30min;
  EXPECT_EQ(enter().retry_after, 30min + 60s);
  now = time_point::max() - 10s;
  use(plain_options());
  trip();
  EXPECT_EQ(breaker->open_until(), time_point::max());
}

TEST_F(CircuitBreakerTest, ShortensRestoredDurationsToWhatTheOptionsAllow) {
  BreakerSnapshot snapshot;
  snapshot.state = BreakerState::open;
  snapshot.openings = 1;
  snapshot.remaining = 10min;
  breaker.emplace(plain_options(), Random(1), now, snapshot);
  EXPECT_EQ(breaker->open_until(), now + 60s);
  snapshot.remaining = -1s;
  EXPECT_THROW(breaker.emplace(plain_options(), Random(1), now, snapshot), Error);
}

TEST(BreakerOptions, NamesTheOptionOutOfItsRange) {
  auto const complaint = [](auto change) {
    BreakerOptions options;
    change(options);
    try {
      CircuitBreaker(options, Random(1), {});
    } catch (Error const& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::request);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(complaint([](BreakerOptions& o) { o.consecutive->failures = 0; }),
            "option consecutive.failures is 0, it must lie between 1 and 1000");
  EXPECT_EQ(complaint([](BreakerOptions& o) { o.open_for = 0s; }),
            "option open_for is 0 s, it must lie between 0.001 s and 3600 s");
  EXPECT_EQ(complaint([](BreakerOptions& o) { o.open_for_max = 30s; }),
            "option open_for_max is 30 s, it must lie between 60 s and 86400 s");
  EXPECT_EQ(complaint([](BreakerOptions& o) { o.time_window->share = 0; }),
            "option time_window.share is 0, it must lie between 1e-06 and 1");
  EXPECT_EQ(complaint([](BreakerOptions& o) { o.probes_max = 17; }),
            "option probes_max is 17, it must lie between 1 and 16");
  EXPECT_EQ(complaint([](BreakerOptions& o) {
              o.consecutive.reset();
              o.time_window.reset();
            }),
            "a circuit breaker needs at least one rule: consecutive, time_window, count_window or slow");
  EXPECT_EQ(complaint([](BreakerOptions& o) { o = enterprise_breaker_options(); }), "accepted");
}

}  // namespace
}  // namespace belay::resilience
