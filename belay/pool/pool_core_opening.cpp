#include <algorithm>

#include "belay/pool/pool_core.hpp"
#include "belay/pool/saturating_time.hpp"

// When connections are opened. Opening is the pool's business, not that of the waiter who caused it.

namespace belay::pool {

namespace {

using namespace std::chrono_literals;

std::size_t divide_up(std::size_t number, std::size_t by) { return (number + by - 1) / by; }

}  // namespace

void PoolCore::start(time_point now, Actions& actions) {
  dispatch(now);
  flush(actions);
}

void PoolCore::permission_changed(time_point now, Actions& actions) {
  dispatch(now);
  flush(actions);
}

/// Connections that would be lent at once if they were there, whatever is being opened already.
std::size_t PoolCore::wanted_for_waiters() const noexcept {
  if (refill_ != Refill::normal || paused_) return 0;
  auto const streams = queue_.size() - queue_.exclusive() + queue_.exclusive() * width_;
  auto const covered = std::size_t{in(SlotState::testing)} * width_ + resetting_streams_;
  return streams > covered ? divide_up(streams - covered, width_) : 0;
}

std::size_t PoolCore::wanted_for_idle() const noexcept {
  if (refill_ == Refill::none || phase_ != Phase::open) return 0;
  auto const spare = spare_streams();
  return spare < options_.min_idle ? divide_up(options_.min_idle - spare, width_) : 0;
}

/// While nothing is alive somebody has to find out when that changes, even if nobody is let in to wait.
std::size_t PoolCore::wanted_as_probe() const noexcept {
  return refill_ != Refill::none && live() == 0 && gate_.is_recovering() ? 1 : 0;
}

bool PoolCore::wants_connection(time_point now) const noexcept {
  auto const for_waiters = wanted_for_waiters();
  if (opening() < std::max(for_waiters, wanted_as_probe())) {
    return taken_ < options_.hard_limit() && (opening() == 0 || is_worth_another(now));
  }
  return opening() < for_waiters + wanted_for_idle() && taken_ < options_.max_size;
}

/// One connection is opened at once for whoever waits; more beside it only if those who wait would otherwise wait
/// longer than opening takes. A short burst is thus served by what is there.
bool PoolCore::is_worth_another(time_point now) const noexcept {
  if (!hold_.is_known() || connect_time_.samples() == 0 || live() == 0) return true;
  return predicted_wait(queue_.size(), now) > connect_time_.mean();
}

void PoolCore::create(time_point now) noexcept {
  ask_gate_at_ = time_point::max();
  while (wants_connection(now)) {
    auto const answer = gate_.try_connect(now);
    if (!answer.ticket) {
      ask_gate_at_ = std::max(answer.retry_at, later(now, 1ms));
      return;
    }
    start_connect(*answer.ticket, now);
  }
}

void PoolCore::start_connect(resilience::ConnectTicket ticket, time_point now) noexcept {
  auto& slot = *empty_.pop_front();
  ++taken_;
  ++slot.version;
  set_state(slot, SlotState::connecting);
  slot.ticket = ticket;
  slot.generation = generation_;
  slot.opened_at = now;
  slot.expires_at = time_point::max();
  slot.retirement = slot.close_reason = CloseReason::none;
  slot.is_suspect = slot.is_forced = false;
  for (std::uint32_t i = 0; i < width_; ++i) slot.streams[i].reset_first = false;  // of the session before
  slot.work_until = later(now, options_.connect_timeout);
  timers_.set(slot, slot.work_until);
  want(slot, PendingWork::connect);
  ++connects_started_;
}

void PoolCore::drop_unneeded_connects(time_point now) noexcept {
  // The first one is finished in any case: callers more impatient than a connect takes would else never get any.
  auto const needed = std::max<std::size_t>(wanted_for_waiters() + wanted_for_idle(), live() == 0 ? 1 : 0);
  while (opening() > needed) {
    Slot* youngest = nullptr;
    for (auto& slot : slots_) {
      bool const is_opening = slot.state == SlotState::connecting || slot.state == SlotState::initialising;
      if (is_opening && (youngest == nullptr || slot.opened_at > youngest->opened_at)) youngest = &slot;
    }
    begin_close(*youngest, true, CloseReason::connect_not_needed, now);
  }
}

void PoolCore::connected(SlotHandle handle, time_point, Actions&) {
  auto* const slot = find(handle);
  if (slot != nullptr && slot->state == SlotState::connecting) set_state(*slot, SlotState::initialising);
}

void PoolCore::initialised(SlotHandle handle, time_point now, Actions& actions) {
  auto* const slot = find(handle);
  if (slot == nullptr) return;
  if (slot->state != SlotState::connecting && slot->state != SlotState::initialising) return;
  gate_.connected(*std::exchange(slot->ticket, std::nullopt), now);
  ++connects_succeeded_;
  last_connect_failed_ = false;
  connect_time_.add(now - slot->opened_at);
  PoolEvent event;
  event.kind = PoolEvent::Kind::connection_opened;
  event.at = now;
  event.slot = slot->handle();
  event.duration = now - slot->opened_at;
  events_.push(event);

  slot->opened_at = now;
  if (options_.keepalive) {
    auto const jitter = static_cast<double>(options_.keepalive->count()) * 0.1 * (2 * random_.uniform() - 1);
    slot->keepalive_interval = *options_.keepalive + duration(static_cast<duration::rep>(jitter));
  } else {
    slot->keepalive_interval = duration::max();
  }
  if (options_.max_lifetime) {
    auto const jitter = static_cast<double>(options_.max_lifetime->count()) * 0.1 * random_.uniform();
    plan_expiry(*slot, now, later(now, *options_.max_lifetime - duration(static_cast<duration::rep>(jitter))));
  }
  touch(*slot, now);
  set_state(*slot, SlotState::idle);
  timers_.remove(*slot);
  settle(*slot, now);
  check_down(now);
  dispatch(now);
  flush(actions);
}

void PoolCore::connect_failed(SlotHandle handle, ConnectFailure const& failure, time_point now, Actions& actions) {
  auto* const slot = find(handle);
  if (slot == nullptr) return;
  // It was to be closed before it was there, and now there is nothing to close: no other report will come.
  if (slot->state == SlotState::closing) return closed(handle, failure.fate, now, actions);
  if (slot->state != SlotState::connecting && slot->state != SlotState::initialising) return;
  auto const generation = slot->generation;
  note_failed_connect(*slot, failure.error, failure.permanent, now);
  ++closed_[static_cast<std::size_t>(CloseReason::connect_failed)];
  failure.fate == SessionFate::unknown ? become_zombie(*slot, now) : become_empty(*slot);
  if (failure.tls) heed(Signal::tls, generation, now);
  if (failure.permanent) refuse_all(Refusal::connect_failed, failure.error, now);
  check_down(now);
  dispatch(now);
  flush(actions);
}

void PoolCore::note_failed_connect(Slot& slot, Error const& error, bool permanent, time_point now) noexcept {
  gate_.failed(*std::exchange(slot.ticket, std::nullopt), error.error_class(), permanent, now);
  ++connects_failed_;
  last_connect_failed_ = true;
  std::rotate(failed_connects_.begin(), failed_connects_.end() - 1, failed_connects_.end());
  failed_connects_.front() = {error, now};
  PoolEvent event;
  event.kind = PoolEvent::Kind::connect_failed;
  event.error_class = error.error_class();
  event.at = now;
  event.slot = slot.handle();
  event.duration = now - slot.opened_at;
  events_.push(event);
}

void PoolCore::plan_expiry(Slot& slot, time_point now, time_point wish) noexcept {
  auto const plan = expiry_->plan(now, wish);
  slot.expires_at = plan.at;
  slot.expiry_ticket = plan.ticket;
}

void PoolCore::plan_expiries_anew(time_point now) {
  if (!options_.max_lifetime) return;
  auto const gap = options_.expiry_gap_or_derived();
  auto const phase = duration(static_cast<duration::rep>(random_.below(static_cast<std::uint64_t>(gap.count()))));
  expiry_.emplace(*options_.max_lifetime, gap, now + phase);
  for (auto& slot : slots_) {
    slot.expiry_ticket = ExpirySchedule::no_ticket;  // of the old plan; nothing may give it back to the new one
    if (!slot.is_live() || slot.expires_at <= now) continue;
    auto const latest = slot.expires_at;
    plan_expiry(slot, now, latest);
    if (slot.expiry_ticket == ExpirySchedule::no_ticket || slot.expires_at > latest) slot.expires_at = latest;
    if (auto const next = due(slot); next < timers_.due(slot)) timers_.set(slot, next);
  }
}

/// Makes room for as many connections as the hard limit allows.
void PoolCore::add_places() {
  queue_.reserve(options_.waiters_limit() + std::size_t{options_.hard_limit()} * width_);
  timers_.reserve(std::max<std::size_t>(options_.hard_limit(), slots_.size()));
  while (slots_.size() < options_.hard_limit()) {
    auto const index = static_cast<std::uint32_t>(slots_.size());
    auto& slot = slots_.emplace_back();
    slot.index = index;
    slot.free_streams = ~std::uint64_t{0} >> (64 - width_);
    slot.streams = std::make_unique<Stream[]>(width_);
    for (std::uint32_t ordinal = 0; ordinal < width_; ++ordinal) {
      slot.streams[ordinal].slot = &slot;
      slot.streams[ordinal].index = lease_index(index, ordinal);
      slot.streams[ordinal].ordinal = static_cast<std::uint8_t>(ordinal);
    }
    ++counts_[static_cast<std::size_t>(SlotState::empty)];
    empty_.push_back(slot);
  }
}

}  // namespace belay::pool
