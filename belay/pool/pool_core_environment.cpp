#include <algorithm>

#include "belay/pool/pool_core.hpp"
#include "belay/pool/saturating_time.hpp"

// What the world around tells the pool: generations, health, limits.

namespace belay::pool {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds failures_coincide_within = 1s;

}  // namespace

/// What a failure of one connection means for the others of its generation.
void PoolCore::heed(Signal signal, std::uint64_t generation, time_point now) noexcept {
  if (generation != generation_) return;  // that was dealt with
  switch (signal) {
    case Signal::nothing:
    case Signal::taint: return;
    case Signal::transport:
      if (last_transport_failure_ && now - *last_transport_failure_ <= failures_coincide_within) {
        return bump(GenerationReason::transport_failures, Invalidation::soft, now);
      }
      last_transport_failure_ = now;
      return;
    case Signal::tls: return bump(GenerationReason::tls_failure, Invalidation::soft, now);
    case Signal::role: return bump(GenerationReason::role, Invalidation::soft, now);
    case Signal::credentials: return bump(GenerationReason::credentials, Invalidation::soft, now);
  }
}

void PoolCore::bump(GenerationReason reason, Invalidation how, time_point now) noexcept {
  ++generation_;
  ++generations_bumped_;
  last_transport_failure_.reset();
  PoolEvent event;
  event.kind = PoolEvent::Kind::generation_bumped;
  event.reason = reason;
  event.at = now;
  event.number = generation_;
  events_.push(event);
  for (auto& slot : slots_) {
    if (slot.state == SlotState::connecting || slot.state == SlotState::initialising) {
      begin_close(slot, true, CloseReason::invalidated, now);
      continue;
    }
    if (!slot.is_live()) continue;
    for (std::uint32_t i = 0; i < width_; ++i) {
      if (slot.streams[i].state == Stream::State::offered) void_offer(slot.streams[i]);
    }
    if (how == Invalidation::hard && slot.lent > 0) want(slot, PendingWork::cancel);
    if (slot.state == SlotState::testing && slot.load == 0) {
      begin_close(slot, false, CloseReason::invalidated, now);
    } else {
      settle(slot, now);
    }
  }
}

void PoolCore::invalidate_all(GenerationReason reason, Invalidation how, time_point now, Actions& actions) {
  bump(reason, how, now);
  dispatch(now);
  flush(actions);
}

void PoolCore::set_refill(Refill refill, time_point now, Actions& actions) {
  refill_ = refill;
  if (refill != Refill::none) {
    refill_stopped_at_ = time_point::max();
  } else if (refill_stopped_at_ == time_point::max()) {
    refill_stopped_at_ = now;
  }
  check_down(now);
  dispatch(now);
  flush(actions);
}

void PoolCore::set_endpoint_health(EndpointHealth health) noexcept { health_ = health; }

void PoolCore::suspect_idle(time_point now, Actions& actions) {
  for (auto& slot : slots_) {
    if (!slot.is_available) continue;
    slot.is_suspect = true;
    slot.trusted_until = time_point::min();
  }
  dispatch(now);
  flush(actions);
}

void PoolCore::pause(time_point now, Actions& actions) {
  paused_ = true;
  dispatch(now);
  flush(actions);
}

void PoolCore::resume(time_point now, Actions& actions) {
  paused_ = false;
  dispatch(now);
  flush(actions);
}

void PoolCore::resize(PoolSize size, time_point now, Actions& actions) {
  auto changed = options_;
  changed.min_idle = size.min_idle;
  changed.max_size = size.max_size;
  changed.max_overflow = size.max_overflow;
  changed.validate();
  options_ = changed;
  cancels_ = CancelBudget(options_.hard_limit());
  add_places();
  plan_expiries_anew(now);
  close_surplus(now);
  dispatch(now);
  flush(actions);
}

/// Connections above a lowered limit: those being opened, then the idle ones, now; those that are lent when they
/// return.
void PoolCore::close_surplus(time_point now) noexcept {
  for (auto& slot : slots_) {
    bool const is_opening = slot.state == SlotState::connecting || slot.state == SlotState::initialising;
    if (is_opening && in_service() > options_.hard_limit()) begin_close(slot, true, CloseReason::resized, now);
  }
  while (in_service() > options_.hard_limit() && !free_.front().empty()) {
    begin_close(*free_.front().back(), false, CloseReason::resized, now);
  }
}

}  // namespace belay::pool
