#include "belay/resilience/health_monitor.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using namespace health_action;
using time_point = HealthMonitor::time_point;

/// A monitor on virtual time, and all that it asked for.
struct Watch {
  HealthMonitor monitor;
  time_point now = time_point() + 1h;
  std::chrono::nanoseconds suspended = 0ns;
  std::optional<StartProbe> probe = std::nullopt;
  int invalidations = 0;
  int stops = 0;
  int resumes = 0;
  int recoveries = 0;
  int suspicions = 0;
  std::vector<StateChanged> changes = {};

  explicit Watch(HealthOptions const& options = {}, std::uint64_t seed = 1) : monitor(options, Random(seed)) {}

  void perform(HealthActions const& actions) {
    for (auto const& action : actions) {
      if (auto const* start = std::get_if<StartProbe>(&action)) probe = *start;
      if (std::holds_alternative<InvalidatePool>(action)) ++invalidations;
      if (std::holds_alternative<StopRefill>(action)) ++stops;
      if (std::holds_alternative<ResumeRefill>(action)) ++resumes;
      if (std::holds_alternative<EndpointRecovered>(action)) ++recoveries;
      if (std::holds_alternative<SuspectIdle>(action)) ++suspicions;
      if (auto const* change = std::get_if<StateChanged>(&action)) changes.push_back(*change);
    }
  }
  void tick() { perform(monitor.tick(now, now.time_since_epoch() + suspended)); }

  /// On to the next probe.
  ProbeId next_probe() {
    probe.reset();
    for (int i = 0; i < 3 && !probe; ++i) {
      now = std::max(now, monitor.next_tick_at());
      tick();
    }
    EXPECT_TRUE(probe);
    return probe->id;
  }
  void succeed(std::chrono::nanoseconds latency = 5ms) {
    auto const id = next_probe();
    now += latency;
    perform(monitor.probe_succeeded(id, latency, now));
  }
  void fail(ProbeFailure const& failure = {}) { perform(monitor.probe_failed(next_probe(), failure, now)); }
  HealthState state() const { return monitor.state(); }
};

TEST(HealthMonitor, IsUpWithTheFirstSuccessAndProbesEveryThirtySeconds) {
  Watch watch;
  EXPECT_EQ(watch.state(), HealthState::unknown);
  watch.succeed();
  EXPECT_EQ(watch.state(), HealthState::up);
  auto shortest = 1h + 0ns, longest = 0h + 0ns;
  for (int i = 0; i < 300; ++i) {
    auto const pause = watch.monitor.next_tick_at() - watch.now;
    shortest = std::min<std::chrono::nanoseconds>(shortest, pause);
    longest = std::max<std::chrono::nanoseconds>(longest, pause);
    watch.succeed();
  }
  EXPECT_GE(shortest, 27s);
  EXPECT_LT(shortest, 27500ms);
  EXPECT_LE(longest, 33s);
  EXPECT_GT(longest, 32500ms);
  EXPECT_EQ(watch.changes.size(), 1u);
}

TEST(HealthMonitor, DegradesAndInvalidatesAtTheFirstFailureGoesDownAtTheSecond) {
  Watch watch;
  watch.succeed();
  watch.fail({.error_class = ErrorClass::overload, .engine_code = "57P03"});
  EXPECT_EQ(watch.state(), HealthState::degraded);
  EXPECT_EQ(watch.invalidations, 1);
  EXPECT_EQ(watch.stops, 0);
  watch.fail({.error_class = ErrorClass::internal, .engine_code = "58000"});
  EXPECT_EQ(watch.state(), HealthState::down);
  EXPECT_EQ(watch.invalidations, 1) << "the same row of failures";
  EXPECT_EQ(watch.stops, 1);
  auto const report = watch.monitor.report();
  EXPECT_EQ(report.reason, HealthReason::probe_failed);
  EXPECT_EQ(report.error_class, ErrorClass::internal);
  EXPECT_EQ(report.engine_code, "58000");
  EXPECT_EQ(report.since, watch.now);
  ASSERT_EQ(watch.changes.size(), 3u);
  EXPECT_EQ(watch.changes[1].engine_code, "57P03");
  EXPECT_EQ(watch.changes[2].before, HealthState::degraded);
}

