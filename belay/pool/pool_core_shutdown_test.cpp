#include <gtest/gtest.h>

#include "belay/pool/test_pool_fixture.hpp"

namespace {

using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;

struct PoolShutdown : PoolFixture {
  void close(WaitersAtClose policy = WaitersAtClose::fail) {
    input([&](PoolCore& machine, Actions& wanted) { machine.close(policy, now, wanted); });
  }
};

TEST_F(PoolShutdown, IsOverAtOnceWhenThereIsNothing) {
  close();
  EXPECT_TRUE(pool().is_closed());
  EXPECT_EQ(acquire().refusal(), Refusal::closed);
  EXPECT_EQ(pool().next_timer(), time_point::max());
}

TEST_F(PoolShutdown, SaysGoodByeToIdleConnectionsAndAwaitsTheLent) {
  auto const one = lease();
  auto const two = lease();
  release(two);
  close();
  EXPECT_EQ(count(Kind::close_polite), 1U);
  close_all();
  EXPECT_FALSE(pool().is_closed());
  release(one);
  EXPECT_EQ(count(Kind::close_polite), 1U);
  close_all();
  EXPECT_TRUE(pool().is_closed());
}

TEST_F(PoolShutdown, FailsWaitersOrServesThem) {
  options.max_size = 1;
  auto const holder = lease();
  auto waiter = acquire();
  close();
  EXPECT_EQ(waiter.refusal(), Refusal::closed);
  EXPECT_EQ(pool().drain().waiters_failed, 1U);
  release(holder);
}

TEST_F(PoolShutdown, ServesThoseWhoWaitedWhenAskedTo) {
  options.max_size = 1;
  auto const holder = lease();
  auto first = acquire();
  auto second = acquire();
  close(WaitersAtClose::serve);
  EXPECT_EQ(acquire().refusal(), Refusal::closed) << "newcomers are not";
  release(holder);
  ASSERT_EQ(accept(first), Outcome::granted);
  release(first);
  ASSERT_EQ(accept(second), Outcome::granted);
  release(second);
  EXPECT_EQ(count(Kind::close_polite), 1U);
  close_all();
  EXPECT_TRUE(pool().is_closed());
}

TEST_F(PoolShutdown, CancelsThenForcesWhatIsStillLent) {
  options.leak_warn_after = std::nullopt;
  auto const one = lease();
  auto const two = lease();
  close();
  pass(7500ms - 1ns);
  EXPECT_EQ(count(Kind::cancel), 0U);
  pass(1ns);
  EXPECT_EQ(count(Kind::cancel), 2U);
  release(one, {ReleaseCondition::mid_query, Signal::nothing});
  auto const quarantine = take(Kind::quarantine).at(0);
  input([&](PoolCore& machine, Actions& wanted) { machine.cleaned(quarantine.lease, now, wanted); });
  EXPECT_EQ(count(Kind::close_polite), 1U);
  close_all();
  pass(1250ms);
  EXPECT_EQ(count(Kind::close_force), 1U);
  EXPECT_FALSE(pool().holds(two.lease()));
  close_all(SessionFate::unknown);
  EXPECT_TRUE(pool().is_closed()) << "no place is kept for a zombie of a pool that ends";
  EXPECT_EQ(pool().drain().leases_revoked, 1U);
  EXPECT_EQ(pool().drain().connections_forced, 1U);
}

// P19
TEST_F(PoolShutdown, IsOverByItsTimeoutWhateverHappens) {
  auto const lent = lease();
  auto waiter = acquire();
  close();
  pass(10s - 1ns);
  EXPECT_FALSE(pool().is_closed());
  pass(1ns);
  EXPECT_TRUE(pool().is_closed());
  EXPECT_EQ(pool().drain().connections_abandoned, 2U) << "the one that was lent and the one being opened";
  EXPECT_EQ(shot().taken(), 0U);
  EXPECT_EQ(gate.outstanding(), 0U);
  EXPECT_EQ(pool().next_timer(), time_point::max());
  EXPECT_FALSE(release(lent));
}

// P19
TEST_F(PoolShutdown, ForcesWhatIsLeftThoughItsTimersCameLate) {
  auto const lent = lease();
  close();
  now += 11s;
  input([&](PoolCore& machine, Actions& wanted) { machine.advance(now, wanted); });
  EXPECT_EQ(count(Kind::close_force), 1U) << "a connection that is only forgotten stays open";
  EXPECT_FALSE(pool().holds(lent.lease()));
  pass(0s);
  EXPECT_TRUE(pool().is_closed());
}

TEST_F(PoolShutdown, KnowsItsPhases) {
  auto const lent = lease();
  close();
  pass(10s);
  std::vector<std::uint64_t> phases;
  while (auto const event = pool().next_event()) {
    if (event->kind == PoolEvent::Kind::shutdown_phase) phases.push_back(event->number);
  }
  EXPECT_EQ(phases, (std::vector<std::uint64_t>{2, 3, 4, 5}));
}

}  // namespace
