#include <algorithm>

#include "belay/pool/pool_core.hpp"
#include "belay/pool/saturating_time.hpp"

// The drain, in four phases that together last no longer than close_timeout.

namespace belay::pool {

void PoolCore::close(WaitersAtClose policy, time_point now, Actions& actions) {
  if (phase_ == Phase::open) {
    close_until_ = later(now, options_.close_timeout);
    auto const leases_awaited_until = later(now, options_.close_timeout / 4 * 3);
    bool const serves = policy == WaitersAtClose::serve && !queue_.empty();
    enter(serves ? Phase::serving : Phase::awaiting_leases, leases_awaited_until, now);
    paused_ = false;
    dispatch(now);
  }
  flush(actions);
}

void PoolCore::enter(Phase phase, time_point until, time_point now) noexcept {
  phase_ = phase;
  phase_until_ = until;
  ask_gate_at_ = time_point::max();
  PoolEvent event;
  event.kind = PoolEvent::Kind::shutdown_phase;
  event.at = now;
  event.number = static_cast<std::uint64_t>(phase);
  events_.push(event);
}

void PoolCore::advance_shutdown(time_point now) noexcept {
  if (phase_ == Phase::serving && queue_.empty()) enter(Phase::awaiting_leases, phase_until_, now);
  if (phase_ == Phase::awaiting_leases) await_leases(now);
  if (phase_ <= Phase::awaiting_leases && now >= phase_until_) {
    enter(Phase::cancelling, now + (close_until_ - now) / 2, now);
    cancel_leases(now);
  }
  if (phase_ == Phase::cancelling && now >= phase_until_) {
    enter(Phase::forcing, close_until_, now);
    force_all(now);
  }
  if (phase_ > Phase::serving && phase_ != Phase::closed) {
    drain_.waiters_failed += queue_.size();
    refuse_all(Refusal::closed, std::nullopt, now);
    // Whatever the hour: what is to be closed by force must have been handed out, or nobody would ever close it.
    bool const is_over = taken_ == in(SlotState::zombie) || (now >= close_until_ && slot_work_.empty());
    if (is_over) finish_shutdown(now);
  }
}

/// Nothing is opened any more, and what is not lent says good-bye.
void PoolCore::await_leases(time_point now) noexcept {
  for (auto& slot : slots_) {
    if (slot.state == SlotState::connecting || slot.state == SlotState::initialising) {
      begin_close(slot, true, CloseReason::shutdown, now);
    } else if (slot.is_live() && slot.load == 0) {
      begin_close(slot, false, CloseReason::shutdown, now);
    }
  }
}

void PoolCore::cancel_leases(time_point now) noexcept {
  await_leases(now);
  for (auto& slot : slots_) {
    if (!slot.is_live()) continue;
    for (std::uint32_t i = 0; i < width_; ++i) {
      if (slot.streams[i].state == Stream::State::offered) void_offer(slot.streams[i]);
    }
    if (slot.lent > 0) want(slot, PendingWork::cancel);
    settle(slot, now);
  }
}

void PoolCore::force_all(time_point now) noexcept {
  for (auto& slot : slots_) {
    if (slot.is_live()) {
      drop(slot, CloseReason::shutdown, now);
    } else if (slot.state == SlotState::zombie) {
      become_empty(slot);
    } else if (slot.state == SlotState::closing && !slot.is_forced) {
      slot.is_forced = true;
      ++drain_.connections_forced;
      slot.work_until = time_point::max();
      timers_.remove(slot);
      want(slot, PendingWork::close_force);
    }
  }
}

void PoolCore::finish_shutdown(time_point now) noexcept {
  for (auto& slot : slots_) {
    if (slot.state == SlotState::empty) continue;
    if (slot.state == SlotState::closing) ++drain_.connections_abandoned;
    become_empty(slot);
  }
  enter(Phase::closed, time_point::max(), now);
}

}  // namespace belay::pool