TEST(HealthMonitor, IsUpAgainAfterTwoSuccessesAndTellsTheBreakerAtTheFirst) {
  Watch watch;
  watch.succeed();
  watch.fail();
  watch.fail();
  watch.succeed();
  EXPECT_EQ(watch.state(), HealthState::down);
  EXPECT_EQ(watch.recoveries, 1);
  EXPECT_EQ(watch.resumes, 0);
  watch.succeed();
  EXPECT_EQ(watch.state(), HealthState::up);
  EXPECT_EQ(watch.recoveries, 1);
  EXPECT_EQ(watch.resumes, 1);
  auto const report = watch.monitor.report();
  EXPECT_EQ(report.reason, HealthReason::none);
  EXPECT_EQ(report.error_class, std::nullopt);
  EXPECT_EQ(report.engine_code, "");
}

TEST(HealthMonitor, GoesDownAtOnceWhenRefusedWithNothingAlive) {
  ProbeFailure const refused{.error_class = ErrorClass::transport, .connection_refused = true};
  Watch watch;
  watch.succeed();
  watch.monitor.live_slots(3);
  watch.fail(refused);
  EXPECT_EQ(watch.state(), HealthState::degraded) << "others are still served";

  Watch lonely;
  lonely.succeed();
  lonely.fail(refused);
  EXPECT_EQ(lonely.state(), HealthState::down);
  EXPECT_EQ(lonely.monitor.report().reason, HealthReason::connection_refused);
  EXPECT_EQ(lonely.invalidations, 1);

  Watch from_pool;
  from_pool.perform(from_pool.monitor.connect_failed(refused, from_pool.now));
  EXPECT_EQ(from_pool.state(), HealthState::down) << "a start against a dead server";
}

TEST(HealthMonitor, ProbesAtOnceAfterATransportFailureButOnceASecond) {
  Watch watch;
  watch.succeed();
  watch.now += 10s;
  watch.monitor.transport_failure_seen(watch.now);
  EXPECT_EQ(watch.monitor.next_tick_at(), watch.now);
  watch.succeed(1ms);
  auto const started = watch.now - 1ms;
  int probes = 0;
  auto const until = started + 10s;
  while (watch.now < until) {
    watch.monitor.transport_failure_seen(watch.now);
    watch.probe.reset();
    watch.tick();
    if (watch.probe) {
      ++probes;
      watch.perform(watch.monitor.probe_succeeded(watch.probe->id, 1ms, watch.now));
    }
    watch.now += 10ms;
  }
  EXPECT_EQ(probes, 9) << "1 s, 2 s, ... 9 s after the first";
}

TEST(HealthMonitor, DoesNotTrustAProbeThatMayHaveBeenAnsweredBeforeTheFailure) {
  Watch watch;
  auto const id = watch.next_probe();
  auto const started = watch.now;
  watch.now += 2ms;
  watch.monitor.transport_failure_seen(watch.now);
  watch.perform(watch.monitor.probe_succeeded(id, 3ms, watch.now));
  EXPECT_EQ(watch.monitor.next_tick_at(), started + 1s);
}

TEST(HealthMonitor, DegradesWhenAProbeTakesThreeTimesTheMedian) {
  Watch watch;
  for (int i = 0; i < 20; ++i) watch.succeed(20ms);
  watch.succeed(60ms);
  EXPECT_EQ(watch.state(), HealthState::up) << "three times is not more than three times";
  watch.succeed(61ms);
  EXPECT_EQ(watch.state(), HealthState::degraded);
  EXPECT_EQ(watch.monitor.report().reason, HealthReason::probe_slow);
  EXPECT_EQ(watch.invalidations, 0);
  EXPECT_LE(watch.monitor.next_tick_at(), watch.now + 1s);
  watch.perform(watch.monitor.connect_succeeded(watch.now));
  watch.perform(watch.monitor.connect_succeeded(watch.now));
  EXPECT_EQ(watch.state(), HealthState::degraded) << "connecting says nothing about slow probes";
  watch.succeed(20ms);
  watch.succeed(61ms);
  watch.succeed(20ms);
  EXPECT_EQ(watch.state(), HealthState::degraded);
  watch.succeed(20ms);
  EXPECT_EQ(watch.state(), HealthState::up);
  EXPECT_EQ(watch.recoveries, 0) << "it never failed";
}

