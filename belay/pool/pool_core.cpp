#include "belay/pool/pool_core.hpp"

#include <algorithm>
#include <bit>

#include "belay/pool/saturating_time.hpp"

// What callers do: acquire, accept, withdraw, release. The other inputs are in pool_core_*.cpp.

namespace belay::pool {

namespace {

/// Of the callers whose work would fit into the time they have, so many may lose that chance by waiting. With more the
/// connections do in vain what nobody waits for any more; with fewer, callers are refused that would have been served.
constexpr double work_cut_off = 0.02;
/// A wait of this share of a mean hold is let in whatever the deadline.
constexpr double shortest_queue = 0.25;

PoolOptions const& validated(PoolOptions const& options) {
  options.validate();
  return options;
}

std::chrono::nanoseconds trust_of(PoolOptions const& options) {
  return options.pre_ping == PrePing::always ? an_instant : std::max(options.liveness_bypass, an_instant);
}

}  // namespace

PoolCore::PoolCore(PoolOptions const& options, resilience::ConnectGate& gate, Random random, time_point now)
    : options_(validated(options)),
      width_(options.streams_per_connection),
      gate_(gate),
      random_(random),
      trust_(trust_of(options)),
      cancels_(options.hard_limit()),
      no_live_since_(now),
      connect_timed_out_(ErrorClass::timeout_local, SendState::never_sent,
                         "the connection was not ready within the connect timeout") {
  add_places();
  plan_expiries_anew(now);
}

PoolCore::~PoolCore() = default;

Acquired PoolCore::acquire(Waiter& waiter, time_point now, Actions& actions) {
  auto const& request = waiter.request;
  // Newcomers never look at idle connections while anybody waits.
  if (phase_ == Phase::open && !paused_ && queue_.empty() && !request.deadline.expired(now)) {
    if (auto* const slot = trusted_slot(request.kind, now)) {
      waiter.state_ = WaiterState::accepted;
      ++granted_at_once_;
      Acquired const granted{Acquired::Outcome::granted, lend(reserve(*slot, request.kind), request, now)};
      bool const wants_refill = available_streams_ < options_.min_idle && taken_ < options_.max_size;
      if (wants_refill) dispatch(now);
      if (wants_refill || !slot_work_.empty()) flush(actions);  // it may have passed over expired ones
      return granted;
    }
  }
  return acquire_slowly(waiter, now, actions);
}

Acquired PoolCore::acquire_slowly(Waiter& waiter, time_point now, Actions& actions) {
  waiter.deadline_ = earlier(waiter.request.deadline, Deadline::at(later(now, options_.acquire_timeout)));
  waiter.enqueued_at_ = now;
  waiter.resuming_ = true;  // it runs already: nobody is to resume it
  if (auto const refusal = admit(waiter, now); refusal != Refusal::none) {
    if (refusal == Refusal::endpoint_down) waiter.cause_ = failed_connects_.front().error;
    refuse(waiter, refusal, judge(now, &waiter), now);
  } else {
    waiter.ticket_ = ++tickets_;
    waiter.state_ = WaiterState::queued;
    queue_.push(waiter);
    queue_.watch(waiter, waiter.deadline_.at());
    dispatch(now);
  }
  return finish(waiter, now, actions);
}

Refusal PoolCore::admit(Waiter const& waiter, time_point now) const noexcept {
  if (phase_ != Phase::open) return Refusal::closed;
  if (waiter.deadline_.expired(now)) return Refusal::deadline_passed;
  if (is_down(now)) return Refusal::endpoint_down;
  if (queue_.size() >= options_.waiters_limit()) return Refusal::queue_full;
  // With nobody ahead and a connection that only has to prove itself, there is nothing to predict.
  if (!options_.admission || !hold_.is_known() || paused_) return Refusal::none;
  if (queue_.empty() && free_loads_ != 0) return Refusal::none;
  auto const allowed = wait_worth_it(waiter.deadline_.remaining(now));
  auto const predicted = predicted_wait(queue_.ahead_of(waiter.request.lane), now);
  return predicted > allowed ? Refusal::predicted_wait : Refusal::none;
}

/// How long a caller with so much time left may wait: not longer than its share for that, and not into the time that
/// the work needs. While holds are about as long as the deadlines, a short queue is let in all the same, or places
/// would stand empty between two callers.
PoolCore::duration PoolCore::wait_worth_it(duration remaining) const noexcept {
  auto const part = [](double share, duration of) {
    return duration(static_cast<duration::rep>(share * static_cast<double>(of.count())));
  };
  auto const share = part(*options_.admission, remaining);
  auto const before_work = remaining - hold_.needed_of(remaining, work_cut_off);
  return std::min(share, std::max(before_work, part(shortest_queue, hold_.mean())));
}

PoolCore::duration PoolCore::predicted_wait(std::size_t ahead, time_point now) const noexcept {
  auto const usable = (in(SlotState::leased) + in(SlotState::idle) + in(SlotState::testing)) * width_;
  if (usable == 0) return duration::zero();
  auto const queueing = static_cast<double>(ahead + 1) * static_cast<double>(hold_.mean().count()) / usable;
  auto predicted = duration(static_cast<duration::rep>(std::min(queueing, 9e18)));
  if (gate_.is_recovering())
    predicted = std::max(predicted, predicted + std::max(gate_.next_probe_at() - now, duration::zero()));
  return predicted;
}

Acquired PoolCore::accept(Waiter& waiter, time_point now, Actions& actions) {
  if (waiter.state_ == WaiterState::offered && waiter.deadline_.expired(now)) {
    settle(take_offer_back(waiter, now), now);
    refuse(waiter, Refusal::timed_out, judge(now, &waiter), now);
    dispatch(now);
  }
  return finish(waiter, now, actions);
}

/// Gives the waiter what it was offered, if that can still be lent; meanwhile it counts as being resumed.
Acquired PoolCore::finish(Waiter& waiter, time_point now, Actions& actions) {
  Acquired result;
  while (waiter.state_ == WaiterState::offered) {
    auto& stream = *waiter.stream_;
    auto& slot = *stream.slot;
    if (is_lendable(slot, now)) {
      queue_.unwatch(waiter);
      waiter.state_ = WaiterState::accepted;
      stream.waiter = nullptr;
      waiter.stream_ = nullptr;
      result = {Acquired::Outcome::granted, lend(stream, waiter.request, now)};
      break;
    }
    void_offer(stream);
    settle(slot, now);
    dispatch(now);
  }
  if (waiter.state_ == WaiterState::queued) result.outcome = Acquired::Outcome::waiting;
  waiter.resuming_ = false;
  flush(actions);
  return result;
}

void PoolCore::withdraw(Waiter& waiter, time_point now, Actions& actions) {
  if (waiter.state_ == WaiterState::queued) {
    queue_.remove(waiter);
  } else if (waiter.state_ == WaiterState::offered) {
    settle(take_offer_back(waiter, now), now);
  } else {
    return;
  }
  queue_.unwatch(waiter);
  waiter.state_ = WaiterState::withdrawn;
  ++withdrawn_;
  dispatch(now);
  drop_unneeded_connects(now);
  flush(actions);
}

bool PoolCore::release(LeaseHandle lease, Release how, time_point now, Actions& actions) noexcept {
  auto* const stream = find_leased(lease);
  if (stream == nullptr) return false;
  auto& slot = *stream->slot;
  end_lease(*stream, now);
  ++leases_returned_;
  if (how.condition == ReleaseCondition::clean && how.signal == Signal::nothing) {
    touch(slot, now);
    free_stream(*stream);
    settle(slot, now);
    if (queue_.empty() && slot_work_.empty() && phase_ == Phase::open) return true;
  } else {
    give_back(*stream, how, now);
  }
  dispatch(now);
  flush(actions);
  return true;
}

bool PoolCore::holds(LeaseHandle lease) const noexcept {
  auto const* const stream = find_stream(lease);
  return stream != nullptr && stream->state == Stream::State::leased;
}

void PoolCore::statement_started(LeaseHandle lease, std::string_view digest, time_point now) noexcept {
  auto* const stream = find_leased(lease);
  if (stream == nullptr) return;
  stream->statement = digest;
  stream->in_statement = true;
  stream->active_at = now;
}

void PoolCore::statement_ended(LeaseHandle lease, time_point now) noexcept {
  auto* const stream = find_leased(lease);
  if (stream == nullptr) return;
  stream->in_statement = false;
  stream->active_at = now;
}

}  // namespace belay::pool
