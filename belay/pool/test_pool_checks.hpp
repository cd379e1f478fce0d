#pragma once

#include "belay/pool/test_pool_driver.hpp"

// PoolDriver: what must hold after every step.

namespace belay::pool {

inline void PoolDriver::violate(std::string const& what, std::string const& how) {
  violations_.push_back(what + ": " + how + " (seed " + std::to_string(plan_.seed) + ", step " +
                        std::to_string(steps_) + ", " + std::to_string(now_.time_since_epoch().count()) + " ns)");
}

inline void PoolDriver::note(char const* what, std::uint64_t number) {
  auto const mix = [this](std::uint64_t value) { hash_ = (hash_ ^ value) * 1099511628211U; };
  mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  for (; *what != 0; ++what) mix(static_cast<unsigned char>(*what));
  mix(number);
}

inline void PoolDriver::check_lending(Agent const& agent) {
  auto const& grant = agent.grant;
  auto const& session = sessions_[session_key(grant.slot)];
  if (grant.generation != core_.generation()) violate("P13", "a lease of an older generation began");
  if (session.opened == time_point{}) violate("P9", "a connection was lent before it was ready");
  if (session.is_mid_query) violate("P9", "a connection was lent in the middle of a query");
  if (session.has_transaction) violate("P9", "a connection was lent with an open transaction");
  if (session.is_changed && !grant.reset_first) violate("P9", "a connection was lent with a changed session");
  auto const lifetime = plan_.options.max_lifetime;
  if (lifetime && now_ - session.opened >= *lifetime) violate("P9", "a connection was lent past its lifetime");
  auto const* const slot = core_.slot(grant.slot.index);
  if (now_ >= slot->expires_at) violate("P9", "a connection was lent past its planned expiry");
  for (auto const busy : busy_) {
    auto const& other = agents_[busy];
    if (&other == &agent || other.state != Agent::State::holding || other.grant.slot != grant.slot) continue;
    if (!core_.holds(other.grant.lease)) continue;
    if (other.grant.lease == grant.lease) violate("P3", "one lease has two owners");
    bool const excludes =
        agent.waiter->request.kind == LeaseKind::exclusive || other.waiter->request.kind == LeaseKind::exclusive;
    if (excludes) violate("P3", "an exclusive lease shares its connection");
  }
}

inline void PoolDriver::check_failure(Agent const& agent) {
  auto const& waiter = *agent.waiter;
  if (waiter.refusal() == Refusal::none) violate("P21", "a refusal without a reason");
  if (agent.arrival % 4 == 0) check_error(waiter);
  bool const is_about_the_pool = waiter.refusal() != Refusal::closed && waiter.refusal() != Refusal::deadline_passed;
  if (is_about_the_pool && waiter.verdict() == Verdict::none && !closing_)
    violate("P21", "a refusal without a verdict");
  if (waiter.refusal() == Refusal::timed_out && !agent.deadline.expired(now_)) {
    violate("P8", "a waiter timed out before its deadline");
  }
  if (agent.must_be_served && waiter.refusal() == Refusal::budget_too_small) {
    violate("P6", "a waiter with all the time in the world was told that it has too little");
  }
  if (waiter.refusal() == Refusal::timed_out && agent.failed_in_deadlock &&
      waiter.verdict() != Verdict::deadlock_suspected && !closing_) {
    violate("P22", "a nested acquire died and was called " + std::string(enum_name(waiter.verdict())));
  }
}

inline void PoolDriver::check_error(Waiter const& waiter) {
  auto const error = core_.error_for(waiter, now_);
  if (std::string(error.what()).size() < 10 || error.detail("reason").empty())
    violate("P21", "an error without a cause");
}

inline void PoolDriver::check() {
  auto const shot = core_.snapshot(now_);
  check_counts(shot);
  check_ownership(shot);
  check_order();
  check_progress(shot);
  check_expiries();
  if (on_server_.size() > shot.taken() && !closing_)
    violate("P2", "the server sees more sessions than the pool counts");
  if (!gate_.complaint.empty()) violate("tickets", gate_.complaint);
  std::erase_if(busy_, [this](std::size_t i) { return agents_[i].state == Agent::State::idle; });
  taken_before_ = shot.taken();
  everybody_waited_ = every_holder_waits(shot);
}

inline void PoolDriver::check_counts(Snapshot const& shot) {
  if (shot.taken() > std::max(shot.hard_limit, taken_before_)) violate("P1", "more places than the hard limit");
  if (shot.leases_given != shot.leases_returned + shot.leases_destroyed + shot.leases) {
    violate("P4", "leases given are not those returned, destroyed and outstanding");
  }
  if (shot.leases_given != given_ || shot.leases_returned != returned_) violate("P4", "the pool counts otherwise");
  if (shot.waiting > std::max(shot.waiters_limit, most_allowed_to_wait_)) violate("P18", "more waiters than allowed");
  most_allowed_to_wait_ = std::max(shot.waiting, shot.waiters_limit);
  auto const opening = shot.in(SlotState::connecting) + shot.in(SlotState::initialising);
  if (opening > gate_.outstanding()) violate("P14", "a connect without permission");
  if (plan_.options.cancel != CancelBy::separate_socket && opening != gate_.outstanding()) {
    violate("P14", "a permission without a connect");
  }
  if (gate_.most_at_once() > plan_.options.max_connecting) violate("P14", "more connects at once than allowed");
}

inline void PoolDriver::check_ownership(Snapshot const& shot) {
  is_resetting_ = false;
  std::size_t leased = 0;
  std::size_t offered = 0;
  std::array<std::uint32_t, slot_states> counted{};
  for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
    auto const& slot = *core_.slot(i);
    ++counted[static_cast<std::size_t>(slot.state)];
    std::uint32_t busy = 0;
    // A stream that were in use nevertheless would be missing among the leases and offers below.
    if (slot.load == 0 && slot.state != SlotState::leased) continue;
    for (std::uint32_t ordinal = 0; ordinal < plan_.options.streams_per_connection; ++ordinal) {
      auto const& stream = slot.streams[ordinal];
      if (stream.state == Stream::State::leased) ++leased;
      if (stream.state == Stream::State::resetting) is_resetting_ = true;
      if (stream.state == Stream::State::returning) violate("P3", "a stream in nobody's hands");
      if (stream.state == Stream::State::offered) {
        ++offered;
        bool const is_mutual =
            stream.waiter != nullptr && stream.waiter->state() == WaiterState::offered && stream.waiter->is_resuming();
        if (!is_mutual) violate("P3", "an offered stream without its waiter");
      }
      if (stream.state == Stream::State::free) continue;
      busy += stream.kind == LeaseKind::exclusive ? plan_.options.streams_per_connection : 1;
      if (!slot.is_live()) violate("P3", "a stream in use on a connection that is not alive");
    }
    if (busy != slot.load) violate("P3", "a connection's load is not what its streams say");
  }
  if (counted != shot.slots) violate("P3", "places are miscounted");
  std::size_t holding = 0;
  std::size_t waiting = 0;
  for (auto const index : busy_) {
    auto const& agent = agents_[index];
    if (agent.state == Agent::State::holding && core_.holds(agent.grant.lease)) {
      ++holding;
      // M3: what a lease refers to never changes under it.
      auto const& slot = *core_.slot(agent.grant.slot.index);
      bool const stays =
          slot.handle() == agent.grant.slot && slot.generation == agent.grant.generation && slot.is_live();
      if (!stays) violate("M3", "a lease migrated to another connection");
    }
    if (agent.waiter->state() == WaiterState::offered) ++waiting;
  }
  if (leased != holding || leased != shot.leases) violate("P3", "leases and their holders do not match");
  if (offered != waiting) violate("P3", "offers and their waiters do not match");
}

