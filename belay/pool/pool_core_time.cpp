#include <algorithm>

#include "belay/pool/pool_core.hpp"
#include "belay/pool/saturating_time.hpp"

// What happens because time passes.

namespace belay::pool {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds overdue_look_every = 1s;

}  // namespace

void PoolCore::advance(time_point now, Actions& actions) {
  expire_waiters(now);
  while (timers_.earliest() <= now) slot_due(*timers_.front(), now);
  expire_clean_ups(now);
  trim_idle(now);
  watch_leases(now, actions);
  check_down(now);
  dispatch(now);
  flush(actions);
}

PoolCore::time_point PoolCore::next_timer() const noexcept {
  auto next = std::min({queue_.earliest_deadline(), timers_.earliest(), phase_until_, ask_gate_at_, trim_at()});
  if (!cleaning_.empty()) next = std::min(next, cleaning_.front()->since);
  if (!overdue_.empty()) next = std::min(next, next_look_at_overdue_);
  if (!leases_.empty() && options_.leak_warn_after) {
    next = std::min(next, later(leases_.front()->since, *options_.leak_warn_after));
  }
  bool const matters = phase_ == Phase::open && (!is_down_announced_ || !queue_.empty());
  if (matters && live() == 0) next = std::min(next, down_at());
  return next;
}

void PoolCore::expire_waiters(time_point now) noexcept {
  if (queue_.earliest_deadline() > now) return;
  auto const verdict = judge(now, queue_.first_to_expire());
  while (queue_.earliest_deadline() <= now) {
    auto& waiter = *queue_.first_to_expire();
    if (waiter.state_ == WaiterState::offered) settle(take_offer_back(waiter, now), now);
    refuse(waiter, Refusal::timed_out, verdict, now);
  }
  dispatch(now);
  drop_unneeded_connects(now);
}

void PoolCore::expire_clean_ups(time_point now) noexcept {
  while (!cleaning_.empty() && cleaning_.front()->since <= now) {
    drop(*cleaning_.front()->slot, CloseReason::clean_up_failed, now);
  }
}

/// When something about the connection becomes due, if nothing happens before.
PoolCore::time_point PoolCore::due(Slot const& slot) const noexcept {
  switch (slot.state) {
    case SlotState::idle: return std::min(slot.expires_at, slot.keepalive_at);
    case SlotState::leased:
    case SlotState::resetting:
    case SlotState::quarantined: return slot.is_available ? slot.expires_at : time_point::max();
    case SlotState::empty: return time_point::max();
    default: return slot.work_until;
  }
}

/// Its timer has come; it may have been set for something that has changed since.
void PoolCore::slot_due(Slot& slot, time_point now) noexcept {
  if (due(slot) > now) return timers_.set(slot, due(slot));
  switch (slot.state) {
    case SlotState::connecting:
    case SlotState::initialising:
      note_failed_connect(slot, connect_timed_out_, false, now);
      return begin_close(slot, true, CloseReason::connect_failed, now);
    case SlotState::idle: {
      if (now >= slot.expires_at) return begin_close(slot, false, CloseReason::expired, now);
      bool const may_ask = keepalives_ < std::max<std::uint32_t>(1, in(SlotState::idle) / 10);
      if (may_ask) return start_test(slot, false, true, later(now, options_.liveness_timeout));
      return timers_.set(slot, std::min(slot.expires_at, later(now, options_.liveness_timeout)));
    }
    case SlotState::testing: return fail_test(slot, Signal::transport, now);
    case SlotState::closing:
      slot.is_forced = true;
      if (phase_ != Phase::open) ++drain_.connections_forced;
      slot.work_until = time_point::max();
      timers_.remove(slot);
      return want(slot, PendingWork::close_force);
    case SlotState::zombie: return become_empty(slot);
    default:  // lent, and now too old to be lent once more
      timers_.remove(slot);
      return settle(slot, now);
  }
}

