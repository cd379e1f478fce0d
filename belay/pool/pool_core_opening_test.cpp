#include <set>

#include <gtest/gtest.h>

#include "belay/pool/test_pool_fixture.hpp"

namespace {

using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;

struct PoolOpening : PoolFixture {
  void start() {
    input([&](PoolCore& machine, Actions& wanted) { machine.start(now, wanted); });
  }
};

TEST_F(PoolOpening, OpensMinIdleConnectionsAtTheStart) {
  options.min_idle = 2;
  start();
  EXPECT_EQ(count(Kind::connect), 2U);
  connect_all();
  EXPECT_EQ(in(SlotState::idle), 2U);
  EXPECT_EQ(count(Kind::connect), 0U);
}

TEST_F(PoolOpening, RefillsWhatIsLent) {
  options.min_idle = 1;
  start();
  connect_all();
  auto const call = acquire();
  EXPECT_EQ(count(Kind::connect), 1U);
}

// P1
TEST_F(PoolOpening, NeverExceedsTheHardLimit) {
  options.max_size = 2;
  options.max_overflow = 1;
  std::vector<Call> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(acquire());
  EXPECT_EQ(count(Kind::connect), 3U);
  for (auto& call : calls) withdraw(call);
}

TEST_F(PoolOpening, UsesTheOverflowForWaitersOnly) {
  options.max_size = 1;
  options.max_overflow = 2;
  options.min_idle = 1;
  auto const one = lease();
  auto const two = lease();
  EXPECT_EQ(shot().taken(), 2U);
  EXPECT_EQ(count(Kind::connect), 0U) << "min_idle is worth no overflow";
  release(two);
  EXPECT_EQ(in(SlotState::idle), 1U);
  pass(5s - 1ns);
  EXPECT_EQ(in(SlotState::idle), 1U);
  pass(1ns);
  EXPECT_EQ(closed_for(CloseReason::overflow), 1U);
}

// P14: what the gate allows, no more.
TEST_F(PoolOpening, OpensNoMoreThanTheGateAllows) {
  options.max_size = 8;
  SimulatedGate narrow(2);
  core.emplace(options, narrow, Random(7), now);
  std::vector<Call> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(acquire());
  EXPECT_EQ(count(Kind::connect), 2U);
  connect_all();
  EXPECT_EQ(count(Kind::connect), 2U);
  connect_all();
  EXPECT_EQ(count(Kind::connect), 1U);
  for (auto& call : calls) withdraw(call);
}

TEST_F(PoolOpening, FinishesAConnectWhoseWaiterIsServedByAReturnedConnection) {
  auto const holder = lease();
  auto waiter = acquire();
  release(holder);
  EXPECT_EQ(accept(waiter), Outcome::granted);
  connect_all();
  EXPECT_EQ(in(SlotState::idle), 1U);
}

TEST_F(PoolOpening, KeepsAConnectThatOtherWaitersNeed) {
  options.max_size = 1;
  auto first = acquire();
  auto second = acquire();
  withdraw(first);
  EXPECT_EQ(count(Kind::close_force), 0U);
  connect_all();
  EXPECT_EQ(accept(second), Outcome::granted);
}

TEST_F(PoolOpening, DropsAConnectThatNobodyNeedsAnyMore) {
  auto const holder = lease();
  auto waiter = acquire();
  ASSERT_EQ(count(Kind::connect), 1U);
  withdraw(waiter);
  EXPECT_EQ(closed_for(CloseReason::connect_not_needed), 1U);
  EXPECT_EQ(gate.outstanding(), 0U);
}

TEST_F(PoolOpening, FinishesTheFirstConnectForCallersMoreImpatientThanItTakes) {
  auto waiter = acquire_within(10ms);
  pass(10ms);
  EXPECT_EQ(waiter.refusal(), Refusal::timed_out);
  connect_all();
  EXPECT_EQ(in(SlotState::idle), 1U);
}

TEST_F(PoolOpening, ServesAShortBurstWithOneMoreConnection) {
  options.max_size = 50;
  std::vector<Call> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(acquire());
  now += 150ms;
  connect_all();
  for (auto& call : calls) accept(call);
  for (auto const& call : calls) release(call);
  learn_hold_time(2ms);

  std::vector<Call> burst;
  for (int i = 0; i < 50; ++i) burst.push_back(acquire());
  EXPECT_EQ(count(Kind::connect), 1U) << "44 waiters x 2 ms on 6 connections are served before one is opened";
  for (auto& call : burst) withdraw(call);
}

TEST_F(PoolOpening, GivesAConnectUpAtItsTimeout) {
  auto waiter = acquire();
  ASSERT_EQ(count(Kind::connect), 1U);
  auto const slot = actions.front().slot;
  pass(10s);
  EXPECT_EQ(count(Kind::close_force), 1U);
  EXPECT_EQ(shot().connects_failed, 1U);
  EXPECT_TRUE(gate.is_recovering());
  input([&](PoolCore& machine, Actions& wanted) { machine.initialised(slot, now, wanted); });
  EXPECT_EQ(in(SlotState::idle), 0U) << "a late success is no success";
  EXPECT_EQ(gate.complaint, "");
  withdraw(waiter);
}

// P15
TEST_F(PoolOpening, TriesOneAtATimeWhileTheEndpointFails) {
  options.min_idle = 3;
  start();
  ASSERT_EQ(count(Kind::connect), 3U);
  fail_connects();
  for (int i = 0; i < 10; ++i) {
    pass(1s);
    EXPECT_LE(count(Kind::connect), 1U);
    fail_connects();
  }
}

TEST_F(PoolOpening, FailsItsWaitersWhenTheEndpointIsDownForLong) {
  auto waiter = acquire();
  fail_connects();
  pass(5s - 1ms);
  EXPECT_EQ(waiter.state(), WaiterState::queued);
  fail_connects();
  pass(1ms);
  EXPECT_EQ(waiter.refusal(), Refusal::endpoint_down);
  auto const error = pool().error_for(*waiter.waiter, now);
  EXPECT_EQ(error.error_class(), ErrorClass::transport);
  EXPECT_NE(std::string(error.what()).find("refused by 10.0.0.1:5432"), std::string::npos) << error.what();
}

// P18: the queue cannot grow while the endpoint is down.
TEST_F(PoolOpening, RefusesNewcomersAtOnceWhileTheEndpointIsDown) {
  auto waiter = acquire();
  fail_connects();
  pass(5s);
  fail_connects();
  auto const newcomer = acquire();
  EXPECT_EQ(newcomer.refusal(), Refusal::endpoint_down);
  EXPECT_TRUE(shot().is_down);
}

TEST_F(PoolOpening, GoesOnProbingADownEndpointThoughNobodyWaits) {
  auto waiter = acquire();
  fail_connects();
  pass(6s);
  for (int i = 0; i < 8; ++i) {
    fail_connects();
    pass(4s);
  }
  ASSERT_EQ(count(Kind::connect), 1U);
  connect_all();
  EXPECT_EQ(acquire().result.outcome, Outcome::granted);
  EXPECT_FALSE(shot().is_down);
}

TEST_F(PoolOpening, KeepsServingFromLiveConnectionsWhileConnectingFails) {
  auto const holder = lease();
  auto waiter = acquire();
  fail_connects();
  pass(20s);
  EXPECT_EQ(waiter.state(), WaiterState::queued);
  release(holder);
  EXPECT_EQ(accept(waiter), Outcome::granted);
}

TEST_F(PoolOpening, FailsAllWaitersWhenConnectingCannotSucceed) {
  auto first = acquire();
  auto second = acquire();
  auto const connect = take(Kind::connect).at(0);
  ConnectFailure failure{Error(ErrorClass::auth, SendState::refused, "password authentication failed", "28P01")};
  failure.permanent = true;
  input([&](PoolCore& machine, Actions& wanted) { machine.connect_failed(connect.slot, failure, now, wanted); });
  EXPECT_EQ(first.refusal(), Refusal::connect_failed);
  EXPECT_EQ(second.refusal(), Refusal::connect_failed);
  auto const error = pool().error_for(*second.waiter, now);
  EXPECT_EQ(error.error_class(), ErrorClass::auth);
  EXPECT_EQ(error.engine_code(), "28P01");
  EXPECT_EQ(error.send_state(), SendState::never_sent);
}

TEST_F(PoolOpening, OpensNothingForWaitersWhileTheBreakerIsOpen) {
  options.min_idle = 1;
  start();
  connect_all();
  input([&](PoolCore& machine, Actions& wanted) { machine.set_refill(Refill::min_idle_only, now, wanted); });
  auto const one = acquire();
  auto two = acquire();
  auto three = acquire();
  EXPECT_EQ(count(Kind::connect), 1U) << "one for min_idle, none for those who wait";
  withdraw(two);
  withdraw(three);
}

TEST_F(PoolOpening, OpensNothingAtAllWhileToldThatTheEndpointIsDown) {
  options.min_idle = 2;
  input([&](PoolCore& machine, Actions& wanted) { machine.set_refill(Refill::none, now, wanted); });
  start();
  auto waiter = acquire();
  EXPECT_EQ(count(Kind::connect), 0U);
  pass(5s);
  EXPECT_EQ(waiter.refusal(), Refusal::endpoint_down);
  input([&](PoolCore& machine, Actions& wanted) { machine.set_refill(Refill::normal, now, wanted); });
  EXPECT_EQ(count(Kind::connect), 2U);
}

// P16
TEST_F(PoolOpening, ExpiresAtMostOneConnectionPerGap) {
  options.max_size = 10;
  options.min_idle = 10;
  options.max_lifetime = 100s;
  options.idle_timeout = std::nullopt;
  options.keepalive = std::nullopt;
  start();
  connect_all();
  std::vector<time_point> expiries;
  for (int i = 0; i < 3000; ++i) {
    auto const before = closed_for(CloseReason::expired);
    pass(100ms);
    for (auto n = before; n < closed_for(CloseReason::expired); ++n) expiries.push_back(now);
    close_all();
    connect_all();
  }
  ASSERT_GE(expiries.size(), 20U);
  for (std::size_t i = 1; i < expiries.size(); ++i) EXPECT_GE(expiries[i] - expiries[i - 1], 10s - 100ms);
}

TEST_F(PoolOpening, JittersLifetimesByATenth) {
  options.max_size = 100;
  options.max_lifetime = 1000s;
  std::vector<Call> calls;
  auto const call = lease();
  auto const* const slot = pool().slot(call.slot().index);
  EXPECT_GT(slot->expires_at, now + 890s);
  EXPECT_LE(slot->expires_at, now + 1000s);
}

// P17
TEST_F(PoolOpening, ClosesIdleConnectionsDownToMinIdleAndNoFurther) {
  options.min_idle = 1;
  options.idle_timeout = 1min;
  options.keepalive = options.max_lifetime = std::nullopt;
  open(3);
  pass(1min - 1ns);
  EXPECT_EQ(in(SlotState::idle), 3U);
  pass(1ns);
  EXPECT_EQ(in(SlotState::idle), 1U);
  EXPECT_EQ(closed_for(CloseReason::idle_timeout), 2U);
  close_all();
  pass(20min);
  EXPECT_EQ(in(SlotState::idle), 1U);
  EXPECT_EQ(shot().connects_started, 3U);
}

TEST_F(PoolOpening, KeepsIdleConnectionsAlive) {
  open(1);
  pass(108s - 1ns);
  EXPECT_EQ(count(Kind::test), 0U);
  for (int i = 0; i <= 48 && count(Kind::test) == 0; ++i) pass(500ms);
  ASSERT_EQ(count(Kind::test), 1U) << "by 132 s";
  EXPECT_TRUE(actions.front().round_trip);
  pass_tests();
  EXPECT_EQ(in(SlotState::idle), 1U);
}

TEST_F(PoolOpening, LendsAConnectionWhoseKeepaliveAnswersRatherThanOpeningAnother) {
  open(1);
  for (int i = 0; i <= 300 && count(Kind::test) == 0; ++i) pass(500ms);
  ASSERT_EQ(count(Kind::test), 1U);
  auto call = acquire();
  EXPECT_EQ(count(Kind::connect), 0U);
  pass_tests();
  EXPECT_EQ(accept(call), Outcome::granted);
}

TEST_F(PoolOpening, KeepsATenthOfTheIdleConnectionsAliveAtOnce) {
  options.max_size = 30;
  std::vector<Call> calls;
  for (int i = 0; i < 30; ++i) calls.push_back(lease());
  for (auto const& call : calls) release(call);
  std::size_t most = 0;
  for (int i = 0; i < 30; ++i) {
    pass(1s);
    most = std::max<std::size_t>(most, in(SlotState::testing));
  }
  for (int i = 0; i < 110; ++i) {
    pass(1s);
    most = std::max<std::size_t>(most, in(SlotState::testing));
    pass_tests();
  }
  EXPECT_GE(most, 1U);
  EXPECT_LE(most, 3U);
}

TEST_F(PoolOpening, ReplacesAnIdleConnectionThatTheWatchSawBreak) {
  options.min_idle = 1;
  start();
  connect_all();
  input([&](PoolCore& machine, Actions& wanted) { machine.lost({0, 1}, Signal::transport, now, wanted); });
  EXPECT_EQ(count(Kind::close_force), 1U);
  EXPECT_EQ(gate.times_all_lost, 1);
  EXPECT_EQ(count(Kind::connect), 1U) << "another place, while the first is still closing";
}

TEST_F(PoolOpening, GrowsAtRunTime) {
  options.max_size = 1;
  auto const holder = lease();
  auto waiter = acquire();
  EXPECT_EQ(count(Kind::connect), 0U);
  input([&](PoolCore& machine, Actions& wanted) { machine.resize({0, 2, 0}, now, wanted); });
  EXPECT_EQ(count(Kind::connect), 1U);
  EXPECT_TRUE(pool().holds(holder.lease()));
  connect_all();
  EXPECT_EQ(accept(waiter), Outcome::granted);
}

TEST_F(PoolOpening, ShrinksAsConnectionsComeBack) {
  auto const one = lease();
  auto const two = lease();
  auto const three = lease();
  release(three);
  input([&](PoolCore& machine, Actions& wanted) { machine.resize({0, 1, 0}, now, wanted); });
  EXPECT_EQ(closed_for(CloseReason::resized), 1U);
  release(one);
  EXPECT_EQ(closed_for(CloseReason::resized), 2U);
  release(two);
  EXPECT_EQ(in(SlotState::idle), 1U);
}

TEST_F(PoolOpening, RefusesASizeThatMakesNoSenseAndChangesNothing) {
  open(1);
  Actions wanted;
  EXPECT_THROW(pool().resize({5, 2, 0}, now, wanted), Error);
  EXPECT_EQ(pool().options().max_size, 3U);
}

TEST_F(PoolOpening, TakesAFailedConnectForTheEndOfOneThatIsClosing) {
  options.max_size = 1;
  auto const call = acquire();
  auto const slot = call.waiter != nullptr ? actions.front().slot : SlotHandle();
  actions.clear();
  input([&](PoolCore& machine, Actions& wanted) {
    machine.invalidate_all(GenerationReason::operator_request, Invalidation::hard, now, wanted);
  });
  ASSERT_EQ(in(SlotState::closing), 1U);
  ConnectFailure const failure{Error(ErrorClass::transport, SendState::never_sent, "refused")};
  input([&](PoolCore& machine, Actions& wanted) { machine.connect_failed(slot, failure, now, wanted); });
  EXPECT_EQ(in(SlotState::closing), 0U) << "its place is free: whoever was to close it finds nothing";
  input([&](PoolCore& machine, Actions& wanted) { machine.closed(slot, SessionFate::gone, now, wanted); });
  EXPECT_LE(shot().taken(), 1U) << "a second report changes nothing";
}

TEST_F(PoolOpening, ExpiresAtMostOneConnectionPerGapAfterItWasResized) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    actions.clear();
    core.emplace(options, gate, Random(seed), now);
    auto const overdue = lease();
    pass(31min);
    input([&](PoolCore& machine, Actions& wanted) { machine.resize({0, 3, 0}, now, wanted); });
    auto const two = lease();
    auto const three = lease();
    release(overdue);
    close_all();
    auto const four = lease();
    std::set<time_point> instants;
    for (auto const* call : {&two, &three, &four}) instants.insert(pool().slot(call->slot().index)->expires_at);
    EXPECT_EQ(instants.size(), 3U);
  }
}

}  // namespace
