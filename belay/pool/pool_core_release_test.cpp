#include <gtest/gtest.h>

#include "belay/pool/test_pool_fixture.hpp"

namespace {

using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;

struct PoolRelease : PoolFixture {
  void clean(SlotAction const& action) {
    input([&](PoolCore& machine, Actions& wanted) { machine.cleaned(action.lease, now, wanted); });
  }
};

TEST_F(PoolRelease, KeepsACleanConnectionWithoutAnyWork) {
  auto const call = lease();
  EXPECT_TRUE(release(call));
  EXPECT_TRUE(actions.empty());
  EXPECT_EQ(in(SlotState::idle), 1U);
}

// P4
TEST_F(PoolRelease, IgnoresASecondReturn) {
  auto const call = lease();
  EXPECT_TRUE(release(call));
  auto const next = lease();
  EXPECT_EQ(next.slot(), call.slot());
  EXPECT_FALSE(release(call)) << "it is another's lease now";
  EXPECT_TRUE(pool().holds(next.lease()));
}

// P9
TEST_F(PoolRelease, ResetsAChangedSessionBeforeItIsLentAgain) {
  options.max_size = 1;
  auto const call = lease();
  auto next = acquire();
  release(call, {ReleaseCondition::session_changed, Signal::nothing});
  EXPECT_EQ(in(SlotState::resetting), 1U);
  EXPECT_EQ(next.state(), WaiterState::queued);
  auto const reset = take(Kind::reset).at(0);
  EXPECT_EQ(reset.deadline, Deadline::at(now + 2s));
  clean(reset);
  EXPECT_EQ(accept(next), Outcome::granted);
  EXPECT_FALSE(next.result.grant.reset_first);
}

TEST_F(PoolRelease, LeavesTheResetToTheNextBorrowerWherePipelined) {
  options.max_size = 1;
  options.reset = ResetMode::pipelined;
  auto const call = lease();
  EXPECT_FALSE(call.result.grant.reset_first);
  release(call, {ReleaseCondition::session_changed, Signal::nothing});
  EXPECT_TRUE(actions.empty());
  auto const next = acquire();
  EXPECT_TRUE(next.result.grant.reset_first);
  release(next);
  EXPECT_FALSE(acquire().result.grant.reset_first);
}

TEST_F(PoolRelease, DoesNotAskForTheResetOfAConnectionThatIsGone) {
  options.reset = ResetMode::pipelined;
  options.max_size = 1;
  auto const one = lease();
  release(one, {ReleaseCondition::session_changed, Signal::nothing});
  input([&](PoolCore& machine, Actions& wanted) { machine.lost(one.slot(), Signal::nothing, now, wanted); });
  close_all();
  auto const two = lease();
  ASSERT_EQ(two.slot().index, one.slot().index);
  EXPECT_FALSE(two.result.grant.reset_first) << "its session is new";
}

TEST_F(PoolRelease, RollsBackAnOpenTransactionAndSaysWhoLeftIt) {
  LeaseRequest request;
  request.label = "careless";
  auto const call = lease(request);
  release(call, {ReleaseCondition::transaction_open, Signal::nothing});
  EXPECT_EQ(count(Kind::rollback), 1U);
  bool told = false;
  while (auto const event = pool().next_event()) {
    told = told || (event->kind == PoolEvent::Kind::transaction_left_open && event->label == "careless");
  }
  EXPECT_TRUE(told);
}

TEST_F(PoolRelease, QuarantinesACancelledQueryUntilItsEndIsRead) {
  auto const call = lease();
  release(call, {ReleaseCondition::mid_query, Signal::nothing});
  EXPECT_EQ(in(SlotState::quarantined), 1U);
  auto const quarantine = take(Kind::quarantine).at(0);
  EXPECT_TRUE(quarantine.may_cancel);
  clean(quarantine);
  EXPECT_EQ(in(SlotState::idle), 1U);
  EXPECT_EQ(acquire().slot(), call.slot());
}

// The cap counts what the server still sees.
TEST_F(PoolRelease, KeepsThePlaceOfAConnectionClosedByForceForTheGrace) {
  options.max_size = 1;
  auto const call = lease();
  release(call, {ReleaseCondition::mid_query, Signal::nothing});
  pass(2s - 1ns);
  EXPECT_EQ(count(Kind::close_force), 0U);
  pass(1ns);
  EXPECT_EQ(in(SlotState::closing), 1U);
  auto waiter = acquire();
  close_all(SessionFate::unknown);
  EXPECT_EQ(in(SlotState::zombie), 1U);
  pass(5s - 1ns);
  EXPECT_EQ(count(Kind::connect), 0U) << "P1: the server may still run the query";
  pass(1ns);
  EXPECT_EQ(count(Kind::connect), 1U);
}

TEST_F(PoolRelease, FreesThePlaceOfAZombieWhoseSessionIsGone) {
  auto const call = lease();
  release(call, {ReleaseCondition::broken, Signal::transport});
  close_all(SessionFate::unknown);
  ASSERT_EQ(in(SlotState::zombie), 1U);
  input([&](PoolCore& machine, Actions& wanted) { machine.session_gone(call.slot(), now, wanted); });
  EXPECT_EQ(in(SlotState::zombie), 0U);
  EXPECT_EQ(in(SlotState::empty), 2U) << "a probe has begun in the third place";
}

TEST_F(PoolRelease, ClosesByForceWhereCancelsAreNotForwarded) {
  options.cancel = CancelBy::nothing;
  auto const call = lease();
  release(call, {ReleaseCondition::mid_query, Signal::nothing});
  EXPECT_EQ(count(Kind::close_force), 1U);
}

TEST_F(PoolRelease, CountsACancelOnASocketOfItsOwnAsAConnect) {
  options.cancel = CancelBy::separate_socket;
  auto const call = lease();
  release(call, {ReleaseCondition::mid_query, Signal::nothing});
  EXPECT_EQ(gate.outstanding(), 1U);
  auto const quarantine = take(Kind::quarantine).at(0);
  EXPECT_TRUE(quarantine.may_cancel);
  input([&](PoolCore& machine, Actions& wanted) { machine.cancel_ended(quarantine.lease, now, wanted); });
  EXPECT_EQ(gate.outstanding(), 0U);
  clean(quarantine);
  EXPECT_EQ(gate.complaint, "");
}

TEST_F(PoolRelease, CancelsAtMostHalfOfThePoolPerSecond) {
  options.cancel = CancelBy::separate_socket;
  options.max_size = 4;
  std::vector<Call> calls;
  for (int i = 0; i < 4; ++i) calls.push_back(lease());
  for (auto const& call : calls) release(call, {ReleaseCondition::mid_query, Signal::nothing});
  auto const quarantines = take(Kind::quarantine);
  ASSERT_EQ(quarantines.size(), 4U);
  EXPECT_EQ(std::count_if(quarantines.begin(), quarantines.end(), [](auto const& q) { return q.may_cancel; }), 2);
}

TEST_F(PoolRelease, ClosesABrokenConnectionAndOpensAnotherForTheWaiter) {
  options.max_size = 1;
  auto const call = lease();
  auto waiter = acquire();
  release(call, {ReleaseCondition::broken, Signal::transport});
  EXPECT_EQ(count(Kind::close_force), 1U);
  close_all();
  EXPECT_EQ(count(Kind::connect), 1U);
}

TEST_F(PoolRelease, ClosesATaintedConnectionPolitely) {
  auto const call = lease();
  release(call, {ReleaseCondition::clean, Signal::taint});
  EXPECT_EQ(count(Kind::close_polite), 1U);
  EXPECT_EQ(closed_for(CloseReason::tainted), 1U);
}

// P9
TEST_F(PoolRelease, ClosesAConnectionThatExpiredWhileItWasLent) {
  options.max_lifetime = 10s;
  auto const call = lease();
  now += 10s;
  release(call);
  EXPECT_EQ(count(Kind::close_polite), 1U);
  EXPECT_EQ(closed_for(CloseReason::expired), 1U);
}

TEST_F(PoolRelease, EscalatesAPoliteCloseThatIsNotAnswered) {
  auto const call = lease();
  release(call, {ReleaseCondition::clean, Signal::taint});
  pass(2s);
  EXPECT_EQ(count(Kind::close_force), 1U);
}

TEST_F(PoolRelease, RevokesALeaseWhoseConnectionIsLost) {
  auto const call = lease();
  input([&](PoolCore& machine, Actions& wanted) { machine.lost(call.slot(), Signal::transport, now, wanted); });
  EXPECT_FALSE(pool().holds(call.lease()));
  EXPECT_FALSE(release(call));
  EXPECT_EQ(shot().leases_destroyed, 1U);
}

TEST_F(PoolRelease, IgnoresReportsOnAConnectionThatIsGone) {
  options.max_size = 1;
  auto const call = lease();
  release(call, {ReleaseCondition::broken, Signal::transport});
  close_all();
  auto const next = lease();
  ASSERT_EQ(next.slot().index, call.slot().index);
  auto const old = call.slot();
  input([&](PoolCore& machine, Actions& wanted) { machine.lost(old, Signal::tls, now, wanted); });
  input([&](PoolCore& machine, Actions& wanted) { machine.closed(old, SessionFate::gone, now, wanted); });
  input([&](PoolCore& machine, Actions& wanted) { machine.test_failed(old, Signal::tls, now, wanted); });
  input([&](PoolCore& machine, Actions& wanted) { machine.initialised(old, now, wanted); });
  EXPECT_TRUE(pool().holds(next.lease()));
  EXPECT_EQ(pool().generation(), 1U);
}

TEST_F(PoolRelease, HandsOutWhatDoesNotFitIntoOneListLater) {
  options.max_size = 40;
  options.max_waiters = 100;
  std::vector<Call> calls;
  for (int i = 0; i < 40; ++i) calls.push_back(acquire());
  connect_all();
  for (auto& call : calls) ASSERT_EQ(accept(call), Outcome::granted);
  for (auto const& call : calls) release(call);
  Actions wanted;
  pool().invalidate_all(GenerationReason::operator_request, Invalidation::soft, now, wanted);
  EXPECT_TRUE(wanted.more);
  EXPECT_EQ(wanted.size(), Actions::capacity);
  std::size_t closes = 0;
  for (bool more = true; more;) {
    closes += wanted.size();
    more = wanted.more;
    wanted.clear();
    pool().advance(now, wanted);
  }
  EXPECT_EQ(closes, 40U);
}

}  // namespace