TEST(HealthMonitor, CallsNoProbeSlowThatIsFastInItself) {
  Watch watch;
  for (int i = 0; i < 20; ++i) watch.succeed(200us);
  watch.succeed(10ms);
  EXPECT_EQ(watch.state(), HealthState::up);
  watch.succeed(11ms);
  EXPECT_EQ(watch.state(), HealthState::degraded);
}

TEST(HealthMonitor, LeavesDownForDegradedWhenItAnswersSlowly) {
  Watch watch;
  for (int i = 0; i < 20; ++i) watch.succeed(20ms);
  watch.fail();
  watch.fail();
  watch.succeed(1s);
  EXPECT_EQ(watch.state(), HealthState::down);
  watch.succeed(1s);
  EXPECT_EQ(watch.state(), HealthState::degraded);
  EXPECT_EQ(watch.resumes, 1);
}

TEST(HealthMonitor, CountsAHungProbeAsFailedAndIgnoresItsLateVerdict) {
  Watch watch;
  watch.succeed();
  auto const hung = watch.next_probe();
  EXPECT_EQ(watch.probe->deadline.at(), watch.now + 5s);
  watch.now += 5s;
  watch.tick();
  EXPECT_EQ(watch.state(), HealthState::degraded);
  EXPECT_EQ(watch.monitor.report().error_class, ErrorClass::timeout_local);
  watch.perform(watch.monitor.probe_succeeded(hung, 6s, watch.now));
  EXPECT_EQ(watch.monitor.report().last_success, watch.changes[0].since);
  watch.fail();
  EXPECT_EQ(watch.state(), HealthState::down);
}

TEST(HealthMonitor, LetsTheRecoveryProbersFindingsCountWhileNotUp) {
  Watch watch;
  watch.succeed();
  watch.fail();
  watch.perform(watch.monitor.connect_failed({}, watch.now));
  EXPECT_EQ(watch.state(), HealthState::down);
  watch.perform(watch.monitor.connect_succeeded(watch.now));
  EXPECT_EQ(watch.recoveries, 1);
  watch.perform(watch.monitor.connect_succeeded(watch.now));
  EXPECT_EQ(watch.state(), HealthState::up);
}

TEST(HealthMonitor, ProbesWithGrowingPausesWhileDown) {
  Watch watch;
  watch.succeed();
  for (auto const longest : {1s, 2s, 4s, 8s, 10s, 10s}) {
    watch.fail();
    auto const pause = watch.monitor.next_tick_at() - watch.now;
    EXPECT_LE(pause, longest);
    EXPECT_GE(pause, longest / 2);
    watch.monitor.transport_failure_seen(watch.now);
    EXPECT_EQ(watch.monitor.next_tick_at(), watch.now + pause) << "the prober has its own pace";
  }
}

TEST(HealthMonitor, PostponesAProbeThatTheGateDoesNotAllowWithoutCountingIt) {
  Watch watch;
  watch.succeed();
  auto id = watch.next_probe();
  watch.monitor.probe_postponed(id, watch.now + 7s, watch.now);
  EXPECT_EQ(watch.monitor.next_tick_at(), watch.now + 7s);
  id = watch.next_probe();
  watch.monitor.probe_postponed(id, time_point::max(), watch.now);
  EXPECT_EQ(watch.monitor.next_tick_at(), watch.now + 1s);
  EXPECT_EQ(watch.state(), HealthState::up);
}

TEST(HealthMonitor, TakesOurOwnCapacityForNoVerdict) {
  Watch watch;
  watch.succeed();
  watch.fail({.error_class = ErrorClass::capacity});
  watch.fail({.error_class = ErrorClass::cancelled});
  watch.perform(watch.monitor.connect_failed({.error_class = ErrorClass::capacity}, watch.now));
  EXPECT_EQ(watch.state(), HealthState::up);
}

