// What the policy's callers see of the circuit breaker.
#include <algorithm>

#include <gmock/gmock.h>

#include "belay/pool/test_policy.hpp"

namespace belay::pool {
namespace {

using resilience::BreakerState;
using testing::ElementsAre;

struct PolicyBreakerTest : PolicyTest {
  PolicyBreakerTest() { options.read.retry.retries_max = 0; }

  /// One call each; 'F' fails, 'S' succeeds.
  void calls(std::string_view outcomes) {
    for (auto const outcome : outcomes) {
      server.failures = outcome == 'F' ? server.asked_at.size() + 1 : 0;
      (void)call();
    }
    server.failures = 0;
  }
  BreakerState state_after(std::string_view outcomes) {
    made.reset();
    calls(outcomes);
    return breaker().state();
  }
  /// 100 callers at once, from now on.
  void crowd(std::vector<CallResult>& results) {
    results = std::vector<CallResult>(100);
    for (auto& result : results) spawn(result);
  }
  static std::size_t count_refused(std::vector<CallResult> const& results) {
    return static_cast<std::size_t>(std::count_if(results.begin(), results.end(), [](CallResult const& result) {
      return result.is_refused_by("circuit_breaker");
    }));
  }
  std::size_t asked() const { return server.asked_at.size(); }
};

TEST_F(PolicyBreakerTest, OpensAtFiveFailuresInARowF18) {
  EXPECT_EQ(state_after("FFFFF"), BreakerState::open);
  EXPECT_EQ(state_after("FFFFS"), BreakerState::closed);
  EXPECT_EQ(state_after("FFSFFSF"), BreakerState::closed);
  EXPECT_EQ(state_after("FFFFSFFFFS"), BreakerState::closed);
}

TEST_F(PolicyBreakerTest, LetsNobodyThroughWhileItIsOpenF19) {
  calls("FFFFF");
  for (int i = 0; i < 1000; ++i) {
    auto const result = call();
    ASSERT_TRUE(result.is_refused_by("circuit_breaker"));
    ASSERT_EQ(result.error->error_class(), ErrorClass::capacity);
    ASSERT_EQ(result.error->send_state(), SendState::never_sent);
    ASSERT_FALSE(result.error->detail("retry_after_ms").empty());
  }
  EXPECT_EQ(asked(), 5u);
  EXPECT_EQ(since_start(), 0ns);
  EXPECT_EQ(counters().refusals(RefusedBy::circuit_breaker), 1000u);
  EXPECT_EQ(breaker().snapshot(world.now()).counters.refused, 1000u);
}

TEST_F(PolicyBreakerTest, AdmitsOneProbeOfAHundredCallersF20) {
  calls("FFFFF");
  world.run_for(60s - 1ms);
  EXPECT_TRUE(call().is_refused_by("circuit_breaker")) << "never less than 60 s";
  world.run_for(12s);  // it is 60 s to 72 s
  server.takes = 50ms;
  std::vector<CallResult> results;
  crowd(results);
  world.run();
  EXPECT_EQ(asked(), 6u) << "exactly one probe";
  EXPECT_EQ(count_refused(results), 99u);
  EXPECT_EQ(breaker().state(), BreakerState::half_open);
  crowd(results);
  world.run();
  EXPECT_EQ(asked(), 7u);
  EXPECT_EQ(breaker().state(), BreakerState::closed) << "the second success closes";
}

TEST_F(PolicyBreakerTest, ReopensForAFullMinuteWhenTheProbeFailsF20) {
  calls("FFFFF");
  world.run_for(72s);
  server.takes = 50ms;
  server.failures = 6;
  std::vector<CallResult> results;
  crowd(results);
  world.run();
  EXPECT_EQ(asked(), 6u);
  EXPECT_EQ(breaker().state(), BreakerState::open);
  world.run_for(60s - 1ms);
  (void)call();
  EXPECT_EQ(asked(), 6u);
  world.run_for(12s);
  EXPECT_EQ(call().value, 1);
}

TEST_F(PolicyBreakerTest, LetsCallersWaitForTheProbesVerdict) {
  options.read.breaker->extra_callers = resilience::ExtraCallers::wait;
  options.read.breaker->waiters_max = 16;
  calls("FFFFF");
  world.run_for(72s);
  server.takes = 50ms;
  auto const began = world.now();
  std::vector<CallResult> results;
  crowd(results);
  world.run_for(10ms);
  EXPECT_EQ(asked(), 6u);
  EXPECT_EQ(breaker().waiting(), 16u);
  EXPECT_EQ(count_refused(results), 83u);
  world.run();
  EXPECT_EQ(asked(), 5u + 17u) << "the first probe, then one of the sixteen, then all others";
  EXPECT_EQ(count_refused(results), 83u);
  EXPECT_EQ(world.now(), began + 150ms);
}

TEST_F(PolicyBreakerTest, TellsThoseWhoWaitForAHungProbeWhenItsLeaseIsOver) {
  options.read.breaker->extra_callers = resilience::ExtraCallers::wait;
  calls("FFFFF");
  world.run_for(72s);
  server.takes = 1h;  // longer than the lease of 30 s
  CallResult hung;
  CallResult waiting;
  CallResult impatient;
  spawn(hung, until(10s));  // which its body does not keep
  world.run_for(1ms);
  spawn(waiting);
  spawn(impatient, until(2s));
  auto const began = world.now();
  world.run();
  EXPECT_TRUE(impatient.is_refused_by("circuit_breaker"));
  EXPECT_EQ(impatient.ended_at, began + 2s) << "at its deadline";
  EXPECT_TRUE(waiting.is_refused_by("circuit_breaker"));
  EXPECT_EQ(waiting.ended_at, began - 1ms + 30s) << "when the lease ended and the breaker opened again";
  EXPECT_EQ(hung.value, 1);
}

TEST_F(PolicyBreakerTest, StopsRetryingWhenItOpens) {
  options.read.retry.retries_max = 4;
  options.read.breaker->consecutive->failures = 3;
  server.failures = 1000;
  auto const result = call();
  EXPECT_EQ(asked(), 3u);
  EXPECT_EQ(result.error->detail("not_retried"), "breaker_open");
  EXPECT_STREQ(result.error->what(), "the server failed");
}

// F21: the server answered, so it works.
TEST_F(PolicyBreakerTest, IsNotMovedByErrorsOfTheCallersMakingF21) {
  options.read.retry.retries_max = 4;
  server.failures = 1000;
  server.error_class = ErrorClass::request;
  server.send_state = SendState::executed;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(call().error->detail("not_retried"), "class_forbids");
  EXPECT_EQ(asked(), 5u) << "no retry";
  EXPECT_EQ(breaker().state(), BreakerState::closed);
  EXPECT_EQ(breaker().snapshot(world.now()).failures_in_row, 0u);
}

// B9: all bookkeeping, no refusal.
TEST_F(PolicyBreakerTest, RefusesNobodyInShadowModeB9) {
  options.read.retry.retries_max = 4;
  options.read.breaker->mode = resilience::BreakerMode::shadow;
  options.read.breaker->consecutive->failures = 2;
  server.failures = 4;
  EXPECT_EQ(call().value, 5) << "retries go on as well";
  EXPECT_EQ(breaker().state(), BreakerState::open);
  EXPECT_EQ(call().value, 1);
}

TEST_F(PolicyBreakerTest, GoesHalfOpenAtOnceWhenTheEndpointIsProvenToBeBack) {
  calls("FFFFF");
  policy().endpoint_recovered();
  EXPECT_EQ(call().value, 1);
}

TEST_F(PolicyBreakerTest, TellsItsListenersInTimeAlsoWhenNobodyCallsB7) {
  std::vector<std::pair<BreakerState, std::chrono::nanoseconds>> told;
  hooks.on_breaker_change = [&](BreakerChange const& change) {
    told.emplace_back(change.event.to, world.now() - start);
  };
  boost::asio::cancellation_signal stop;
  boost::asio::co_spawn(world.get_executor(), policy().keep_time(),
                        boost::asio::bind_cancellation_slot(stop.slot(), boost::asio::detached));
  world.run_for(1s);
  calls("FFFFF");
  auto const open_for = breaker().snapshot(world.now()).open_for;
  world.run_for(100s);
  EXPECT_THAT(told, ElementsAre(std::pair(BreakerState::open, std::chrono::nanoseconds(1s)),
                                std::pair(BreakerState::half_open, 1s + open_for)));
  world.post([&] { stop.emit(boost::asio::cancellation_type::terminal); });
  world.run();
  EXPECT_TRUE(world.is_empty());
}

}  // namespace
}  // namespace belay::pool
