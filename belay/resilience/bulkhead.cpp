#include "belay/resilience/bulkhead.hpp"

#include <algorithm>

#include "belay/core/error.hpp"
#include "belay/resilience/detail/monotonic.hpp"
#include "belay/resilience/detail/option_range.hpp"

namespace belay::resilience {

using detail::require_range;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t holds_known = 20;  // fewer say too little to refuse anybody for
constexpr double hold_weight = 1.0 / 16;   // of the newest in the moving average
constexpr double longest_wait_ns = 9e18;   // just inside the integers
constexpr std::uint32_t concurrent_most = 100'000;

BulkheadOptions const& checked(BulkheadOptions const& options) {
  check(options);
  return options;
}

}  // namespace

void check(BulkheadOptions const& options) {
  require_range("concurrent_max", std::uint64_t{options.concurrent_max}, 1, concurrent_most);
  require_range("queue_max", std::uint64_t{options.queue_max}, 0, 1'000'000);
  require_range("weights.high", std::uint64_t{options.weights.high}, 1, 100);
  require_range("weights.normal", std::uint64_t{options.weights.normal}, 1, 100);
  require_range("weights.low", std::uint64_t{options.weights.low}, 1, 100);
  for (auto const share : options.wait_shares) require_range("wait_shares", share, 1e-3, 1);
  require_range("useful_min", options.useful_min, 0ns, 1min);
  check(options.adaptive, options.concurrent_max);
}

Bulkhead::Bulkhead(BulkheadOptions const& options, time_point now)
    : options_(checked(options)), lanes_(options.weights), adaptive_(options.adaptive, options.concurrent_max, now) {}

BulkheadEntry Bulkhead::enter(LaneWaiter& waiter, Lane lane, Deadline deadline, time_point now) noexcept {
  if (deadline.expired(now)) return refuse(BulkheadRefusal::deadline, 0ns);
  if (lanes_.is_empty() && in_use_ < limit()) {
    ++in_use_;
    ++counters_.admitted;
    return BulkheadEntry{BulkheadEntry::Kind::admitted, BulkheadPermit{now}, {}, 0ns};
  }
  // Would it be served in time even if everything below made way?
  auto const position = lanes_.size(lane) + 1;
  auto const at_best = wait_behind(lanes_.ahead_of(lane, position, lane));
  if (is_too_long(at_best, lane, deadline, now)) return refuse(BulkheadRefusal::predicted_wait, at_best);
  if (lanes_.size() >= options_.queue_max && !shed_below(lane)) return refuse(BulkheadRefusal::queue_full, at_best);
  auto wait = predicted_wait(lane);
  while (is_too_long(wait, lane, deadline, now) && shed_below(lane)) wait = predicted_wait(lane);

  waiter.state_ = LaneWaiter::State::queued;
  waiter.lane_ = lane;
  waiter.deadline_ = deadline;
  waiter.since_ = now;
  lanes_.append(waiter, lane);
  ++counters_.queued;
  shed_hopeless(now);
  if (waiter.state_ == LaneWaiter::State::refused) {  // it would have taken the turn of somebody more urgent
    dropped_.remove(waiter);
    return BulkheadEntry{BulkheadEntry::Kind::refused, {}, waiter.reason_, wait};
  }
  return BulkheadEntry{BulkheadEntry::Kind::queued, {}, {}, wait};
}

LaneWaiter* Bulkhead::next(time_point now) noexcept {
  if (auto* const waiter = dropped_.oldest()) {
    dropped_.remove(*waiter);
    return waiter;
  }
  if (lanes_.is_empty() || in_use_ >= limit()) return nullptr;
  auto& waiter = lanes_.take_next();
  auto const left = waiter.deadline_.remaining(now);
  if (left == 0ns || left < options_.useful_min) {
    waiter.state_ = LaneWaiter::State::refused;
    waiter.reason_ = BulkheadRefusal::deadline;
    ++counters_.refused[static_cast<std::size_t>(waiter.reason_)];
  } else {
    waiter.state_ = LaneWaiter::State::offered;
    ++in_use_;
  }
  return &waiter;
}

std::optional<BulkheadPermit> Bulkhead::accept(LaneWaiter& waiter, time_point now) noexcept {
  if (waiter.state_ != LaneWaiter::State::offered) return std::nullopt;
  waiter.state_ = LaneWaiter::State::accepted;
  ++counters_.admitted;
  return BulkheadPermit{now};
}

