#include "belay/resilience/shared_breaker.hpp"

#include <algorithm>

namespace belay::resilience {

namespace {

/// Whether an answer was slow is seen from how long it took.
BreakerVerdict verdict_of(BreakerSignal signal) noexcept {
  switch (signal) {  // no default: the compiler reports a missing enumerator
    case BreakerSignal::success:
    case BreakerSignal::slow_answer: return BreakerVerdict::success;
    case BreakerSignal::failure: return BreakerVerdict::failure;
    case BreakerSignal::slow_failure: return BreakerVerdict::slow;
    case BreakerSignal::ignored: return BreakerVerdict::ignored;
  }
  return BreakerVerdict::ignored;
}

}  // namespace

BreakerAnswer<SharedBreaker::Permit, SharedBreaker::Wait> SharedBreaker::try_enter(time_point now,
                                                                                   Deadline deadline) noexcept {
  std::unique_lock lock(mutex_);
  auto const admission = breaker_.try_enter(now, deadline);
  BreakerAnswer<Permit, Wait> answer;
  if (admission) {
    answer.permit = Permit{admission.permit, now};
  } else {
    if (admission.wait) answer.wait = Wait{admission.wait, news_};
    if (admission.retry_after != BreakerAdmission::unknown) answer.retry_after = admission.retry_after;
  }
  unlock_and_tell(lock);
  return answer;
}

void SharedBreaker::record(Permit const& permit, BreakerSignal signal, time_point now) noexcept {
  std::unique_lock lock(mutex_);
  breaker_.record(permit.permit, verdict_of(signal), now, now - permit.since);
  unlock_and_tell(lock);
}

bool SharedBreaker::await_news(Wait const& wait, std::shared_ptr<Waker> waker) {
  std::lock_guard const lock(mutex_);
  if (wait.news != news_) return false;
  if (std::find(wakers_.begin(), wakers_.end(), waker) == wakers_.end()) wakers_.push_back(std::move(waker));
  return true;
}

void SharedBreaker::stop_waiting(Wait const& wait, Waker const* waker) noexcept {
  std::lock_guard const lock(mutex_);
  breaker_.stop_waiting(wait.wait);
  auto const found =
      std::find_if(wakers_.begin(), wakers_.end(), [waker](auto const& known) { return known.get() == waker; });
  if (found != wakers_.end()) wakers_.erase(found);
}

std::optional<SharedBreaker::nanoseconds> SharedBreaker::refuse_if_open(time_point now) noexcept {
  auto const until = refuses_until_.load(std::memory_order_acquire);
  if (now.time_since_epoch().count() >= until) return std::nullopt;
  refused_unlocked_.fetch_add(1, std::memory_order_relaxed);
  if (until == time_point::max().time_since_epoch().count()) return nanoseconds::zero();
  return time_point(time_point::duration(until)) - now;
}

void SharedBreaker::advance(time_point now) noexcept {
  std::unique_lock lock(mutex_);
  breaker_.advance(now);
  unlock_and_tell(lock);
}

SharedBreaker::time_point SharedBreaker::next_event() const noexcept {
  std::lock_guard const lock(mutex_);
  return breaker_.next_event();
}

bool SharedBreaker::endpoint_recovered(time_point now) noexcept {
  std::unique_lock lock(mutex_);
  bool const is_half_open = breaker_.endpoint_recovered(now);
  unlock_and_tell(lock);
  return is_half_open;
}

void SharedBreaker::force_open(time_point now) noexcept {
  std::unique_lock lock(mutex_);
  breaker_.force_open(now);
  unlock_and_tell(lock);
}

void SharedBreaker::force_closed(time_point now) noexcept {
  std::unique_lock lock(mutex_);
  breaker_.force_closed(now);
  unlock_and_tell(lock);
}

void SharedBreaker::release(time_point now) noexcept {
  std::unique_lock lock(mutex_);
  breaker_.release(now);
  unlock_and_tell(lock);
}

void SharedBreaker::set_mode(BreakerMode mode) noexcept {
  std::lock_guard const lock(mutex_);
  breaker_.set_mode(mode);
  show_refusal();
}

BreakerState SharedBreaker::state() const noexcept {
  std::lock_guard const lock(mutex_);
  return breaker_.state();
}

std::uint32_t SharedBreaker::probes() const noexcept {
  std::lock_guard const lock(mutex_);
  return breaker_.probes();
}

std::uint32_t SharedBreaker::waiting() const noexcept {
  std::lock_guard const lock(mutex_);
  return breaker_.waiting();
}

BreakerSnapshot SharedBreaker::snapshot(time_point now) noexcept {
  std::lock_guard const lock(mutex_);
  auto snapshot = breaker_.snapshot(now);
  snapshot.counters.refused += refused_unlocked_.load(std::memory_order_relaxed);
  return snapshot;
}

SharedBreaker::ListenerId SharedBreaker::add_listener(Listener listener) {
  std::lock_guard const lock(mutex_);
  auto changed = std::make_shared<Listeners>(*listeners_);
  auto const id = ++last_id_;
  changed->emplace_back(id, std::move(listener));
  listeners_ = std::move(changed);
  return id;
}

void SharedBreaker::remove_listener(ListenerId id) {
  std::shared_ptr<Listeners const> removed;  // destroyed after unlocking: a listener may own anything
  std::lock_guard const lock(mutex_);
  auto changed = std::make_shared<Listeners>(*listeners_);
  std::erase_if(*changed, [id](auto const& entry) { return entry.first == id; });
  removed = std::exchange(listeners_, std::move(changed));
}

/// What is_open() sees. In shadow mode nobody is refused, so the retry layer must not take it for open either.
void SharedBreaker::show_refusal() noexcept {
  auto until = time_point::min();
  if (breaker_.mode() == BreakerMode::enforcing) {
    if (breaker_.state() == BreakerState::open) until = breaker_.open_until();
    if (breaker_.state() == BreakerState::forced_open) until = time_point::max();
  }
  refuses_until_.store(until.time_since_epoch().count(), std::memory_order_release);
}

void SharedBreaker::unlock_and_tell(std::unique_lock<std::mutex>& lock) noexcept {
  if (!breaker_.has_events()) return;
  ++news_;
  show_refusal();
  auto const woken = std::exchange(wakers_, {});
  if (is_telling_) {  // that thread tells this event too, after those before it
    lock.unlock();
  } else {
    is_telling_ = true;
    while (auto const event = breaker_.next()) {
      auto const told = listeners_;
      lock.unlock();
      for (auto const& [id, listener] : *told) listener(*event);
      lock.lock();
    }
    is_telling_ = false;
    lock.unlock();
  }
  for (auto const& waker : woken) waker->wake();
}

}  // namespace belay::resilience
