#include <algorithm>
#include <bit>

#include "belay/pool/pool_core.hpp"
#include "belay/pool/saturating_time.hpp"

// Who gets which connection.

namespace belay::pool {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds useful_least = 1ms;
constexpr std::chrono::nanoseconds useful_most = 100ms;
constexpr std::chrono::nanoseconds idle_enough_to_ask = 30s;  // PrePing::smart

}  // namespace

/// The first choice among the connections of one load; there is at least one.
Slot* PoolCore::pick(std::size_t load) const noexcept {
  return options_.reuse == Reuse::lifo ? free_[load].front() : free_[load].back();
}

/// A connection to lend at once: the least loaded one that was proven to work recently enough. An exclusive lease wants
/// one without load.
Slot* PoolCore::trusted_slot(LeaseKind kind, time_point now) noexcept {
  for (auto loads = free_loads_; loads != 0; loads &= loads - 1) {
    auto const load = static_cast<std::size_t>(std::countr_zero(loads));
    if (kind == LeaseKind::exclusive && load != 0) break;
    while (!free_[load].empty()) {
      auto* slot = pick(load);
      // One that was just proven stands in front, whichever end is the first choice.
      if (now >= slot->trusted_until) slot = free_[load].front();
      if (!is_lendable(*slot, now)) {
        settle(*slot, now);
        continue;
      }
      if (now < slot->trusted_until) return slot;
      break;
    }
  }
  return nullptr;
}

/// A connection worth a test, for want of a trusted one.
Slot* PoolCore::untrusted_slot(LeaseKind kind) const noexcept {
  if (free_loads_ == 0) return nullptr;
  auto const load = static_cast<std::size_t>(std::countr_zero(free_loads_));
  if (kind == LeaseKind::exclusive && load != 0) return nullptr;
  return pick(load);
}

Stream& PoolCore::reserve(Slot& slot, LeaseKind kind) noexcept {
  make_unavailable(slot);
  auto const ordinal = static_cast<unsigned>(std::countr_zero(slot.free_streams));
  auto& stream = slot.streams[ordinal];
  stream.kind = kind;
  auto const width = kind == LeaseKind::exclusive ? width_ : 1;
  slot.free_streams = kind == LeaseKind::exclusive ? 0 : slot.free_streams & (slot.free_streams - 1);
  slot.load = static_cast<std::uint8_t>(slot.load + width);
  ++slot.lent;
  if (slot.state != SlotState::leased) set_state(slot, SlotState::leased);
  if (slot.free_streams != 0) make_available(slot);
  return stream;
}

Grant PoolCore::lend(Stream& stream, LeaseRequest const& request, time_point now) noexcept {
  stream.state = Stream::State::leased;
  stream.term = request.term;
  stream.since = stream.active_at = now;
  stream.task = request.task;
  stream.label = request.label;
  stream.where = request.where;
  stream.statement = {};
  stream.in_statement = false;
  list_of(stream).push_back(stream);
  ++lease_count_;
  ++leases_given_;
  auto const& slot = *stream.slot;
  return {stream.handle(), slot.handle(), stream.ordinal, slot.generation, std::exchange(stream.reset_first, false)};
}

/// The stream stays the pool's until the waiter accepts.
void PoolCore::offer(Waiter& waiter, Slot& slot) noexcept {
  auto& stream = reserve(slot, waiter.request.kind);
  stream.state = Stream::State::offered;
  stream.waiter = &waiter;
  waiter.stream_ = &stream;
  waiter.state_ = WaiterState::offered;
  queue_.pop_served(waiter);
  resume_later(waiter);
}

/// The waiter is in neither place afterwards; the connection waits to be settled.
Slot& PoolCore::take_offer_back(Waiter& waiter, time_point now) noexcept {
  auto& stream = *waiter.stream_;
  stream.waiter = nullptr;
  waiter.stream_ = nullptr;
  free_stream(stream);
  // It was good enough a moment ago: the next waiter gets it in the same step.
  if (!stream.slot->is_suspect)
    stream.slot->trusted_until = std::max(stream.slot->trusted_until, later(now, an_instant));
  return *stream.slot;
}

/// The connection is no longer good: its waiter waits again, where it waited before.
void PoolCore::void_offer(Stream& stream) noexcept {
  auto& waiter = *stream.waiter;
  stream.waiter = nullptr;
  waiter.stream_ = nullptr;
  free_stream(stream);
  waiter.state_ = WaiterState::queued;
  queue_.put_back(waiter);
}

void PoolCore::refuse(Waiter& waiter, Refusal refusal, Verdict verdict, time_point now) noexcept {
  if (waiter.state_ == WaiterState::queued) queue_.remove(waiter);
  queue_.unwatch(waiter);
  waiter.state_ = WaiterState::failed;
  waiter.refusal_ = refusal;
  waiter.verdict_ = verdict;
  ++refused_[static_cast<std::size_t>(refusal)];
  PoolEvent event;
  event.kind = PoolEvent::Kind::waiter_refused;
  event.refusal = refusal;
  event.at = now;
  event.duration = now - waiter.enqueued_at_;
  event.label = waiter.request.label;
  event.where = waiter.request.where;
  events_.push(event);
  resume_later(waiter);
}

void PoolCore::refuse_all(Refusal refusal, std::optional<Error> const& cause, time_point now) noexcept {
  if (queue_.empty()) return;
  auto const verdict = judge(now, queue_.head());
  while (auto* const waiter = queue_.head()) {
    waiter->cause_ = cause;
    refuse(*waiter, refusal, verdict, now);
  }
}