/// When the connection that is idle for longest is to close as surplus.
PoolCore::time_point PoolCore::trim_at() const noexcept {
  auto const* const oldest = free_.front().back();
  if (oldest == nullptr) return time_point::max();
  auto at = time_point::max();
  if (in_service() > options_.max_size) at = later(oldest->idle_since, options_.overflow_linger);
  if (options_.idle_timeout && spare_streams() >= std::size_t{options_.min_idle} + width_) {
    at = std::min(at, later(oldest->idle_since, *options_.idle_timeout));
  }
  return at;
}

void PoolCore::trim_idle(time_point now) noexcept {
  while (trim_at() <= now) {
    bool const is_overflow = in_service() > options_.max_size;
    begin_close(*free_.front().back(), false, is_overflow ? CloseReason::overflow : CloseReason::idle_timeout, now);
  }
}

void PoolCore::watch_leases(time_point now, Actions& actions) noexcept {
  if (!options_.leak_warn_after) return;
  while (!leases_.empty() && later(leases_.front()->since, *options_.leak_warn_after) <= now) {
    auto& lease = *leases_.front();
    if (!warn(lease, now, actions)) return;
    leases_.remove(lease);
    lease.is_overdue = true;
    if (overdue_.empty()) next_look_at_overdue_ = later(now, overdue_look_every);
    overdue_.push_back(lease);
  }
  if (overdue_.empty() || now < next_look_at_overdue_) return;
  next_look_at_overdue_ = later(now, overdue_look_every);
  for (auto* lease = overdue_.front(); lease != nullptr;) {
    auto& current = *lease;
    lease = StreamList::next(current);
    if (options_.leak_reclaim_after && later(current.since, *options_.leak_reclaim_after) <= now) {
      reclaim(current, now);
      lease = overdue_.front();  // its connection may have carried others of the list
    } else if (current.next_warning <= now && !warn(current, now, actions)) {
      next_look_at_overdue_ = now;
      return;
    }
  }
}

/// Warned after leak_warn_after, then each time the age has doubled. False when there is no room to say so.
bool PoolCore::warn(Stream& lease, time_point now, Actions& actions) noexcept {
  if (actions.is_full()) {
    actions.more = true;
    return false;
  }
  auto const held = now - lease.since;
  lease.next_warning = later(now, held);
  ++leak_warnings_;
  note(PoolEvent::Kind::leak_warning, lease, now, held);
  SlotAction action;
  action.kind = SlotAction::Kind::warn_leak;
  action.slot = lease.slot->handle();
  action.lease = lease.handle();
  action.stream = lease.ordinal;
  actions.add(action);
  return true;
}

/// Takes the lease away. A connection that others use as well is kept, what the lease ran on it is cancelled.
void PoolCore::reclaim(Stream& lease, time_point now) noexcept {
  auto& slot = *lease.slot;
  bool const is_alone = slot.load <= (lease.kind == LeaseKind::exclusive ? width_ : 1);
  if (is_alone || options_.cancel == CancelBy::nothing) return drop(slot, CloseReason::leak_reclaimed, now);
  revoke(lease, CloseReason::leak_reclaimed, now);
  clean_up(lease, PendingWork::quarantine, now);
}

PoolCore::time_point PoolCore::down_at() const noexcept {
  if (live() > 0) return time_point::max();
  auto const trouble_since = std::min(gate_.failing_since(), refill_stopped_at_);
  if (trouble_since == time_point::max()) return time_point::max();
  return later(std::max(no_live_since_, trouble_since), options_.down_after);
}

/// Nobody waits for an endpoint that is down: the queue cannot grow meanwhile.
void PoolCore::check_down(time_point now) noexcept {
  bool const down = phase_ == Phase::open && is_down(now);
  if (down) refuse_all(Refusal::endpoint_down, failed_connects_.front().error, now);
  if (down == is_down_announced_ || (!down && live() == 0)) return;
  is_down_announced_ = down;
  PoolEvent event;
  event.kind = down ? PoolEvent::Kind::endpoint_down : PoolEvent::Kind::endpoint_back;
  event.at = now;
  event.duration = now - no_live_since_;
  events_.push(event);
}

}  // namespace belay::pool
