#include <gtest/gtest.h>

#include "belay/pool/test_pool_fixture.hpp"

namespace {

using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;

/// Connections that carry four leases each.
struct PoolStreams : PoolFixture {
  PoolStreams() { options.streams_per_connection = 4; }

  static LeaseRequest of(LeaseKind kind) {
    LeaseRequest request;
    request.kind = kind;
    return request;
  }
};

TEST_F(PoolStreams, ShareAConnection) {
  auto const one = lease();
  auto const two = acquire();
  ASSERT_EQ(two.result.outcome, Outcome::granted);
  EXPECT_EQ(one.slot(), two.slot());
  EXPECT_NE(one.result.grant.stream, two.result.grant.stream);
  EXPECT_NE(one.lease(), two.lease());
}

TEST_F(PoolStreams, OpenAnotherConnectionWhenAllAreInUse) {
  std::vector<Call> calls;
  for (int i = 0; i < 4; ++i) calls.push_back(lease());
  EXPECT_EQ(shot().taken(), 1U);
  auto fifth = lease();
  EXPECT_NE(fifth.slot(), calls.front().slot());
}

TEST_F(PoolStreams, OneConnectServesAllWhoWaitForIt) {
  std::vector<Call> calls;
  for (int i = 0; i < 4; ++i) calls.push_back(acquire());
  EXPECT_EQ(count(Kind::connect), 1U);
  connect_all();
  for (auto& call : calls) EXPECT_EQ(accept(call), Outcome::granted);
}

TEST_F(PoolStreams, GoToTheLeastLoadedConnection) {
  std::vector<Call> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(lease());
  auto const next = acquire();
  EXPECT_EQ(next.slot(), calls[4].slot()) << "one in use there, four on the first";
}

TEST_F(PoolStreams, CountMinIdleInStreams) {
  options.min_idle = 2;
  input([&](PoolCore& machine, Actions& wanted) { machine.start(now, wanted); });
  EXPECT_EQ(count(Kind::connect), 1U);
}

TEST_F(PoolStreams, AreAllTakenByAnExclusiveLease) {
  auto const exclusive = lease(of(LeaseKind::exclusive));
  auto const shared = acquire();
  EXPECT_EQ(shared.result.outcome, Outcome::waiting);
  EXPECT_EQ(count(Kind::connect), 1U);
  release(exclusive);
  EXPECT_EQ(shared.state(), WaiterState::offered);
}

// P7: those behind it do not starve it.
TEST_F(PoolStreams, AreHeldBackForAnExclusiveWaiter) {
  options.max_size = 1;
  auto const one = lease();
  auto exclusive = acquire(of(LeaseKind::exclusive));
  auto shared = acquire();
  EXPECT_EQ(shared.state(), WaiterState::queued);
  release(one);
  EXPECT_EQ(exclusive.state(), WaiterState::offered);
  EXPECT_EQ(shared.state(), WaiterState::queued);
  ASSERT_EQ(accept(exclusive), Outcome::granted);
  release(exclusive);
  EXPECT_EQ(accept(shared), Outcome::granted);
}

// M3
TEST_F(PoolStreams, OfAPinnedLeaseNeverMigrate) {
  auto const pinned = lease(of(LeaseKind::pinned));
  auto const shared = lease();
  input([&](PoolCore& machine, Actions& wanted) { machine.lost(pinned.slot(), Signal::transport, now, wanted); });
  EXPECT_FALSE(pool().holds(pinned.lease())) << "it ends with its connection, and says so";
  EXPECT_FALSE(pool().holds(shared.lease()));
  close_all();
  auto const next = lease();
  EXPECT_FALSE(pool().holds(pinned.lease()));
  EXPECT_TRUE(pool().holds(next.lease()));
  EXPECT_EQ(shot().leases_destroyed, 2U);
}

TEST_F(PoolStreams, AreQuarantinedOneByOne) {
  auto const one = lease();
  auto const two = lease();
  release(one, {ReleaseCondition::mid_query, Signal::nothing});
  auto const quarantine = take(Kind::quarantine).at(0);
  EXPECT_EQ(quarantine.stream, one.result.grant.stream);
  EXPECT_EQ(in(SlotState::leased), 1U);
  auto const three = acquire();
  EXPECT_EQ(three.result.outcome, Outcome::granted) << "the connection stays usable";
  EXPECT_NE(three.result.grant.stream, quarantine.stream);
  input([&](PoolCore& machine, Actions& wanted) { machine.cleaned(quarantine.lease, now, wanted); });
  EXPECT_TRUE(pool().holds(two.lease()));
}

TEST_F(PoolStreams, GoDownTogetherWhenAQuarantineIsNotAnswered) {
  auto const one = lease();
  auto const two = lease();
  release(one, {ReleaseCondition::mid_query, Signal::nothing});
  pass(2s);
  EXPECT_EQ(count(Kind::close_force), 1U);
  EXPECT_FALSE(pool().holds(two.lease()));
}

TEST_F(PoolStreams, LeaveAnExpiredConnectionOneByOne) {
  options.max_lifetime = 10s;
  auto const pinned = lease(of(LeaseKind::pinned));
  auto const shared = lease();
  pass(10s);
  release(shared);
  EXPECT_EQ(count(Kind::close_polite), 0U);
  auto const next = lease();
  EXPECT_NE(next.slot(), pinned.slot());
  release(pinned);
  EXPECT_EQ(count(Kind::close_polite), 1U);
}

TEST_F(PoolStreams, GetAnotherLookWhenTheConnectionIsBusyButSilent) {
  LeaseRequest live = of(LeaseKind::pinned);
  live.term = LeaseTerm::lasting;
  auto const subscription = lease(live);
  pass(10s);
  auto call = acquire();
  EXPECT_EQ(call.result.outcome, Outcome::waiting);
  EXPECT_EQ(in(SlotState::testing), 1U);
  EXPECT_TRUE(pool().holds(subscription.lease()));
  pass_tests();
  EXPECT_EQ(accept(call), Outcome::granted);
}

}  // namespace
