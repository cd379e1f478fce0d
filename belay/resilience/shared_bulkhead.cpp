#include "belay/resilience/shared_bulkhead.hpp"

#include <array>
#include <cstddef>

namespace belay::resilience {

namespace {

/// A call that was repeated held its place through its pauses: that says nothing about the server.
HoldOutcome outcome_of(CallEnd const& end) noexcept {
  if (end.failure == ErrorClass::overload) return HoldOutcome::overloaded;
  return end.failure || end.attempts != 1 ? HoldOutcome::ignored : HoldOutcome::done;
}

}  // namespace

BulkheadAnswer SharedBulkhead::enter(Ticket& ticket, Lane lane, Deadline deadline, time_point now) noexcept {
  std::unique_lock lock(mutex_);
  auto const entry = bulkhead_.enter(ticket, lane, deadline, now);
  switch (entry.kind) {
    case BulkheadEntry::Kind::admitted: ticket.permit = entry.permit; return {};
    case BulkheadEntry::Kind::queued:
      tell_those_next(lock, now);  // a call of a lower lane may have been given up for this one
      return {.kind = BulkheadAnswer::Kind::queued, .retry_after = entry.predicted_wait};
    case BulkheadEntry::Kind::refused: break;
  }
  tell_those_next(lock, now);
  return {.kind = BulkheadAnswer::Kind::refused, .retry_after = entry.predicted_wait};
}

bool SharedBulkhead::await_turn(Ticket& ticket, std::shared_ptr<Waker> waker) noexcept {
  std::lock_guard const lock(mutex_);
  if (ticket.state() != LaneWaiter::State::queued) return false;
  ticket.waker = std::move(waker);
  return true;
}

BulkheadAnswer SharedBulkhead::accept(Ticket& ticket, time_point now) noexcept {
  std::lock_guard const lock(mutex_);
  if (auto const permit = bulkhead_.accept(ticket, now)) {
    ticket.permit = *permit;
    return {};
  }
  bool const is_queued = ticket.state() == LaneWaiter::State::queued;
  return {.kind = is_queued ? BulkheadAnswer::Kind::queued : BulkheadAnswer::Kind::refused};
}

void SharedBulkhead::withdraw(Ticket& ticket, time_point now) noexcept {
  std::unique_lock lock(mutex_);
  bulkhead_.withdraw(ticket);
  tell_those_next(lock, now);
}

void SharedBulkhead::leave(Ticket& ticket, CallEnd const& end, time_point now) noexcept {
  std::unique_lock lock(mutex_);
  bulkhead_.leave(ticket.permit, outcome_of(end), now);
  tell_those_next(lock, now);
}

void SharedBulkhead::set_concurrent_max(std::uint32_t most, time_point now) {
  std::unique_lock lock(mutex_);
  bulkhead_.set_concurrent_max(most);
  tell_those_next(lock, now);
}

SharedBulkhead::Snapshot SharedBulkhead::snapshot() const {
  std::lock_guard const lock(mutex_);
  return {bulkhead_.limit(), bulkhead_.in_use(), bulkhead_.waiting(), bulkhead_.counters()};
}

/// Ends with the lock released or held; nothing may follow that needs it.
void SharedBulkhead::tell_those_next(std::unique_lock<std::mutex>& lock, time_point now) noexcept {
  auto* next = bulkhead_.next(now);
  while (next) {
    // In batches on the stack. Once unlocked a ticket may be gone: only its waker is kept.
    std::array<std::shared_ptr<Waker>, 8> wakers;
    std::size_t count = 0;
    while (next) {
      wakers[count++] = std::move(static_cast<Ticket*>(next)->waker);
      if (count == wakers.size()) break;
      next = bulkhead_.next(now);
    }
    lock.unlock();
    for (std::size_t i = 0; i < count; ++i) {
      if (wakers[i]) wakers[i]->wake();
    }
    if (!next) return;
    lock.lock();
    next = bulkhead_.next(now);
  }
}

}  // namespace belay::resilience
