#include <new>
#include <optional>
#include <utility>

#include "belay/pool/detail/pool_shell.hpp"

// Those who want a connection, and those who bring one back.

namespace belay::pool::detail {

namespace asio = boost::asio;

namespace {

Error cancelled_by_the_caller() {
  return {ErrorClass::cancelled, SendState::never_sent, "cancelled by the caller, who waited for a connection"};
}

/// Whether later would be no better than now.
bool is_final(Refusal refusal) noexcept {
  return refusal == Refusal::closed || refusal == Refusal::endpoint_down || refusal == Refusal::connect_failed;
}

}  // namespace

bool PoolShell::acquire(AcquireCall& call) {
  Turn turn;
  std::optional<Error> failure;
  bool is_granted = false;
  decide(turn, [&](time_point now) {
    auto const result = core_.acquire(call.waiter_, now, turn.actions);
    is_granted = conclude(call, result, failure, now);
    turn.may_have_events = !is_granted || !turn.actions.empty();
  });
  perform(turn);
  if (failure) throw *std::move(failure);
  return is_granted;
}

bool PoolShell::accept(AcquireCall& call) {
  Turn turn;
  std::optional<Error> failure;
  bool is_granted = false;
  decide(turn, [&](time_point now) {
    auto const result = core_.accept(call.waiter_, now, turn.actions);
    is_granted = conclude(call, result, failure, now);
  });
  perform(turn);
  if (failure) throw *std::move(failure);
  return is_granted;
}

bool PoolShell::try_acquire(AcquireCall& call) {
  Turn turn;
  std::optional<Error> failure;
  bool is_granted = false;
  decide(turn, [&](time_point now) {
    auto const result = core_.acquire(call.waiter_, now, turn.actions);
    if (result.outcome == Acquired::Outcome::waiting) {
      core_.withdraw(call.waiter_, now, turn.actions);
    } else if (result.outcome == Acquired::Outcome::granted || is_final(call.waiter_.refusal())) {
      is_granted = conclude(call, result, failure, now);
    }
  });
  perform(turn);
  if (failure) throw *std::move(failure);
  return is_granted;
}

/// With the lock held: what the core's answer means for the call. True when it has its lease.
bool PoolShell::conclude(AcquireCall& call, Acquired const& result, std::optional<Error>& failure,
                         time_point now) noexcept {
  call.is_in_pool_ = result.outcome == Acquired::Outcome::waiting;
  if (!call.is_in_pool_) forget(call);
  switch (result.outcome) {  // no default: the compiler reports a missing enumerator
    case Acquired::Outcome::granted: {
      auto const& keeper = places_[result.grant.slot.index].keeper;
      call.token_ = {keeper, keeper->connection(), result.grant};
      return true;
    }
    case Acquired::Outcome::waiting: return false;
    case Acquired::Outcome::failed: break;
  }
  failure.emplace(failure_of(call, now));
  return false;
}

Error PoolShell::failure_of(AcquireCall const& call, time_point now) noexcept {
  try {
    if (call.is_turned_away_) return {ErrorClass::request, SendState::never_sent, "the pool is closed"};
    if (call.waiter_.state() == WaiterState::withdrawn) return cancelled_by_the_caller();
    return core_.error_for(call.waiter_, now);
  } catch (std::bad_alloc const&) {
    return out_of_memory_;
  }
}

/// By the caller's cancellation or the pool's end, with the lock held. True when nobody is on the way to resume it.
bool PoolShell::withdraw(AcquireCall& call, time_point now, Actions& actions) noexcept {
  core_.withdraw(call.waiter_, now, actions);
  return !call.waiter_.is_resuming();
}

/// Its frame is destroyed while it waits, or is about to be resumed.
void PoolShell::leave(AcquireCall& call) noexcept {
  Turn turn;
  decide(turn, [&](time_point now) {
    core_.withdraw(call.waiter_, now, turn.actions);
    // Even if it refuses, it is done with the waiter.
    if (call.waiter_.is_resuming()) core_.accept(call.waiter_, now, turn.actions);
    adopt_resumptions(turn.actions);
    forget(call);
  });
  perform(turn);
}

void PoolShell::release(LeaseToken& token, Release how) noexcept {
  Turn turn;
  bool is_dismissed = false;
  decide(turn, [&](time_point now) {
    core_.release(token.grant.lease, how, now, turn.actions);
    is_dismissed = token.keeper->is_dismissed;
    turn.may_have_events = !turn.actions.empty();
  });
  perform(turn);
  if (!is_dismissed) return token.keeper.reset();
  // Perhaps the last to hold the connection, which dies where it lived.
  try {
    auto const context = token.keeper->context();
    auto const executor = token.keeper->executor();
    context->post(executor, [keeper = std::move(token.keeper)] {});
  } catch (...) {  // then here; it is closed already
  }
  token.keeper.reset();
}

bool PoolShell::holds(LeaseHandle lease) const noexcept {
  std::lock_guard const lock(mutex_);
  return core_.holds(lease);
}

void PoolShell::statement_started(LeaseHandle lease, std::string_view digest) noexcept {
  auto const now = read_clock();
  std::lock_guard const lock(mutex_);
  core_.statement_started(lease, digest, std::max(last_now_, now));
}

void PoolShell::statement_ended(LeaseHandle lease) noexcept {
  auto const now = read_clock();
  std::lock_guard const lock(mutex_);
  core_.statement_ended(lease, std::max(last_now_, now));
}

// Waiting.

void PoolShell::prepare(ParkedCall& call, asio::any_io_executor executor) {
  auto& context = context_of(executor);
  call.executor_ = std::move(executor);
  {
    std::lock_guard const lock(mutex_);
    call.context_ = find_link(context);
  }
  if (call.context_) return;
  auto link = std::make_shared<ContextLink>(context, weak_from_this());
  std::lock_guard const lock(mutex_);
  call.context_ = link;
  // Another caller of the context may have been as fast; both links are cut at its end.
  links_.push_back(std::move(link));
}

void PoolShell::park(ParkedCall& call, ParkedCall::Handler handler) {
  auto const self = shared_from_this();  // the call holds it, and may be resumed and gone as soon as it is parked
  Turn turn;
  decide(turn, [&](time_point) {
    call.handler_.emplace(std::move(handler));
    if (call.place_ != ParkedCall::Place::nowhere) return;  // it is about to be resumed
    if (std::exchange(call.is_woken_, false)) return resume_later(call);
    parked_.push_back(call);
    call.place_ = ParkedCall::Place::parked;
  });
  perform(turn);
}

void PoolShell::cancel(ParkedCall& call) noexcept {
  auto const self = shared_from_this();  // the call holds it, and may go as soon as it is resumed
  Turn turn;
  decide(turn, [&](time_point now) {
    call.is_cancelled_ = true;
    bool const must_resume = call.cancel(now, turn.actions);
    adopt_resumptions(turn.actions);
    if (must_resume) resume_later(call);
  });
  perform(turn);
}

/// With the lock held, like all below but resume_callers().
void PoolShell::adopt_resumptions(Actions& actions) noexcept {
  for (auto* waiter = actions.resume; waiter != nullptr;) {
    auto& call = *static_cast<AcquireCall*>(waiter->owner);
    waiter = waiter->next_to_resume();
    resume_later(call);
  }
  actions.resume = actions.last_to_resume = nullptr;
}

void PoolShell::resume_later(ParkedCall& call) noexcept {
  if (call.place_ == ParkedCall::Place::resuming || call.place_ == ParkedCall::Place::posted) return;
  forget(call);
  to_resume_.push_back(call);
  call.place_ = ParkedCall::Place::resuming;
}

void PoolShell::forget(ParkedCall& call) noexcept {
  switch (std::exchange(call.place_, ParkedCall::Place::nowhere)) {
    case ParkedCall::Place::nowhere: return;
    case ParkedCall::Place::parked: return parked_.remove(call);
    case ParkedCall::Place::resuming: return to_resume_.remove(call);
    case ParkedCall::Place::posted: return posted_.remove(call);
  }
}

/// In their order, one after the other, without the lock: their executors' locks are taken. A call keeps its handler
/// until it runs, so that one that cannot be posted for want of memory is none the worse: the next input tries again.
void PoolShell::resume_callers() noexcept {
  for (;;) {
    ParkedCall* call = nullptr;
    std::shared_ptr<ContextLink> context;
    asio::any_io_executor executor;
    {
      std::lock_guard const lock(mutex_);
      call = to_resume_.front();
      if (call == nullptr) {
        is_resuming_ = false;
        return;
      }
      forget(*call);
      if (!call->handler_) {
        call->is_woken_ = true;  // it does not wait yet
        continue;
      }
      posted_.push_back(*call);
      call->place_ = ParkedCall::Place::posted;
      context = call->context_;
      executor = call->executor_;
    }
    try {
      // Nothing but the end of its context ends a call that waits. That drops this function as well, or refuses it:
      // then context_gone() finds the call among those that are posted.
      context->post(executor, [this, call] { resume(*call); });
    } catch (...) {
      std::lock_guard const lock(mutex_);
      is_resuming_ = false;
      auto* posted = posted_.front();  // unless its context has ended meanwhile, and it with that
      while (posted != nullptr && posted != call) posted = Calls::next(*posted);
      if (posted == nullptr) return;
      forget(*call);
      to_resume_.push_front(*call);
      call->place_ = ParkedCall::Place::resuming;
      return;
    }
  }
}

/// On the caller's executor. The call holds the pool until then.
void PoolShell::resume(ParkedCall& call) {
  std::optional<ParkedCall::Handler> handler;
  {
    std::lock_guard const lock(mutex_);
    forget(call);
    handler.emplace(std::move(*call.handler_));
    call.handler_.reset();
  }
  std::move (*handler)();
}

}  // namespace belay::pool::detail
