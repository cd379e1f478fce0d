#include <string>

#include <gtest/gtest.h>

#include "belay/pool/test_pool_fixture.hpp"

namespace {

using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;

/// P21: what a failed acquire tells agrees with what was done to the pool.
struct PoolDiagnosis : PoolFixture {
  PoolDiagnosis() { options.max_size = 2; }

  static LeaseRequest named(std::string_view label, std::uint64_t task = 0) {
    LeaseRequest request;
    request.label = label;
    request.task = task;
    return request;
  }
  LeaseRequest nested(std::uint64_t task) {
    auto request = named("nested", task);
    request.deadline = Deadline::at(now + 100ms);
    return request;
  }
  void run_statement(Call const& call) { pool().statement_started(call.lease(), "SELECT * FROM dossier", now); }
};

TEST_F(PoolDiagnosis, NamesTheHoldersAndHowLongTheyHold) {
  auto const one = lease(named("import"));
  pass(2s);
  auto const two = lease(named("report"));
  pool().statement_started(two.lease(), "SELECT count() FROM dossier", now);
  auto waiter = acquire_within(500ms);
  pass(500ms);
  auto const error = pool().error_for(*waiter.waiter, now);
  std::string const text = error.what();
  EXPECT_NE(text.find("'import' at"), std::string::npos) << text;
  EXPECT_NE(text.find("for 2s500ms"), std::string::npos) << text;
  EXPECT_NE(text.find("running 'SELECT count() FROM dossier' for 500ms"), std::string::npos) << text;
  EXPECT_NE(text.find("2 of 2 connections (2 leased)"), std::string::npos) << text;
  EXPECT_EQ(error.detail("reason"), "timed_out");
  EXPECT_EQ(error.send_state(), SendState::never_sent);
  auto const diagnosis = pool().diagnose(now);
  ASSERT_EQ(diagnosis.oldest.size(), 2U);
  EXPECT_EQ(diagnosis.oldest[0].label, "import");
}

TEST_F(PoolDiagnosis, TellsTheFiveOldestLeasesOnly) {
  options.max_size = 10;
  std::vector<Call> calls;
  for (int i = 0; i < 7; ++i) {
    calls.push_back(lease());
    now += 1ms;
  }
  auto const diagnosis = pool().diagnose(now);
  ASSERT_EQ(diagnosis.oldest.size(), 5U);
  EXPECT_EQ(diagnosis.oldest.front().held, 7ms);
  EXPECT_EQ(diagnosis.oldest.back().held, 3ms);
}

TEST_F(PoolDiagnosis, SuspectsALeakWhenALeaseDoesNothing) {
  learn_hold_time(10ms);
  auto const one = lease();
  auto const two = lease();
  run_statement(two);
  pass(2s);
  auto waiter = acquire_within(500ms);
  pass(500ms);
  EXPECT_EQ(waiter.waiter->verdict(), Verdict::leak_suspected);
}

TEST_F(PoolDiagnosis, BlamesSlowQueries) {
  learn_hold_time(10ms);
  auto const one = lease();
  auto const two = lease();
  run_statement(one);
  run_statement(two);
  pass(2s);
  auto waiter = acquire_within(500ms);
  pass(500ms);
  EXPECT_EQ(waiter.waiter->verdict(), Verdict::slow_queries);
}

TEST_F(PoolDiagnosis, CallsAPoolUndersizedWhenLeasesAreHeldAsUsual) {
  learn_hold_time(100ms);
  auto one = lease();
  auto two = lease();
  auto const refused = acquire_within(50ms);
  EXPECT_EQ(refused.refusal(), Refusal::predicted_wait);
  EXPECT_EQ(refused.waiter->verdict(), Verdict::undersized);
}

TEST_F(PoolDiagnosis, SeesThatTheEndpointIsDown) {
  auto waiter = acquire_within(1s);
  fail_connects();
  pass(1s);
  EXPECT_EQ(waiter.refusal(), Refusal::timed_out);
  EXPECT_EQ(waiter.waiter->verdict(), Verdict::endpoint_down);
}

TEST_F(PoolDiagnosis, SeesThatTheServerRefusesMore) {
  auto const one = lease();
  auto waiter = acquire_within(1s);
  fail_connects(ErrorClass::overload);
  pass(1s);
  EXPECT_EQ(waiter.waiter->verdict(), Verdict::connect_refused_by_server);
  EXPECT_EQ(pool().diagnose(now).connects.size(), 1U);
}

// P22
TEST_F(PoolDiagnosis, SuspectsADeadlockWhenEveryHolderWaits) {
  auto const one = lease(named("a", 1));
  auto const two = lease(named("b", 2));
  auto first = acquire(nested(1));
  auto second = acquire(nested(2));
  pass(100ms);
  EXPECT_EQ(first.refusal(), Refusal::timed_out);
  EXPECT_EQ(first.waiter->verdict(), Verdict::deadlock_suspected);
  EXPECT_EQ(second.waiter->verdict(), Verdict::deadlock_suspected);
}

// P22
TEST_F(PoolDiagnosis, DoesNotCallItADeadlockWhileOneHolderWorks) {
  auto const one = lease(named("a", 1));
  auto const two = lease(named("b", 2));
  auto first = acquire(nested(1));
  pass(100ms);
  EXPECT_EQ(first.waiter->verdict(), Verdict::undersized);
}

TEST_F(PoolDiagnosis, SeesThatPlacesAreBeingCleanedUp) {
  auto const one = lease();
  auto const two = lease();
  release(one, {ReleaseCondition::mid_query, Signal::nothing});
  release(two, {ReleaseCondition::mid_query, Signal::nothing});
  auto waiter = acquire_within(100ms);
  pass(100ms);
  EXPECT_EQ(waiter.waiter->verdict(), Verdict::cleaning_up);
}

TEST_F(PoolDiagnosis, SeesThatItIsPausedOrStillConnecting) {
  auto waiter = acquire_within(100ms);
  pass(100ms);
  EXPECT_EQ(waiter.waiter->verdict(), Verdict::connecting);
  input([&](PoolCore& machine, Actions& wanted) { machine.pause(now, wanted); });
  auto next = acquire_within(100ms);
  pass(100ms);
  EXPECT_EQ(next.waiter->verdict(), Verdict::paused);
}

TEST_F(PoolDiagnosis, WarnsOfALeaseHeldForLongAndThenEachTimeItsAgeHasDoubled) {
  auto const call = lease(named("forgotten"));
  std::vector<duration> warned;
  auto const start = now;
  for (int i = 0; i < 250; ++i) {
    pass(1s);
    for (auto const& action : take(Kind::warn_leak)) {
      EXPECT_EQ(action.lease, call.lease());
      warned.push_back(now - start);
    }
  }
  EXPECT_EQ(warned, (std::vector<duration>{30s, 60s, 120s, 240s}));
  EXPECT_TRUE(pool().holds(call.lease())) << "a warning only";
}

TEST_F(PoolDiagnosis, DoesNotWarnOfALastingLease) {
  auto request = named("live");
  request.term = LeaseTerm::lasting;
  auto const call = lease(request);
  pass(2min);
  EXPECT_EQ(count(Kind::warn_leak), 0U);
  release(call);
  EXPECT_EQ(shot().hold_mean, 0ns);
}

TEST_F(PoolDiagnosis, TakesALeakedLeaseAwayWhenAskedTo) {
  options.leak_reclaim_after = 1min;
  auto const call = lease();
  pass(1min + 1s);
  EXPECT_EQ(count(Kind::close_force), 1U);
  EXPECT_FALSE(pool().holds(call.lease()));
  EXPECT_FALSE(release(call));
  EXPECT_EQ(closed_for(CloseReason::leak_reclaimed), 1U);
}

TEST_F(PoolDiagnosis, CountsEventsThatNobodyFetched) {
  for (int i = 0; i < 300; ++i) acquire_within(0ns);
  EXPECT_EQ(shot().events_dropped, 300U - EventRing::capacity);
  EXPECT_EQ(pool().next_event()->kind, PoolEvent::Kind::waiter_refused);
}

}  // namespace
