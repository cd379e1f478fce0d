#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "belay/core/deadline.hpp"
#include "belay/resilience/bulkhead.hpp"
#include "belay/resilience/policy_gates.hpp"
#include "belay/resilience/waker.hpp"

namespace belay::resilience {

/// A Bulkhead that calls on several threads use at once, and that wakes whoever has waited.
///
/// Thread-safe: one mutex, held for the decision only; wakers are called after it is released.
class SharedBulkhead {
 public:
  using time_point = Deadline::time_point;

  /// One call's place in the queue and later its place inside. It lies still until it has left or withdrawn.
  struct Ticket final : LaneWaiter {
    Ticket() = default;  // no aggregate: its base is not for everyone to destroy
    BulkheadPermit permit;
    std::shared_ptr<Waker> waker{};
  };

  struct Snapshot {
    std::uint32_t limit = 0;    ///< places that may be in use now
    std::uint32_t in_use = 0;   ///< offered ones included
    std::uint32_t waiting = 0;  ///< in all lanes
    Bulkhead::Counters counters;
  };

  /// Throws Error(request) that names an option out of its range.
  SharedBulkhead(BulkheadOptions const& options, time_point now) : bulkhead_(options, now) {}

  [[nodiscard]] BulkheadAnswer enter(Ticket&, Lane, Deadline, time_point now) noexcept;
  /// The waker of one who was queued, called when his turn has come or he has been given up. False when that has
  /// happened already: look at once.
  [[nodiscard]] bool await_turn(Ticket&, std::shared_ptr<Waker>) noexcept;
  [[nodiscard]] BulkheadAnswer accept(Ticket&, time_point now) noexcept;
  void withdraw(Ticket&, time_point now) noexcept;
  void leave(Ticket&, CallEnd const&, time_point now) noexcept;

  /// As Bulkhead's.
  void set_concurrent_max(std::uint32_t, time_point now);
  Snapshot snapshot() const;

 private:
  void tell_those_next(std::unique_lock<std::mutex>&, time_point now) noexcept;

  mutable std::mutex mutex_;
  Bulkhead bulkhead_;
};

/// One call's way through a SharedBulkhead, in a lane: what PolicyCall wants. Null: no bulkhead.
class BulkheadEntrance {
 public:
  using Ticket = SharedBulkhead::Ticket;

  BulkheadEntrance(SharedBulkhead* bulkhead, Lane lane) noexcept : bulkhead_(bulkhead), lane_(lane) {}

  BulkheadAnswer enter(Ticket& ticket, Deadline::time_point now, Deadline deadline) noexcept {
    if (!bulkhead_) return {};
    ticket_ = &ticket;
    return bulkhead_->enter(ticket, lane_, deadline, now);
  }
  BulkheadAnswer accept(Ticket& ticket, Deadline::time_point now) noexcept { return bulkhead_->accept(ticket, now); }
  void withdraw(Ticket& ticket, Deadline::time_point now) noexcept { bulkhead_->withdraw(ticket, now); }
  void leave(Ticket& ticket, CallEnd const& end, Deadline::time_point now) noexcept {
    if (bulkhead_) bulkhead_->leave(ticket, end, now);
  }
  /// After enter() or accept() said `queued`.
  [[nodiscard]] bool await_turn(std::shared_ptr<Waker> waker) noexcept {
    return bulkhead_->await_turn(*ticket_, std::move(waker));
  }

 private:
  SharedBulkhead* bulkhead_;
  Lane lane_;
  Ticket* ticket_ = nullptr;
};

static_assert(BulkheadGate<BulkheadEntrance>);

}  // namespace belay::resilience
