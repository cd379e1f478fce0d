#include <algorithm>
#include <bit>

#include "belay/pool/pool_core.hpp"
#include "belay/pool/saturating_time.hpp"

// The life of a connection: opened, proven, closed.

namespace belay::pool {

Slot* PoolCore::find(SlotHandle handle) noexcept {
  if (handle.index >= slots_.size()) return nullptr;
  auto& slot = slots_[handle.index];
  return slot.version == handle.version && slot.state != SlotState::empty ? &slot : nullptr;
}

bool PoolCore::is_lendable(Slot const& slot, time_point now) const noexcept {
  return slot.generation == generation_ && now < slot.expires_at && slot.retirement == CloseReason::none;
}

/// Why the connection should close once nothing uses it; none when it should stay.
CloseReason PoolCore::reason_to_close(Slot const& slot, time_point now) const noexcept {
  if (slot.retirement != CloseReason::none) return slot.retirement;
  if (slot.generation != generation_) return CloseReason::invalidated;
  if (now >= slot.expires_at) return CloseReason::expired;
  if (in_service() > options_.hard_limit()) return CloseReason::resized;
  bool const serves = phase_ == Phase::open || (phase_ == Phase::serving && !queue_.empty());
  return serves ? CloseReason::none : CloseReason::shutdown;
}

/// Puts a live connection where it belongs after something about it, or its streams, has changed.
void PoolCore::settle(Slot& slot, time_point now) noexcept {
  if (slot.state == SlotState::testing) return;
  if (auto const reason = reason_to_close(slot, now); reason != CloseReason::none) {
    if (slot.load == 0) return begin_close(slot, false, reason, now);
    make_unavailable(slot);
  } else if (!slot.is_available && slot.free_streams != 0) {
    make_available(slot);
  }
  update_state(slot);
  if (auto const next = due(slot); next < timers_.due(slot)) timers_.set(slot, next);
}

/// It was used, successfully, until now.
void PoolCore::touch(Slot& slot, time_point now) noexcept {
  slot.idle_since = now;
  prove(slot, now);
}

void PoolCore::prove(Slot& slot, time_point now) noexcept {
  slot.proven_at = now;
  slot.trusted_until = later(now, trust_);
  slot.keepalive_at = later(now, slot.keepalive_interval);
  slot.is_suspect = false;
}

void PoolCore::set_state(Slot& slot, SlotState state) noexcept {
  --counts_[static_cast<std::size_t>(slot.state)];
  ++counts_[static_cast<std::size_t>(state)];
  slot.state = state;
}

void PoolCore::update_state(Slot& slot) noexcept {
  if (slot.state == SlotState::testing) return;
  auto state = SlotState::idle;
  if (slot.lent > 0) {
    state = SlotState::leased;
  } else if (slot.load > 0) {
    state = slot.quarantined > 0 ? SlotState::quarantined : SlotState::resetting;
  }
  if (state != slot.state) set_state(slot, state);
}

void PoolCore::make_available(Slot& slot) noexcept {
  auto& list = free_[slot.load];
  // The most recently used first. One that was only tested keeps its place, unless somebody waits for it.
  auto* newer = list.front();
  if (slot.load == 0 && newer != nullptr && newer->idle_since > slot.idle_since && queue_.empty()) {
    newer = list.back();
    while (newer != nullptr && newer->idle_since <= slot.idle_since) newer = SlotList::previous(*newer);
    list.insert_before(newer != nullptr ? SlotList::next(*newer) : list.front(), slot);
  } else {
    list.push_front(slot);
  }
  free_loads_ |= std::uint64_t{1} << slot.load;
  available_streams_ += width_ - slot.load;
  slot.is_available = true;
}

void PoolCore::make_unavailable(Slot& slot) noexcept {
  if (!slot.is_available) return;
  slot.is_available = false;
  available_streams_ -= width_ - slot.load;
  auto& list = free_[slot.load];
  list.remove(slot);
  if (list.empty()) free_loads_ &= ~(std::uint64_t{1} << slot.load);
}

void PoolCore::want(Slot& slot, PendingWork work) noexcept {
  if (std::exchange(slot.pending, work) == PendingWork::nothing) slot_work_.push_back(slot);
}

void PoolCore::want_nothing(Slot& slot) noexcept {
  if (std::exchange(slot.pending, PendingWork::nothing) != PendingWork::nothing) slot_work_.remove(slot);
}

void PoolCore::want(Stream& stream, PendingWork work) noexcept {
  if (std::exchange(stream.pending, work) == PendingWork::nothing) stream_work_.push_back(stream);
}

void PoolCore::want_nothing(Stream& stream) noexcept {
  if (std::exchange(stream.pending, PendingWork::nothing) != PendingWork::nothing) stream_work_.remove(stream);
}

/// The connection is lost or given up: nothing of it is left to anybody.
void PoolCore::drop(Slot& slot, CloseReason reason, time_point now) noexcept {
  for (std::uint32_t i = 0; i < width_; ++i) {
    auto& stream = slot.streams[i];
    switch (stream.state) {
      case Stream::State::free: continue;
      case Stream::State::offered: void_offer(stream); continue;
      case Stream::State::leased: revoke(stream, reason, now); break;
      case Stream::State::returning: break;
      case Stream::State::resetting:
      case Stream::State::quarantined: end_clean_up(stream, false, now); break;
    }
    free_stream(stream);
  }
  begin_close(slot, true, reason, now);
}

void PoolCore::begin_close(Slot& slot, bool by_force, CloseReason reason, time_point now) noexcept {
  make_unavailable(slot);
  if (slot.state == SlotState::testing) end_test(slot);
  if (slot.ticket) gate_.abandoned(*std::exchange(slot.ticket, std::nullopt), now);
  bool const never_started = slot.pending == PendingWork::connect;
  bool const was_live = slot.is_live();
  if (expiry_) expiry_->give_back(std::exchange(slot.expiry_ticket, ExpirySchedule::no_ticket));
  slot.close_reason = reason;
  ++closed_[static_cast<std::size_t>(reason)];
  if (was_live) {
    PoolEvent event;
    event.kind = PoolEvent::Kind::connection_closed;
    event.close_reason = reason;
    event.at = now;
    event.slot = slot.handle();
    event.duration = now - slot.opened_at;
    events_.push(event);
  }
  want_nothing(slot);
  if (never_started) return become_empty(slot);

  set_state(slot, SlotState::closing);
  slot.is_forced = by_force;
  if (by_force && phase_ != Phase::open) ++drain_.connections_forced;
  want(slot, by_force ? PendingWork::close_force : PendingWork::close_polite);
  slot.work_until = by_force ? time_point::max() : later(now, options_.quarantine_timeout);
  timers_.set(slot, slot.work_until);
  if (!was_live || live() > 0) return;
  no_live_since_ = now;
  bool const was_lost = reason == CloseReason::broken || reason == CloseReason::lost ||
                        reason == CloseReason::test_failed || reason == CloseReason::invalidated;
  if (was_lost && phase_ == Phase::open) gate_.lost_all(now);
}

void PoolCore::become_zombie(Slot& slot, time_point now) noexcept {
  if (options_.zombie_grace == duration::zero() || phase_ >= Phase::forcing) return become_empty(slot);
  want_nothing(slot);
  set_state(slot, SlotState::zombie);
  slot.work_until = later(now, options_.zombie_grace);
  timers_.set(slot, slot.work_until);
}

void PoolCore::become_empty(Slot& slot) noexcept {
  want_nothing(slot);
  timers_.remove(slot);
  set_state(slot, SlotState::empty);
  --taken_;
  empty_.push_back(slot);
}

void PoolCore::lost(SlotHandle handle, Signal signal, time_point now, Actions& actions) {
  auto* const slot = find(handle);
  if (slot == nullptr || !slot->is_live()) return;
  auto const generation = slot->generation;
  drop(*slot, slot->load > 0 ? CloseReason::broken : CloseReason::lost, now);
  heed(signal, generation, now);
  dispatch(now);
  flush(actions);
}

void PoolCore::closed(SlotHandle handle, SessionFate fate, time_point now, Actions& actions) {
  auto* const slot = find(handle);
  if (slot == nullptr || slot->state != SlotState::closing) return;
  fate == SessionFate::unknown ? become_zombie(*slot, now) : become_empty(*slot);
  dispatch(now);
  flush(actions);
}

void PoolCore::session_gone(SlotHandle handle, time_point now, Actions& actions) {
  auto* const slot = find(handle);
  if (slot == nullptr || slot->state != SlotState::zombie) return;
  become_empty(*slot);
  dispatch(now);
  flush(actions);
}

void PoolCore::test_passed(SlotHandle handle, time_point now, Actions& actions) {
  auto* const slot = find(handle);
  if (slot == nullptr || slot->state != SlotState::testing) return;
  end_test(*slot);
  prove(*slot, now);
  set_state(*slot, SlotState::idle);
  timers_.remove(*slot);
  settle(*slot, now);
  dispatch(now);
  flush(actions);
}

void PoolCore::test_failed(SlotHandle handle, Signal signal, time_point now, Actions& actions) {
  auto* const slot = find(handle);
  if (slot == nullptr || slot->state != SlotState::testing) return;
  fail_test(*slot, signal, now);
  dispatch(now);
  flush(actions);
}

void PoolCore::fail_test(Slot& slot, Signal signal, time_point now) noexcept {
  constexpr std::uint32_t tests_to_suspect_all = 2;
  ++tests_failed_;
  auto const generation = slot.generation;
  auto* const waiter = slot.is_test_for_waiter ? queue_.head() : nullptr;  // it stays at the head
  drop(slot, CloseReason::test_failed, now);
  if (waiter != nullptr && ++waiter->failed_tests_ >= tests_to_suspect_all) {
    waiter->failed_tests_ = 0;
    if (generation == generation_) bump(GenerationReason::tests_failed, Invalidation::soft, now);
  }
  heed(signal, generation, now);
}

}  // namespace belay::pool