TEST(HealthMonitor, SuspectsIdleConnectionsAfterASuspension) {
  Watch watch;
  watch.succeed();
  watch.now += 1s;
  watch.suspended += 5s;
  watch.tick();
  EXPECT_EQ(watch.suspicions, 0) << "5 s is not more than 5 s";
  watch.now += 10s;
  watch.suspended += 1h;
  watch.probe.reset();
  watch.tick();
  EXPECT_EQ(watch.suspicions, 1);
  EXPECT_TRUE(watch.probe) << "and asks at once how the endpoint is";
  watch.tick();
  EXPECT_EQ(watch.suspicions, 1);
  EXPECT_EQ(watch.state(), HealthState::up);
}

// P20 as far as it concerns the monitor: two monotonic clocks that run together never look like a suspension.
TEST(HealthMonitor, SeesNoSuspensionInADaysRun) {
  Watch watch;
  auto const end = watch.now + 24h;
  while (watch.now < end) watch.succeed();
  EXPECT_EQ(watch.suspicions, 0);
  EXPECT_EQ(watch.changes.size(), 1u);
}

TEST(HealthMonitor, InvalidatesOnlyWhenDownWhereAskedTo) {
  Watch watch({.invalidate = HealthOptions::Invalidate::when_down});
  watch.succeed();
  watch.fail();
  EXPECT_EQ(watch.invalidations, 0);
  watch.fail();
  EXPECT_EQ(watch.invalidations, 1);
  watch.fail();
  EXPECT_EQ(watch.invalidations, 1);
}

TEST(HealthMonitor, InvalidatesAgainWhenItFallsAfterASuccess) {
  Watch watch;
  watch.succeed();
  watch.fail();
  watch.succeed();
  watch.fail();
  EXPECT_EQ(watch.invalidations, 1) << "flapping must not throw connections away each time";
  watch.fail();
  EXPECT_EQ(watch.state(), HealthState::down);
  EXPECT_EQ(watch.invalidations, 2) << "what was connected after the success is suspect too";
}

TEST(HealthMonitor, InvalidatesAtTheFirstFailureOfEachEpisode) {
  Watch watch;
  watch.succeed();
  for (int episode = 1; episode <= 3; ++episode) {
    watch.fail();
    EXPECT_EQ(watch.invalidations, episode);
    watch.succeed();
    watch.succeed();
    EXPECT_EQ(watch.state(), HealthState::up);
  }
}

TEST(HealthMonitor, ReportsLatencyQuantilesOfTheLatestProbes) {
  Watch watch({.slow_at_least = 1min});
  EXPECT_EQ(watch.monitor.report().latency_p50, std::nullopt);
  for (int i = 0; i < 200; ++i) watch.succeed(9s);
  for (int i = 1; i <= 128; ++i) watch.succeed(i * 1ms);
  EXPECT_EQ(watch.monitor.report().latency_p50, 64ms);
  EXPECT_EQ(watch.monitor.report().latency_p99, 127ms);
}

// H2: a silent black hole without traffic, at any moment of the interval.
TEST(HealthMonitor, H2FindsASilentBlackHoleInTime) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Watch watch({}, seed);
    Random random(seed + 1000);
    auto const healthy = random.below(20);
    for (std::uint64_t i = 0; i <= healthy; ++i) watch.succeed(std::chrono::milliseconds(1 + random.below(9)));
    auto const swallowed_from =
        watch.now + std::chrono::nanoseconds(random.below(static_cast<std::uint64_t>(
                        std::chrono::nanoseconds(watch.monitor.next_tick_at() - watch.now).count())));
    std::optional<time_point> degraded_at;
    while (watch.state() != HealthState::down) {
      watch.now = std::max(watch.now, watch.monitor.next_tick_at());
      watch.tick();
      if (watch.state() == HealthState::degraded && !degraded_at) {
        degraded_at = watch.now;
        ASSERT_EQ(watch.invalidations, 1);
      }
    }
    ASSERT_TRUE(degraded_at);
    EXPECT_LE(*degraded_at - swallowed_from, 33s + 5s);
    EXPECT_LE(watch.now - *degraded_at, 1s + 5s);
  }
}