bool Bulkhead::withdraw(LaneWaiter& waiter) noexcept {
  switch (waiter.state_) {
    case LaneWaiter::State::queued: lanes_.remove(waiter, waiter.lane_); break;
    case LaneWaiter::State::offered: --in_use_; break;
    case LaneWaiter::State::refused:
      if (waiter.linked_) dropped_.remove(waiter);
      return false;
    case LaneWaiter::State::idle:
    case LaneWaiter::State::accepted:
    case LaneWaiter::State::withdrawn: return false;
  }
  waiter.state_ = LaneWaiter::State::withdrawn;
  ++counters_.withdrawn;
  return true;
}

void Bulkhead::leave(BulkheadPermit permit, HoldOutcome outcome, time_point now) noexcept {
  auto const held = detail::time_between(permit.since, now);
  auto const held_ns = static_cast<double>(held.count());
  hold_ns_ = holds_ == 0 ? held_ns : hold_ns_ + (held_ns - hold_ns_) * hold_weight;
  if (holds_ < holds_known) ++holds_;
  switch (outcome) {
    case HoldOutcome::done: adaptive_.record(held, in_use_, now); break;
    case HoldOutcome::overloaded: adaptive_.overloaded(in_use_, now); break;
    case HoldOutcome::ignored: break;
  }
  --in_use_;
  shed_hopeless(now);
}

void Bulkhead::set_concurrent_max(std::uint32_t concurrent_max) {
  require_range("concurrent_max", std::uint64_t{concurrent_max}, 1, concurrent_most);
  if (options_.adaptive.mode != AdaptiveMode::off) {
    throw Error(ErrorClass::request, SendState::never_sent,
                "concurrent_max of a bulkhead with an adaptive limit is fixed by its options");
  }
  options_.concurrent_max = concurrent_max;
}

std::uint32_t Bulkhead::limit() const noexcept {
  return options_.adaptive.mode == AdaptiveMode::on ? adaptive_.limit() : options_.concurrent_max;
}

Bulkhead::nanoseconds Bulkhead::predicted_wait(Lane lane) const noexcept {
  if (lanes_.is_empty() && in_use_ < limit()) return 0ns;
  return wait_behind(lanes_.ahead_of(lane, lanes_.size(lane) + 1));
}

/// One of `limit()` places becomes free every hold time / limit().
Bulkhead::nanoseconds Bulkhead::wait_behind(std::uint64_t ahead) const noexcept {
  if (holds_ < holds_known) return 0ns;
  auto const wait_ns = static_cast<double>(ahead + 1) * hold_ns_ / limit();
  return nanoseconds(static_cast<std::int64_t>(std::min(wait_ns, longest_wait_ns)));
}

bool Bulkhead::is_too_long(nanoseconds wait, Lane lane, Deadline deadline, time_point now) const noexcept {
  if (deadline.is_never()) return false;
  auto const share = options_.wait_shares[static_cast<std::size_t>(lane)];
  return static_cast<double>(wait.count()) > share * static_cast<double>(deadline.remaining(now).count());
}

/// Gives up the newest waiter of the lowest lane below `lane`.
bool Bulkhead::shed_below(Lane lane) noexcept {
  for (auto const lower : {Lane::low, Lane::normal, Lane::high}) {
    if (lower <= lane) break;
    if (auto* const waiter = lanes_.newest(lower)) {
      drop(*waiter, BulkheadRefusal::shed);
      return true;
    }
  }
  return false;
}

/// Refuses, from the end of each lane, those whose turn has moved too far away; where lower lanes are in the way, those
/// go first. Looks at one waiter per lane beyond those it drops.
void Bulkhead::shed_hopeless(time_point now) noexcept {
  if (holds_ < holds_known) return;
  for (auto const lane : {Lane::low, Lane::normal, Lane::high, Lane::health}) {
    while (auto* const waiter = lanes_.newest(lane)) {
      auto const position = lanes_.size(lane);
      if (!is_too_long(wait_behind(lanes_.ahead_of(lane, position)), lane, waiter->deadline_, now)) break;
      bool const is_hopeless =
          is_too_long(wait_behind(lanes_.ahead_of(lane, position, lane)), lane, waiter->deadline_, now);
      if (is_hopeless || !shed_below(lane)) drop(*waiter, BulkheadRefusal::predicted_wait);
    }
  }
}

void Bulkhead::drop(LaneWaiter& waiter, BulkheadRefusal reason) noexcept {
  lanes_.remove(waiter, waiter.lane_);
  waiter.state_ = LaneWaiter::State::refused;
  waiter.reason_ = reason;
  ++counters_.refused[static_cast<std::size_t>(reason)];
  dropped_.append(waiter);
}

BulkheadEntry Bulkhead::refuse(BulkheadRefusal reason, nanoseconds predicted) noexcept {
  ++counters_.refused[static_cast<std::size_t>(reason)];
  return BulkheadEntry{BulkheadEntry::Kind::refused, {}, reason, predicted};
}

}  // namespace belay::resilience