inline void PoolDriver::check_order() {
  for (auto const i : busy_) {
    auto& agent = agents_[i];
    auto const state = agent.waiter->state();
    auto& lane = queued_of_[lane_index(agent.waiter->request.lane)];
    if (state == agent.seen) continue;
    if (state == WaiterState::queued) {
      lane[agent.arrival] = i;
    } else if (agent.seen == WaiterState::queued) {
      lane.erase(agent.arrival);
    }
    if (state == WaiterState::offered) newly_offered_.push_back(i);
    if (state == WaiterState::failed) agent.failed_in_deadlock = everybody_waited_;
    agent.seen = state;
  }
  for (auto const i : newly_offered_) {
    auto const& agent = agents_[i];
    auto const& lane = queued_of_[lane_index(agent.waiter->request.lane)];
    if (!lane.empty() && lane.begin()->first < agent.arrival)
      violate("P7", "a waiter was served before an earlier one");
  }
  newly_offered_.clear();
  for (auto const i : busy_) {
    auto const& agent = agents_[i];
    bool const is_waiting = agent.seen == WaiterState::queued || agent.seen == WaiterState::offered;
    if (is_waiting && agent.deadline.at() < now_) violate("P8", "a waiter outlived its deadline");
  }
}

inline void PoolDriver::check_progress(Snapshot const& shot) {
  if (shot.waiting == 0 || shot.is_paused || shot.is_closing) return;
  auto const* const head = core_.waiters().head();
  auto const opening = shot.in(SlotState::connecting) + shot.in(SlotState::initialising);
  bool is_tested = false;
  bool is_usable = false;
  for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
    auto const& slot = *core_.slot(i);
    is_tested = is_tested || slot.state == SlotState::testing;
    is_usable = is_usable || (slot.is_available && (head->request.kind != LeaseKind::exclusive || slot.load == 0));
  }
  // One that needs a test is tested; one that needs none would have been offered.
  if (is_usable && !is_tested) violate("P6", "a waiter, a usable connection, and nothing is under way");
  // The pool asks the gate again when it was told to, but not twice within a millisecond.
  bool const may_open = shot.taken() < shot.hard_limit && gate_.would_allow(now_ - std::chrono::milliseconds(1)) &&
                        core_.refill() == Refill::normal;
  bool const is_covered = is_tested || opening > 0 || is_resetting_;
  if (may_open && !is_covered) violate("P6", "a waiter, room for a connection, and nobody opens it");
  if (shot.is_down) violate("P18", "somebody waits for an endpoint that is down");
}

inline void PoolDriver::check_expiries() {
  if (has_resized_ || !plan_.options.max_lifetime) return;
  std::vector<time_point> planned;
  for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
    auto const& slot = *core_.slot(i);
    if (slot.is_live() && slot.expires_at > now_) planned.push_back(slot.expires_at);
  }
  std::sort(planned.begin(), planned.end());
  for (std::size_t i = 1; i < planned.size(); ++i) {
    if (planned[i] - planned[i - 1] < plan_.options.expiry_gap_or_derived()) violate("P16", "two expiries in one gap");
  }
}

inline bool PoolDriver::every_holder_waits(Snapshot const& shot) const {
  if (shot.leases == 0 || shot.in(SlotState::connecting) + shot.in(SlotState::initialising) > 0) return false;
  if (shot.is_paused || shot.is_closing) return false;
  for (auto const i : busy_) {
    auto const& agent = agents_[i];
    if (agent.state != Agent::State::holding || !core_.holds(agent.grant.lease)) continue;
    auto const partner = i % 2 == 0 ? i + 1 : i - 1;
    if (agents_[partner].seen != WaiterState::queued || agents_[partner].state != Agent::State::waiting) return false;
  }
  return true;
}

}  // namespace belay::pool