// H2: an active refusal under traffic.
TEST(HealthMonitor, H2FindsAnActiveRefusalUnderTrafficWithinASecond) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Watch watch({}, seed);
    Random random(seed);
    watch.succeed();
    watch.now += std::chrono::milliseconds(random.below(25'000));
    watch.monitor.live_slots(0);
    auto const refused_from = watch.now;
    watch.monitor.transport_failure_seen(watch.now);
    watch.fail({.error_class = ErrorClass::transport, .connection_refused = true});
    EXPECT_EQ(watch.state(), HealthState::down);
    EXPECT_EQ(watch.invalidations, 1);
    EXPECT_LE(watch.now - refused_from, 1s);
  }
}

TEST(HealthMonitor, H3DoesNotFlapWhenSuccessesAndFailuresAlternate) {
  for (int first_failures : {1, 2}) {
    Watch watch;
    watch.succeed();
    for (int i = 1; i < first_failures; ++i) watch.fail();
    auto const before = watch.changes.size();
    auto const stops = watch.stops + watch.resumes;
    for (int i = 0; i < 50; ++i) {
      watch.fail();
      watch.succeed();
    }
    EXPECT_LE(watch.changes.size() - before, 1u);
    EXPECT_LE(watch.stops + watch.resumes - stops, 1);
    EXPECT_LE(watch.invalidations, 2);
  }
}

// The state is what a naive recount of the verdicts says; actions are consistent with it.
TEST(HealthMonitor, FollowsARandomHistoryLikeANaiveRecount) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    Watch watch({}, seed);
    watch.monitor.live_slots(1);
    std::vector<bool> verdicts;
    auto expected = HealthState::unknown;
    for (int i = 0; i < 300; ++i) {
      verdicts.push_back(random.below(2) == 0);
      if (verdicts.back()) {
        watch.succeed();
      } else {
        watch.fail();
      }
      bool const twice = verdicts.size() >= 2 && verdicts[verdicts.size() - 2] == verdicts.back();
      if (verdicts.back()) {
        if (twice || expected == HealthState::unknown) expected = HealthState::up;
      } else if (expected != HealthState::down) {
        expected = twice ? HealthState::down : HealthState::degraded;
      }
      ASSERT_EQ(watch.state(), expected);
      ASSERT_EQ(watch.stops - watch.resumes, expected == HealthState::down ? 1 : 0);
    }
    auto state = HealthState::unknown;
    for (auto const& change : watch.changes) {
      ASSERT_EQ(change.before, state) << "changes follow each other without a gap";
      ASSERT_NE(change.after, state);
      state = change.after;
    }
  }
}

TEST(HealthMonitor, RefusesNonsensicalOptions) {
  auto const refused = [](HealthOptions const& nonsense) {
    try {
      HealthMonitor monitor(nonsense, Random(1));
      return false;
    } catch (Error const& error) {
      return error.error_class() == ErrorClass::request && error.send_state() == SendState::never_sent;
    }
  };
  EXPECT_FALSE(refused({}));
  EXPECT_TRUE(refused({.interval = 0s}));
  EXPECT_TRUE(refused({.interval_jitter = 0.6}));
  EXPECT_TRUE(refused({.probe_timeout = 0s}));
  EXPECT_TRUE(refused({.immediate_gap = 31s}));
  EXPECT_TRUE(refused({.unhealthy_delay_max = 500ms}));
  EXPECT_TRUE(refused({.failures_to_down = 0}));
  EXPECT_TRUE(refused({.successes_to_up = 0}));
  EXPECT_TRUE(refused({.slow_factor = 1}));
  EXPECT_TRUE(refused({.slow_at_least = -1s}));
  EXPECT_TRUE(refused({.samples_for_median = 129}));
  EXPECT_TRUE(refused({.suspend_gap = 0s}));
}

}  // namespace
}  // namespace belay::resilience
