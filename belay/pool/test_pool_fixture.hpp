#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "belay/pool/pool_core.hpp"
#include "belay/pool/test_pool_gate.hpp"

namespace belay::pool {

/// A PoolCore whose shell is the test: time stands still unless pass() moves it, actions wait in `actions` until the
/// test takes and answers them, waiters to resume in `resumed`.
struct PoolFixture : testing::Test {
  using Outcome = Acquired::Outcome;
  using Kind = SlotAction::Kind;
  using time_point = Deadline::time_point;
  using duration = std::chrono::nanoseconds;

  /// One caller's acquire.
  struct Call {
    std::unique_ptr<Waiter> waiter;
    Acquired result;
    LeaseHandle lease() const { return result.grant.lease; }
    SlotHandle slot() const { return result.grant.slot; }
    Refusal refusal() const { return waiter->refusal(); }
    WaiterState state() const { return waiter->state(); }
  };

  PoolFixture() {
    options.min_idle = 0;
    options.max_size = 3;
  }

  /// Call it when `options` are as the test wants them.
  PoolCore& pool() {
    if (!core) core.emplace(options, gate, Random(7), now);
    return *core;
  }

  template <class Input>
  void input(Input make) {
    Actions wanted;
    make(pool(), wanted);
    for (;;) {
      actions.insert(actions.end(), wanted.begin(), wanted.end());
      for (auto* waiter = wanted.resume; waiter != nullptr; waiter = waiter->next_to_resume())
        resumed.push_back(waiter);
      if (!wanted.more) return;
      wanted.clear();
      pool().advance(now, wanted);
    }
  }

  Call acquire(LeaseRequest const& request = {}) {
    Call call{std::make_unique<Waiter>(request), {}};
    input([&](PoolCore& machine, Actions& wanted) { call.result = machine.acquire(*call.waiter, now, wanted); });
    return call;
  }
  Call acquire_within(duration wait) {
    LeaseRequest request;
    request.deadline = Deadline::at(now + wait);
    return acquire(request);
  }
  Outcome accept(Call& call) {
    std::erase(resumed, call.waiter.get());
    input([&](PoolCore& machine, Actions& wanted) { call.result = machine.accept(*call.waiter, now, wanted); });
    return call.result.outcome;
  }
  void withdraw(Call& call) {
    input([&](PoolCore& machine, Actions& wanted) { machine.withdraw(*call.waiter, now, wanted); });
  }
  bool release(Call const& call, Release how = {}) {
    bool ended = false;
    input([&](PoolCore& machine, Actions& wanted) { ended = machine.release(call.lease(), how, now, wanted); });
    return ended;
  }

  void pass(duration time) {
    auto const end = now + time;
    while (pool().next_timer() <= end) {
      now = std::max(now, pool().next_timer());
      input([&](PoolCore& machine, Actions& wanted) { machine.advance(now, wanted); });
    }
    now = end;
  }

  /// Takes the actions of that kind.
  std::vector<SlotAction> take(Kind kind) {
    std::vector<SlotAction> taken;
    for (auto const& action : actions) {
      if (action.kind == kind) taken.push_back(action);
    }
    std::erase_if(actions, [&](SlotAction const& action) { return action.kind == kind; });
    return taken;
  }
  std::size_t count(Kind kind) const {
    return static_cast<std::size_t>(
        std::count_if(actions.begin(), actions.end(), [&](SlotAction const& action) { return action.kind == kind; }));
  }

  /// All connects under way succeed.
  void connect_all() {
    for (auto const& action : take(Kind::connect)) {
      input([&](PoolCore& machine, Actions& wanted) { machine.connected(action.slot, now, wanted); });
      input([&](PoolCore& machine, Actions& wanted) { machine.initialised(action.slot, now, wanted); });
    }
  }
  /// All connects under way fail; further ones may follow.
  void fail_connects(ErrorClass error_class = ErrorClass::transport, bool permanent = false, bool tls = false) {
    for (auto const& action : take(Kind::connect)) {
      ConnectFailure failure{Error(error_class, SendState::never_sent, "refused by 10.0.0.1:5432")};
      failure.permanent = permanent;
      failure.tls = tls;
      input([&](PoolCore& machine, Actions& wanted) { machine.connect_failed(action.slot, failure, now, wanted); });
    }
  }
  void close_all(SessionFate fate = SessionFate::gone) {
    for (auto kind : {Kind::close_polite, Kind::close_force}) {
      for (auto const& action : take(kind)) {
        input([&](PoolCore& machine, Actions& wanted) { machine.closed(action.slot, fate, now, wanted); });
      }
    }
  }
  void pass_tests() {
    for (auto const& action : take(Kind::test)) {
      input([&](PoolCore& machine, Actions& wanted) { machine.test_passed(action.slot, now, wanted); });
    }
  }
  void fail_tests() {
    for (auto const& action : take(Kind::test)) {
      input([&](PoolCore& machine, Actions& wanted) {
        machine.test_failed(action.slot, Signal::transport, now, wanted);
      });
    }
  }
  void invalidate(Invalidation how = Invalidation::soft) {
    input([&](PoolCore& machine, Actions& wanted) {
      machine.invalidate_all(GenerationReason::operator_request, how, now, wanted);
    });
  }

  /// A lease on a connection opened for it.
  Call lease(LeaseRequest const& request = {}) {
    auto call = acquire(request);
    if (call.result.outcome == Outcome::waiting) {
      connect_all();
      accept(call);
    }
    EXPECT_EQ(call.result.outcome, Outcome::granted);
    return call;
  }
  /// So many idle connections, nothing else.
  void open(std::size_t connections) {
    std::vector<Call> calls;
    for (std::size_t i = 0; i < connections; ++i) calls.push_back(lease());
    for (auto const& call : calls) release(call);
    EXPECT_EQ(in(SlotState::idle), connections);
  }
  /// Twenty leases held for that long, so that there is something to predict from.
  void learn_hold_time(duration held) {
    for (int i = 0; i < 20; ++i) {
      auto const call = lease();
      now += held;
      release(call);
    }
  }

  Snapshot shot() { return pool().snapshot(now); }
  std::uint32_t in(SlotState state) { return shot().in(state); }
  std::uint64_t closed_for(CloseReason reason) { return shot().closed[static_cast<std::size_t>(reason)]; }

  PoolOptions options;
  SimulatedGate gate{100};
  time_point now{std::chrono::hours(1)};
  std::vector<SlotAction> actions;
  std::vector<Waiter*> resumed;
  std::optional<PoolCore> core;
};

}  // namespace belay::pool
