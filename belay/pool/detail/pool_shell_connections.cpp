#include <utility>

#include "belay/pool/detail/pool_shell.hpp"

// What is done to connections, and what they report.

namespace belay::pool::detail {

namespace asio = boost::asio;

void PoolShell::hand_over(SlotAction const& action) noexcept {
  switch (action.kind) {
    case SlotAction::Kind::warn_leak: return;  // an event of the same moment says it to whom it may concern
    case SlotAction::Kind::connect: return open(action);
    default: break;
  }
  auto const keeper = keeper_of(action.slot);
  if (!keeper) {
    // Its opening is still in the hands of another thread, which will find that nobody wants it.
    bool const closes = action.kind == SlotAction::Kind::close_polite || action.kind == SlotAction::Kind::close_force;
    if (closes) closed_unopened(action.slot);
    return;
  }
  try {
    pass_on(keeper, action);
  } catch (...) {
    not_started(action);
  }
}

/// False when the context is gone, and with it the connection. Throws std::bad_alloc.
void PoolShell::pass_on(std::shared_ptr<ConnectionKeeper> const& keeper, SlotAction const& action) {
  // Posted even on its own executor: whoever returns a lease shall not run the pool's errands, and a chain of failures
  // shall not become a chain of calls.
  keeper->context()->post(keeper->executor(), [keeper, action] { keeper->perform(action); });
}

void PoolShell::open(SlotAction const& action) noexcept {
  try {
    auto const& executor = connection_executors_[action.slot.index % connection_executors_.size()];
    auto& context = context_of(executor);
    std::shared_ptr<ContextLink> link;
    {
      std::lock_guard const lock(mutex_);
      link = find_link(context);
    }
    if (!link) return;  // it is being destroyed
    auto const keeper = std::make_shared<ConnectionKeeper>(shared_from_this(), action.slot, executor, std::move(link));
    {
      std::lock_guard const lock(mutex_);
      auto& place = places_[action.slot.index];
      if (place.closed == action.slot || is_abandoned_) return;
      place.keeper = keeper;
    }
    pass_on(keeper, action);
  } catch (...) {
    not_started(action);
  }
}

std::shared_ptr<ConnectionKeeper> PoolShell::keeper_of(SlotHandle slot) const noexcept {
  std::lock_guard const lock(mutex_);
  auto const& keeper = places_[slot.index].keeper;
  return keeper && keeper->slot() == slot ? keeper : nullptr;
}

void PoolShell::closed_unopened(SlotHandle slot) noexcept {
  Turn turn;
  decide(turn, [&](time_point now) {
    places_[slot.index].closed = slot;
    core_.closed(slot, SessionFate::gone, now, turn.actions);
  });
  perform(turn);
}

void PoolShell::not_started(SlotAction const& action) noexcept {
  switch (action.kind) {
    case SlotAction::Kind::connect: {
      std::shared_ptr<ConnectionKeeper> dismissed;  // outlives the lock
      Turn turn;
      decide(turn, [&](time_point now) {
        auto& place = places_[action.slot.index];
        if (place.keeper && place.keeper->slot() == action.slot) {
          dismissed = std::move(place.keeper);
          dismissed->is_dismissed = true;
        }
        ConnectFailure const failure{out_of_memory_, false, false, SessionFate::gone};
        core_.connect_failed(action.slot, failure, now, turn.actions);
      });
      return perform(turn);
    }
    case SlotAction::Kind::test: return tested(action.slot, Signal::nothing);
    case SlotAction::Kind::reset:
    case SlotAction::Kind::rollback:
    case SlotAction::Kind::quarantine: return cleaned(action.lease, Signal::nothing);
    case SlotAction::Kind::close_polite:
    case SlotAction::Kind::close_force: {
      std::lock_guard const lock(mutex_);
      has_overdue_closes_ = places_[action.slot.index].has_overdue_close = true;
      return;
    }
    case SlotAction::Kind::cancel:     // its phase of the shutdown has an end of its own
    case SlotAction::Kind::warn_leak:  // an event
      return;
  }
}

/// What could not be closed for want of memory. No good-byes any more.
void PoolShell::hand_over_overdue() noexcept {
  std::uint32_t places = 0;
  {
    std::lock_guard const lock(mutex_);
    if (!std::exchange(has_overdue_closes_, false)) return;
    places = static_cast<std::uint32_t>(places_.size());
  }
  for (std::uint32_t i = 0; i < places; ++i) {
    SlotAction action;
    action.kind = SlotAction::Kind::close_force;
    {
      std::lock_guard const lock(mutex_);
      auto& place = places_[i];
      if (!std::exchange(place.has_overdue_close, false)) continue;
      // Its keeper may be gone meanwhile, with a connect that failed: hand_over() then says that it is closed.
      auto const* const slot = core_.slot(i);
      if (slot->state != SlotState::closing) continue;
      action.slot = slot->handle();
    }
    hand_over(action);
  }
}

// Reports.

void PoolShell::signed_in(SlotHandle slot) noexcept {
  Turn turn;
  decide(turn, [&](time_point now) { core_.connected(slot, now, turn.actions); });
  perform(turn);
}

void PoolShell::opened(ConnectionKeeper& keeper) noexcept {
  Turn turn;
  decide(turn, [&](time_point now) { core_.initialised(keeper.slot(), now, turn.actions); });
  perform(turn);
}

void PoolShell::connect_failed(ConnectionKeeper& keeper, ConnectFailure const& failure) noexcept {
  std::shared_ptr<ConnectionKeeper> dismissed;
  Turn turn;
  decide(turn, [&](time_point now) {
    auto& place = places_[keeper.slot().index];
    if (place.keeper.get() == &keeper) dismissed = std::move(place.keeper);
    keeper.is_dismissed = true;
    core_.connect_failed(keeper.slot(), failure, now, turn.actions);
  });
  perform(turn);
}

void PoolShell::tested(SlotHandle slot, std::optional<Signal> failure) noexcept {
  Turn turn;
  decide(turn, [&](time_point now) {
    if (failure) {
      core_.test_failed(slot, *failure, now, turn.actions);
    } else {
      core_.test_passed(slot, now, turn.actions);
    }
  });
  perform(turn);
}

void PoolShell::cleaned(LeaseHandle lease, std::optional<Signal> failure) noexcept {
  Turn turn;
  decide(turn, [&](time_point now) {
    if (failure) {
      core_.clean_up_failed(lease, *failure, now, turn.actions);
    } else {
      core_.cleaned(lease, now, turn.actions);
    }
  });
  perform(turn);
}

void PoolShell::cancel_ended(LeaseHandle lease) noexcept {
  Turn turn;
  decide(turn, [&](time_point now) { core_.cancel_ended(lease, now, turn.actions); });
  perform(turn);
}

void PoolShell::lost(SlotHandle slot, Signal signal) noexcept {
  Turn turn;
  decide(turn, [&](time_point now) { core_.lost(slot, signal, now, turn.actions); });
  perform(turn);
}

void PoolShell::closed(ConnectionKeeper& keeper, SessionFate fate, std::optional<SendState> broken_operation) noexcept {
  std::shared_ptr<ConnectionKeeper> dismissed;
  Turn turn;
  decide(turn, [&](time_point now) {
    auto& place = places_[keeper.slot().index];
    if (broken_operation) {
      place.broken = keeper.slot();
      place.broken_operation = broken_operation;
    }
    if (place.keeper.get() == &keeper) dismissed = std::move(place.keeper);
    keeper.is_dismissed = true;
    core_.closed(keeper.slot(), fate, now, turn.actions);
  });
  perform(turn);
}

}  // namespace belay::pool::detail
