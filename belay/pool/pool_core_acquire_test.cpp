#include <gtest/gtest.h>

#include "belay/pool/test_pool_fixture.hpp"

namespace {

using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;

struct PoolAcquire : PoolFixture {};

TEST_F(PoolAcquire, LendsTheMostRecentlyUsedIdleConnectionAtOnce) {
  auto const first = lease();
  auto const second = lease();
  release(first);
  now += 1ms;
  release(second);
  auto const third = acquire();
  EXPECT_EQ(third.result.outcome, Outcome::granted);
  EXPECT_EQ(third.slot(), second.slot());
  EXPECT_TRUE(actions.empty());
}

TEST_F(PoolAcquire, ClosesAnExpiredConnectionThatItPassesOver) {
  auto const one = lease();
  auto const two = lease();
  bool const first_is_one = pool().slot(one.slot().index)->expires_at < pool().slot(two.slot().index)->expires_at;
  auto const& expiring = first_is_one ? one : two;
  auto const expiry = pool().slot(expiring.slot().index)->expires_at;
  now = expiry - 1ns;
  release(first_is_one ? two : one);
  release(expiring);
  now = expiry;
  auto const next = acquire();
  ASSERT_EQ(next.result.outcome, Outcome::granted);
  EXPECT_NE(next.slot(), expiring.slot());
  EXPECT_EQ(count(Kind::close_polite), 1U) << "nothing else may come for long that would hand it out";
}

TEST_F(PoolAcquire, LendsTheLeastRecentlyUsedWhenAskedToGoRound) {
  options.reuse = Reuse::round_robin;
  auto const first = lease();
  auto const second = lease();
  release(first);
  now += 1ms;
  release(second);
  EXPECT_EQ(acquire().slot(), first.slot());
}

TEST_F(PoolAcquire, OpensAConnectionForAWaiterAndHandsItOver) {
  auto call = acquire();
  ASSERT_EQ(call.result.outcome, Outcome::waiting);
  ASSERT_EQ(count(Kind::connect), 1U);
  EXPECT_EQ(actions.front().deadline, Deadline::at(now + 10s));
  EXPECT_TRUE(resumed.empty());
  connect_all();
  ASSERT_EQ(resumed, std::vector{call.waiter.get()});
  EXPECT_EQ(call.state(), WaiterState::offered);
  EXPECT_EQ(accept(call), Outcome::granted);
}

TEST_F(PoolAcquire, RefusesADeadlineThatHasPassedWithoutDoingAnything) {
  open(1);
  auto const call = acquire_within(0ns);
  EXPECT_EQ(call.refusal(), Refusal::deadline_passed);
  EXPECT_TRUE(actions.empty());
  EXPECT_EQ(pool().error_for(*call.waiter, now).error_class(), ErrorClass::timeout_local);
}

// P7
TEST_F(PoolAcquire, ServesWaitersInTheOrderOfTheirArrival) {
  options.max_size = 1;
  auto const holder = lease();
  auto first = acquire();
  auto second = acquire();
  release(holder);
  EXPECT_EQ(first.state(), WaiterState::offered);
  EXPECT_EQ(second.state(), WaiterState::queued);
  ASSERT_EQ(accept(first), Outcome::granted);
  release(first);
  EXPECT_EQ(accept(second), Outcome::granted);
}

// P7: the slot on its way to the waiter is not up for grabs.
TEST_F(PoolAcquire, DoesNotLetANewcomerTakeWhatAWaiterWasOffered) {
  options.max_size = 1;
  auto const holder = lease();
  auto waiter = acquire();
  release(holder);
  auto const newcomer = acquire();
  EXPECT_EQ(newcomer.result.outcome, Outcome::waiting);
  EXPECT_EQ(accept(waiter), Outcome::granted);
}

// P5: in the same step.
TEST_F(PoolAcquire, PassesAnOfferOnWhenItsWaiterHasWithdrawn) {
  options.max_size = 1;
  auto const holder = lease();
  auto first = acquire();
  auto second = acquire();
  release(holder);
  withdraw(first);
  EXPECT_EQ(first.state(), WaiterState::withdrawn);
  EXPECT_TRUE(first.waiter->is_resuming()) << "its frame is still to be resumed";
  EXPECT_EQ(second.state(), WaiterState::offered);
  EXPECT_EQ(accept(first), Outcome::failed);
  EXPECT_FALSE(first.waiter->is_resuming());
  EXPECT_EQ(accept(second), Outcome::granted);
}

// P5: even where an idle connection would have to answer first.
TEST_F(PoolAcquire, PassesAnOfferOnInTheSameStepWhateverTheMode) {
  options.max_size = 1;
  options.pre_ping = PrePing::always;
  auto const holder = lease();
  auto first = acquire();
  auto second = acquire();
  release(holder);
  now += 1ms;
  withdraw(first);
  EXPECT_EQ(second.state(), WaiterState::offered);
  EXPECT_EQ(count(Kind::test), 0U);
}

// D17
TEST(Waiter, IsSmall) { EXPECT_LE(sizeof(Waiter), 256U); }

// P5, P8
TEST_F(PoolAcquire, PassesAnOfferOnWhenTheDeadlineComesBeforeTheAcceptance) {
  options.max_size = 1;
  auto const holder = lease();
  auto first = acquire_within(10ms);
  auto second = acquire();
  release(holder);
  now += 10ms;
  EXPECT_EQ(accept(first), Outcome::failed);
  EXPECT_EQ(first.refusal(), Refusal::timed_out);
  EXPECT_EQ(accept(second), Outcome::granted);
}

// P8
TEST_F(PoolAcquire, FailsAWaiterAtItsDeadlineAndNotBefore) {
  options.max_size = 1;
  auto const holder = lease();
  auto waiter = acquire_within(100ms);
  pass(100ms - 1ns);
  EXPECT_EQ(waiter.state(), WaiterState::queued);
  pass(1ns);
  EXPECT_EQ(waiter.state(), WaiterState::failed);
  EXPECT_EQ(waiter.refusal(), Refusal::timed_out);
  EXPECT_EQ(resumed.size(), 1U);
}

TEST_F(PoolAcquire, AppliesItsOwnTimeoutToCallersWithoutADeadline) {
  options.max_size = 1;
  options.leak_warn_after = std::nullopt;
  auto const holder = lease();
  auto waiter = acquire();
  pass(30s - 1ns);
  EXPECT_EQ(waiter.state(), WaiterState::queued);
  pass(1ns);
  EXPECT_EQ(waiter.refusal(), Refusal::timed_out);
}

// P18
TEST_F(PoolAcquire, RefusesAtOnceWhenTooManyWait) {
  options.max_size = 1;
  options.max_waiters = 2;
  auto const holder = lease();
  auto first = acquire();
  auto second = acquire();
  auto const third = acquire();
  EXPECT_EQ(third.refusal(), Refusal::queue_full);
  EXPECT_EQ(pool().error_for(*third.waiter, now).error_class(), ErrorClass::capacity);
}

TEST_F(PoolAcquire, RefusesWhenThePredictedWaitExceedsItsShareOfTheTimeLeft) {
  options.max_size = 1;
  learn_hold_time(10ms);
  auto const holder = lease();
  // Behind n others one waits (n + 1) x 10 ms on one connection: allowed up to 0.8 x 100 ms.
  std::vector<Call> ahead;
  for (int i = 0; i < 8; ++i) {
    ahead.push_back(acquire_within(100ms));
    EXPECT_EQ(ahead.back().result.outcome, Outcome::waiting) << i;
  }
  EXPECT_EQ(acquire_within(100ms).refusal(), Refusal::predicted_wait);
}

TEST_F(PoolAcquire, RefusesWhenTheWaitWouldLeaveTooLittleForTheWork) {
  options.max_size = 1;
  learn_hold_time(100ms);
  auto const holder = lease();
  // 100 ms in the queue, 100 ms for the work, which the estimate takes for 112 at most.
  EXPECT_EQ(acquire_within(199ms).refusal(), Refusal::predicted_wait);
  EXPECT_EQ(acquire_within(213ms).result.outcome, Outcome::waiting);
}

TEST_F(PoolAcquire, DoesNotCountHoldsThatWouldNotFitAnyhow) {
  options.max_size = 1;
  // One in ten is a report that outlasts every deadline here.
  for (int i = 0; i < 100; ++i) {
    auto const call = lease();
    pass(i % 10 == 0 ? 2s : 1ms);
    release(call);
  }
  auto const holder = lease();
  EXPECT_EQ(acquire_within(1s).result.outcome, Outcome::waiting) << "the wait costs the short ones nothing";
}

TEST_F(PoolAcquire, PredictsNothingBeforeTwentySamples) {
  options.max_size = 1;
  for (int i = 0; i < 19; ++i) {
    auto const call = lease();
    now += 1s;
    release(call);
  }
  auto const holder = lease();
  EXPECT_EQ(acquire_within(10ms).result.outcome, Outcome::waiting);
}

TEST_F(PoolAcquire, SkipsAWaiterThatWouldHaveTooLittleTimeLeft) {
  options.max_size = 1;
  options.admission = std::nullopt;
  learn_hold_time(50ms);
  auto const holder = lease();
  auto hurried = acquire_within(70ms);
  auto patient = acquire_within(1s);
  now += 40ms;  // 30 ms are left to the first, half of the holds take 50 ms
  release(holder);
  EXPECT_EQ(hurried.refusal(), Refusal::budget_too_small);
  EXPECT_EQ(patient.state(), WaiterState::offered);
}

TEST_F(PoolAcquire, PutsAWaiterBackToItsPlaceWhenItsOfferBreaks) {
  options.max_size = 1;
  auto const holder = lease();
  auto first = acquire();
  auto second = acquire();
  release(holder);
  input([&](PoolCore& machine, Actions& wanted) { machine.lost(holder.slot(), Signal::transport, now, wanted); });
  EXPECT_EQ(accept(first), Outcome::waiting);
  close_all();
  connect_all();
  EXPECT_EQ(first.state(), WaiterState::offered);
  EXPECT_EQ(second.state(), WaiterState::queued);
  EXPECT_EQ(accept(first), Outcome::granted);
}

TEST_F(PoolAcquire, OffersAnotherConnectionWithoutASecondResumption) {
  options.max_size = 2;
  auto const one = lease();
  auto const two = lease();
  auto waiter = acquire();
  release(one);
  input([&](PoolCore& machine, Actions& wanted) { machine.lost(one.slot(), Signal::transport, now, wanted); });
  release(two);
  EXPECT_EQ(resumed.size(), 1U);
  ASSERT_EQ(accept(waiter), Outcome::granted);
  EXPECT_EQ(waiter.slot(), two.slot());
}

// P9: nor one that expires between the offer and the acceptance.
TEST_F(PoolAcquire, NeverLendsAnExpiredConnectionThoughNoTimerHasRun) {
  options.max_size = 1;
  options.max_lifetime = 10s;
  auto const holder = lease();
  auto const expires_at = pool().slot(0)->expires_at;
  now = expires_at - 1ms;
  auto waiter = acquire();
  release(holder);
  ASSERT_EQ(waiter.state(), WaiterState::offered);
  now = expires_at;
  EXPECT_EQ(accept(waiter), Outcome::waiting);
  EXPECT_EQ(closed_for(CloseReason::expired), 1U);
  close_all();
  connect_all();
  ASSERT_EQ(accept(waiter), Outcome::granted);
  release(waiter);
  now = pool().slot(0)->expires_at;
  EXPECT_EQ(acquire().result.outcome, Outcome::waiting);
}

TEST_F(PoolAcquire, LendsWithoutALookWithinTheBypass) {
  open(1);
  now += 500ms - 1ns;
  EXPECT_EQ(acquire().result.outcome, Outcome::granted);
}

TEST_F(PoolAcquire, LooksAtTheSocketAfterTheBypass) {
  open(1);
  now += 500ms;
  auto call = acquire();
  EXPECT_EQ(call.result.outcome, Outcome::waiting);
  ASSERT_EQ(count(Kind::test), 1U);
  EXPECT_FALSE(actions.front().round_trip);
  EXPECT_EQ(actions.front().deadline, Deadline::at(now + 1s));
  pass_tests();
  EXPECT_EQ(accept(call), Outcome::granted);
}

TEST_F(PoolAcquire, AsksThePeerAfterThirtyIdleSeconds) {
  open(1);
  now += 30s + 1ns;
  auto call = acquire();
  EXPECT_TRUE(take(Kind::test).at(0).round_trip);
}

TEST_F(PoolAcquire, AsksThePeerWhileTheEndpointIsNotUp) {
  open(1);
  pool().set_endpoint_health(EndpointHealth::degraded);
  now += 500ms;
  auto call = acquire();
  EXPECT_TRUE(take(Kind::test).at(0).round_trip);
}

TEST_F(PoolAcquire, NeverAsksThePeerWhenTold) {
  options.pre_ping = PrePing::off;
  open(1);
  now += 1min;
  auto call = acquire();
  EXPECT_FALSE(take(Kind::test).at(0).round_trip);
}

TEST_F(PoolAcquire, AlwaysAsksThePeerWhenToldButNotOnHandingOver) {
  options.pre_ping = PrePing::always;
  options.max_size = 1;
  open(1);
  now += 1ns;
  auto call = acquire();
  EXPECT_TRUE(take(Kind::test).at(0).round_trip);
  input([&](PoolCore& machine, Actions& wanted) { machine.test_passed({0, 1}, now, wanted); });
  ASSERT_EQ(accept(call), Outcome::granted);
  auto next = acquire();
  release(call);
  EXPECT_EQ(accept(next), Outcome::granted);
  EXPECT_EQ(count(Kind::test), 0U);
}

TEST_F(PoolAcquire, GivesATestAtMostHalfOfTheTimeLeft) {
  open(1);
  now += 1min;
  auto call = acquire_within(400ms);
  EXPECT_EQ(take(Kind::test).at(0).deadline, Deadline::at(now + 200ms));
}

// P6: the same waiter stays at the head.
TEST_F(PoolAcquire, TakesTheNextConnectionWhenATestFails) {
  open(2);
  now += 1min;
  auto call = acquire();
  auto second = acquire();
  ASSERT_EQ(count(Kind::test), 2U);
  auto const tests = take(Kind::test);
  input([&](PoolCore& machine, Actions& wanted) { machine.test_failed(tests[0].slot, Signal::nothing, now, wanted); });
  EXPECT_EQ(call.state(), WaiterState::queued);
  input([&](PoolCore& machine, Actions& wanted) { machine.test_passed(tests[1].slot, now, wanted); });
  EXPECT_EQ(accept(call), Outcome::granted) << "the first waiter gets what the second one's test has proven";
  EXPECT_EQ(second.state(), WaiterState::queued);
}

TEST_F(PoolAcquire, SuspectsAllConnectionsAfterTwoFailedTestsForOneWaiter) {
  open(3);
  now += 1min;
  auto call = acquire();
  auto const generation = pool().generation();
  for (int i = 0; i < 2; ++i) {
    auto const test = take(Kind::test).at(0);
    input([&](PoolCore& machine, Actions& wanted) { machine.test_failed(test.slot, Signal::nothing, now, wanted); });
  }
  EXPECT_EQ(pool().generation(), generation + 1);
  EXPECT_EQ(in(SlotState::idle), 0U);
  close_all();
  connect_all();
  EXPECT_EQ(accept(call), Outcome::granted) << "it goes for a fresh connection";
}

TEST_F(PoolAcquire, GivesUpATestThatIsNeverAnswered) {
  open(1);
  now += 1min;
  auto call = acquire();
  ASSERT_EQ(count(Kind::test), 1U);
  pass(1s);
  EXPECT_EQ(count(Kind::close_force), 1U);
  EXPECT_EQ(closed_for(CloseReason::test_failed), 1U);
  EXPECT_EQ(call.state(), WaiterState::queued);
}

TEST_F(PoolAcquire, QueuesWhilePausedAndServesAfterwards) {
  open(1);
  input([&](PoolCore& machine, Actions& wanted) { machine.pause(now, wanted); });
  auto call = acquire();
  EXPECT_EQ(call.result.outcome, Outcome::waiting);
  EXPECT_TRUE(actions.empty());
  input([&](PoolCore& machine, Actions& wanted) { machine.resume(now, wanted); });
  EXPECT_EQ(accept(call), Outcome::granted);
}

TEST_F(PoolAcquire, ServesHealthFirstAndTheOtherLanesByWeight) {
  options.max_size = 1;
  auto holder = lease();
  std::vector<Call> calls;
  for (auto lane : {Lane::background, Lane::batch, Lane::interactive}) {
    for (int i = 0; i < 24; ++i) {
      LeaseRequest request;
      request.lane = lane;
      calls.push_back(acquire(request));
    }
  }
  LeaseRequest probe;
  probe.lane = Lane::health;
  calls.push_back(acquire(probe));

  release(holder);
  std::array<int, lanes> served{};
  for (int i = 0; i < 25; ++i) {
    auto const next =
        std::find_if(calls.begin(), calls.end(), [](auto const& c) { return c.state() == WaiterState::offered; });
    ASSERT_NE(next, calls.end());
    ASSERT_EQ(accept(*next), Outcome::granted);
    EXPECT_EQ(next->waiter->request.lane == Lane::health, i == 0);
    ++served[static_cast<std::size_t>(next->waiter->request.lane)];
    release(*next);
  }
  EXPECT_EQ(served[static_cast<std::size_t>(Lane::interactive)], 16);
  EXPECT_EQ(served[static_cast<std::size_t>(Lane::batch)], 6);
  EXPECT_EQ(served[static_cast<std::size_t>(Lane::background)], 2);
  for (auto& call : calls) withdraw(call);
}

}  // namespace