void PoolCore::resume_later(Waiter& waiter) noexcept {
  if (std::exchange(waiter.resuming_, true)) return;
  waiter.next_to_resume_ = nullptr;
  (last_resuming_ != nullptr ? last_resuming_->next_to_resume_ : resuming_) = &waiter;
  last_resuming_ = &waiter;
}

PoolCore::duration PoolCore::least_useful_budget() const noexcept {
  return options_.min_useful_budget.value_or(std::clamp(hold_.p50(), useful_least, useful_most));
}

/// Brings waiters and connections together, as far as there are any; whatever changes either calls this.
void PoolCore::dispatch(time_point now) noexcept {
  if (!paused_ && phase_ <= Phase::serving) {
    serve_waiters(now);
    start_tests(now);
  }
  if (phase_ <= Phase::serving) create(now);
  if (phase_ != Phase::open) advance_shutdown(now);
}

void PoolCore::serve_waiters(time_point now) noexcept {
  while (auto* const waiter = queue_.head()) {
    auto* const slot = trusted_slot(waiter->request.kind, now);
    if (slot == nullptr) return;
    if (waiter->deadline_.remaining(now) < least_useful_budget()) {
      refuse(*waiter, Refusal::budget_too_small, judge(now, waiter), now);
    } else {
      offer(*waiter, *slot);
    }
  }
}

void PoolCore::start_tests(time_point now) noexcept {
  while (queue_.size() > std::size_t{in(SlotState::testing)} * width_) {
    auto const& waiter = *queue_.head();
    auto* const slot = untrusted_slot(waiter.request.kind);
    if (slot == nullptr) return;
    auto const remaining = std::max<duration>(waiter.deadline_.remaining(now) / 2, duration(1));
    start_test(*slot, true, needs_round_trip(*slot, now), later(now, std::min(options_.liveness_timeout, remaining)));
  }
}

bool PoolCore::needs_round_trip(Slot const& slot, time_point now) const noexcept {
  if (slot.is_suspect) return true;
  switch (options_.pre_ping) {
    case PrePing::off: return false;
    case PrePing::always: return true;
    case PrePing::smart: break;
  }
  return now - slot.proven_at > idle_enough_to_ask || health_ != EndpointHealth::up;
}

void PoolCore::start_test(Slot& slot, bool for_waiter, bool round_trip, time_point deadline) noexcept {
  make_unavailable(slot);
  set_state(slot, SlotState::testing);
  slot.is_test_for_waiter = for_waiter;
  if (!for_waiter) ++keepalives_;
  slot.work_until = deadline;
  timers_.set(slot, deadline);
  want(slot, round_trip ? PendingWork::round_trip : PendingWork::look);
}

void PoolCore::end_test(Slot& slot) noexcept {
  if (!slot.is_test_for_waiter) --keepalives_;
  slot.is_test_for_waiter = false;
  want_nothing(slot);
}

SlotAction PoolCore::action_for(Slot const& slot) const noexcept {
  SlotAction action;
  action.slot = slot.handle();
  action.generation = slot.generation;
  if (slot.work_until != time_point::max()) action.deadline = Deadline::at(slot.work_until);
  switch (slot.pending) {
    case PendingWork::connect:
      action.kind = SlotAction::Kind::connect;
      action.is_probe = slot.ticket && slot.ticket->is_probe;
      break;
    case PendingWork::look:
    case PendingWork::round_trip:
      action.kind = SlotAction::Kind::test;
      action.round_trip = slot.pending == PendingWork::round_trip;
      break;
    case PendingWork::cancel: action.kind = SlotAction::Kind::cancel; break;
    case PendingWork::close_polite: action.kind = SlotAction::Kind::close_polite; break;
    default: action.kind = SlotAction::Kind::close_force; break;
  }
  return action;
}

SlotAction PoolCore::action_for(Stream const& stream) const noexcept {
  SlotAction action;
  switch (stream.pending) {
    case PendingWork::reset: action.kind = SlotAction::Kind::reset; break;
    case PendingWork::rollback: action.kind = SlotAction::Kind::rollback; break;
    default: action.kind = SlotAction::Kind::quarantine; break;
  }
  action.may_cancel = stream.may_cancel;
  action.slot = stream.slot->handle();
  action.lease = stream.handle();
  action.stream = stream.ordinal;
  action.generation = stream.slot->generation;
  action.deadline = Deadline::at(stream.since);
  return action;
}

/// Hands out what has been decided, as far as there is room.
void PoolCore::flush(Actions& actions) noexcept {
  while (!actions.is_full() && !slot_work_.empty()) {
    auto& slot = *slot_work_.front();
    actions.add(action_for(slot));
    want_nothing(slot);
  }
  while (!actions.is_full() && !stream_work_.empty()) {
    auto& stream = *stream_work_.front();
    actions.add(action_for(stream));
    want_nothing(stream);
  }
  if (!slot_work_.empty() || !stream_work_.empty()) actions.more = true;
  if (resuming_ == nullptr) return;
  (actions.last_to_resume != nullptr ? actions.last_to_resume->next_to_resume_ : actions.resume) = resuming_;
  actions.last_to_resume = last_resuming_;
  resuming_ = last_resuming_ = nullptr;
}

}  // namespace belay::pool
