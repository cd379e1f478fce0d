#pragma once

#include "belay/pool/test_pool_driver.hpp"

// PoolDriver: what its clients do.

namespace belay::pool {

inline void PoolDriver::ask(std::size_t index) {
  auto& agent = agents_[index];
  if (agent.state != Agent::State::idle || closing_ || resting_) return;
  LeaseRequest request;
  bool const is_child = index % 2 == 1;
  agent.must_be_served = !is_child && chance(0.1) && !plan_.closes_in_chaos;
  if (is_child || !agent.must_be_served) {
    request.deadline = Deadline::at(now_ + within(std::chrono::milliseconds(is_child ? 400 : 1500)));
  }
  if (chance(0.1)) request.lane = Lane::background;
  if (chance(0.02)) request.lane = Lane::health;
  if (chance(0.3)) request.kind = LeaseKind::pinned;
  if (chance(0.05)) request.kind = LeaseKind::exclusive;
  request.task = agent.task;
  request.label = "client";
  agent.waiter = std::make_unique<Waiter>(request);
  agent.waiter->owner = &agent;
  agent.deadline = earlier(request.deadline, Deadline::at(later(now_, plan_.options.acquire_timeout)));
  agent.arrival = ++arrivals_;
  agent.seen = WaiterState::fresh;
  ++agent.turn;
  if (std::find(busy_.begin(), busy_.end(), index) == busy_.end()) busy_.push_back(index);

  Acquired result;
  agent.state = Agent::State::waiting;
  perform([&](Actions& actions) {
    result = core_.acquire(*agent.waiter, now_, actions);
    if (result.outcome == Acquired::Outcome::granted) newly_offered_.push_back(index);
    settle(agent, result);
  });
  if (agent.state == Agent::State::waiting && chance(plan_.cancels) && !agent.must_be_served) {
    at(within(std::chrono::milliseconds(300)), [this, index, turn = agent.turn] { give_up(index, turn); });
  }
}

inline void PoolDriver::give_up(std::size_t index, std::uint64_t turn) {
  auto& agent = agents_[index];
  if (agent.turn != turn || agent.state != Agent::State::waiting) return;
  note("give up", index);
  bool const was_over = agent.waiter->state() == WaiterState::failed;
  perform([&](Actions& actions) {
    core_.withdraw(*agent.waiter, now_, actions);
    if (!was_over && agent.waiter->state() != WaiterState::withdrawn) violate("P5", "a withdrawal had no effect");
    if (agent.waiter->is_resuming()) {
      agent.state = Agent::State::leaving;
    } else {
      leave(agent);
    }
  });
}

inline void PoolDriver::resume(Waiter& waiter) {
  auto& agent = agent_of(waiter);
  if (!waiter.is_resuming()) return violate("resume", "a waiter was resumed twice");
  bool const has_left = agent.state == Agent::State::leaving;
  bool const is_late = agent.deadline.expired(now_);
  perform([&](Actions& actions) {
    auto const result = core_.accept(waiter, now_, actions);
    if (result.outcome == Acquired::Outcome::granted && has_left) violate("P5", "a waiter that withdrew became owner");
    if (result.outcome == Acquired::Outcome::granted && is_late) violate("P5", "a waiter that timed out became owner");
    if (has_left) return leave(agent);
    settle(agent, result);
  });
}

inline void PoolDriver::settle(Agent& agent, Acquired const& result) {
  auto const index = index_of(agent);
  note(result.outcome == Acquired::Outcome::granted ? "granted" : "not granted", index);
  if (result.outcome == Acquired::Outcome::waiting) return;
  if (result.outcome == Acquired::Outcome::failed) {
    check_failure(agent);
    return leave(agent);
  }
  agent.state = Agent::State::holding;
  agent.grant = result.grant;
  agent.seen = WaiterState::accepted;
  ++given_;
  check_lending(agent);
  auto& session = sessions_[session_key(agent.grant.slot)];
  if (agent.grant.reset_first) session.is_changed = false;
  if (index % 2 == 0 && chance(plan_.nested)) {
    at(within(std::chrono::milliseconds(2)), [this, index] { ask(index + 1); });
  }
  hold(index, chance(0.02) ? std::chrono::milliseconds(900) : std::chrono::milliseconds(40));
}

inline void PoolDriver::hold(std::size_t index, duration most) {
  auto const turn = agents_[index].turn;
  at(within(most), [this, index, turn] {
    auto& agent = agents_[index];
    if (agent.turn != turn || agent.state != Agent::State::holding) return;
    bool const child_is_busy = index % 2 == 0 && agents_[index + 1].state != Agent::State::idle;
    if (child_is_busy) return hold(index, std::chrono::milliseconds(5));
    give_back(index, draw_release());
  });
}

inline Release PoolDriver::draw_release() {
  if (!chance(plan_.dirty_returns)) return {};
  switch (random_.below(8)) {
    case 0: return {ReleaseCondition::broken, Signal::transport};
    case 1: return {ReleaseCondition::mid_query, Signal::nothing};
    case 2: return {ReleaseCondition::transaction_open, Signal::nothing};
    case 3: return {ReleaseCondition::clean, Signal::taint};
    case 4: return {ReleaseCondition::mid_query, Signal::taint};
    case 5: return {ReleaseCondition::clean, chance(0.2) ? Signal::role : Signal::nothing};
    default: return {ReleaseCondition::session_changed, Signal::nothing};
  }
}

inline void PoolDriver::give_back(std::size_t index, Release how) {
  auto& agent = agents_[index];
  auto& session = sessions_[session_key(agent.grant.slot)];
  if (!session.is_alive) how = {ReleaseCondition::broken, Signal::transport};
  if (plan_.options.streams_per_connection == 1) {
    session.is_mid_query = how.condition == ReleaseCondition::mid_query;
    session.has_transaction = how.condition == ReleaseCondition::transaction_open;
    session.is_changed = how.condition == ReleaseCondition::session_changed;
  }
  note("give back", index);
  auto const lease = agent.grant.lease;
  bool const was_held = core_.holds(lease);
  perform([&](Actions& actions) {
    bool const ended = core_.release(lease, how, now_, actions);
    if (ended != was_held) violate("P4", "release() and holds() disagree");
    ++(ended ? returned_ : found_revoked_);
    if (core_.release(lease, {}, now_, actions)) violate("P4", "a lease was returned twice");
    leave(agent);
  });
}

inline void PoolDriver::leave(Agent& agent) {
  agent.state = Agent::State::idle;
  ++agent.turn;
  auto const index = index_of(agent);
  if (index % 2 == 0) at(within(std::chrono::milliseconds(30)), [this, index] { ask(index); });
}

}  // namespace belay::pool
