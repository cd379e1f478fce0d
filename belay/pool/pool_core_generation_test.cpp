#include <gtest/gtest.h>

#include "belay/pool/test_pool_fixture.hpp"

namespace {

using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;

struct PoolGeneration : PoolFixture {
  void lose(SlotHandle slot, Signal signal = Signal::transport) {
    input([&](PoolCore& machine, Actions& wanted) { machine.lost(slot, signal, now, wanted); });
  }
};

// P13
TEST_F(PoolGeneration, ClosesIdleConnectionsAtOnceAndLentOnesOnReturn) {
  auto const one = lease();
  auto const two = lease();
  release(two);
  invalidate();
  EXPECT_EQ(pool().generation(), 2U);
  EXPECT_EQ(count(Kind::close_polite), 1U);
  EXPECT_EQ(count(Kind::cancel), 0U);
  EXPECT_TRUE(pool().holds(one.lease()));
  release(one);
  EXPECT_EQ(count(Kind::close_polite), 2U);
  EXPECT_EQ(closed_for(CloseReason::invalidated), 2U);
}

TEST_F(PoolGeneration, CancelsWhatRunsWhenHard) {
  auto const call = lease();
  invalidate(Invalidation::hard);
  auto const cancel = take(Kind::cancel).at(0);
  EXPECT_EQ(cancel.slot, call.slot());
  release(call, {ReleaseCondition::mid_query, Signal::nothing});
  auto const quarantine = take(Kind::quarantine).at(0);
  input([&](PoolCore& machine, Actions& wanted) { machine.cleaned(quarantine.lease, now, wanted); });
  EXPECT_EQ(count(Kind::close_polite), 1U);
}

// P13
TEST_F(PoolGeneration, TakesBackWhatWasOfferedAndNotYetAccepted) {
  options.max_size = 1;
  auto const holder = lease();
  auto waiter = acquire();
  release(holder);
  invalidate();
  EXPECT_EQ(accept(waiter), Outcome::waiting);
  close_all();
  connect_all();
  ASSERT_EQ(accept(waiter), Outcome::granted);
  EXPECT_EQ(waiter.result.grant.generation, 2U);
}

TEST_F(PoolGeneration, AbandonsConnectsOfTheOldGeneration) {
  auto waiter = acquire();
  auto const old = take(Kind::connect).at(0);
  invalidate();
  EXPECT_EQ(count(Kind::close_force), 1U);
  EXPECT_EQ(count(Kind::connect), 1U);
  input([&](PoolCore& machine, Actions& wanted) { machine.initialised(old.slot, now, wanted); });
  EXPECT_EQ(waiter.state(), WaiterState::queued);
  EXPECT_EQ(gate.complaint, "");
  withdraw(waiter);
}

TEST_F(PoolGeneration, RisesWithTwoTransportFailuresWithinASecond) {
  open(3);
  lose({0, 1});
  now += 1s;
  lose({1, 1});
  EXPECT_EQ(pool().generation(), 2U);
  EXPECT_EQ(in(SlotState::idle), 0U) << "the third is suspect too";
}

TEST_F(PoolGeneration, DoesNotRiseWithFailuresFarApart) {
  open(3);
  lose({0, 1});
  now += 1s + 1ns;
  lose({1, 1});
  EXPECT_EQ(pool().generation(), 1U);
  EXPECT_EQ(in(SlotState::idle), 1U);
}

TEST_F(PoolGeneration, DoesNotRiseAgainForFailuresOfTheOldOne) {
  auto const one = lease();
  auto const two = lease();
  auto const three = lease();
  release(one, {ReleaseCondition::broken, Signal::transport});
  release(two, {ReleaseCondition::broken, Signal::transport});
  ASSERT_EQ(pool().generation(), 2U);
  release(three, {ReleaseCondition::broken, Signal::tls});
  EXPECT_EQ(pool().generation(), 2U);
}

TEST_F(PoolGeneration, RisesWithATlsFailure) {
  open(2);
  lose({0, 1}, Signal::tls);
  EXPECT_EQ(pool().generation(), 2U);
  auto waiter = acquire();
  close_all();
  fail_connects(ErrorClass::transport, false, true);
  EXPECT_EQ(pool().generation(), 3U);
  withdraw(waiter);
}

TEST_F(PoolGeneration, RisesWhenTheNodeOrTheCredentialsAreWrong) {
  auto const one = lease();
  auto const two = lease();
  release(one, {ReleaseCondition::clean, Signal::role});
  EXPECT_EQ(pool().generation(), 2U);
  EXPECT_EQ(count(Kind::close_polite), 1U);
  release(two);
  auto const three = lease();
  release(three, {ReleaseCondition::clean, Signal::credentials});
  EXPECT_EQ(pool().generation(), 3U);
}

TEST_F(PoolGeneration, TellsTheGateWhenTheLastConnectionIsGone) {
  auto const one = lease();
  auto const two = lease();
  release(one);
  release(two);
  lose({0, 1});
  EXPECT_EQ(gate.times_all_lost, 0);
  lose({1, 1});
  EXPECT_EQ(gate.times_all_lost, 1);
}

TEST_F(PoolGeneration, DoesNotCallAPlannedCloseALoss) {
  options.idle_timeout = 10s;
  open(1);
  pass(10s);
  EXPECT_EQ(closed_for(CloseReason::idle_timeout), 1U);
  EXPECT_EQ(gate.times_all_lost, 0);
}

TEST_F(PoolGeneration, AsksIdleConnectionsAfterTheMachineSlept) {
  options.pre_ping = PrePing::off;
  open(1);
  input([&](PoolCore& machine, Actions& wanted) { machine.suspect_idle(now, wanted); });
  auto call = acquire();
  EXPECT_EQ(call.result.outcome, Outcome::waiting);
  EXPECT_TRUE(take(Kind::test).at(0).round_trip);
  withdraw(call);
}

}  // namespace
