#include <algorithm>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include "belay/core/buggify.hpp"
#include "belay/pool/detail/pool_shell.hpp"

// Time, events, and the end.

namespace belay::pool::detail {

namespace asio = boost::asio;

namespace {

/// A forced close needs this many turns of the executor at most: the action, the cancelled coroutine's end, the report.
constexpr int turns_to_close = 16;

}  // namespace

// The timer.

PoolShell::time_point PoolShell::next_wake() const noexcept {
  if (is_abandoned_.load(std::memory_order_relaxed)) return time_point::max();
  auto next = core_.is_closed() ? time_point::max() : core_.next_timer();
  for (auto* call = closers_.front(); call != nullptr; call = Closers::next(*call)) {
    next = std::min(next, call->deadline_.at());
  }
  return next;
}

void PoolShell::arm() noexcept {
  auto at = time_point::max();
  std::shared_ptr<net::TimeService> time;
  {
    std::lock_guard const lock(mutex_);
    is_arm_posted_ = false;
    at = armed_at_;
    time = time_;
  }
  if (auto const before = std::move(wait_)) before->emit(asio::cancellation_type::terminal);
  wait_.reset();
  if (at == time_point::max() || !time) return;
  if (buggify("pool.timer.early")) at -= (at - std::min(at, time->now())) / 2;
  try {
    wait_ = std::make_shared<asio::cancellation_signal>();
    auto fire = [weak = weak_from_this(), wait = wait_](boost::system::error_code) {
      // One that has been replaced fires too, because it was cancelled, or no longer could be.
      auto const self = weak.lock();
      if (self && self->wait_ == wait) self->wake();
    };
    time->async_wait_until(at, asio::bind_cancellation_slot(wait_->slot(), std::move(fire)));
  } catch (...) {  // no memory: the next input tries again
    wait_.reset();
    std::lock_guard const lock(mutex_);
    armed_at_ = time_point::max();
  }
}

void PoolShell::wake() noexcept {
  wait_.reset();
  Turn turn;
  decide(turn, [&](time_point now) {
    armed_at_ = time_point::max();
    for (auto* call = closers_.front(); call != nullptr; call = Closers::next(*call)) {
      if (call->deadline_.expired(now)) resume_later(*call);
    }
    core_.advance(now, turn.actions);
  });
  perform(turn);
}

void PoolShell::listen_to_gate() {
  if (!on_permission_changed_) return;
  auto registration = on_permission_changed_([weak = weak_from_this()] {
    auto const self = weak.lock();
    if (!self || self->is_permission_news_posted_.exchange(true)) return;
    bool is_posted = false;
    try {
      is_posted = self->context_->post(self->executor_, [self] {
        self->is_permission_news_posted_ = false;
        self->input([](PoolCore& core, time_point now, Actions& actions) { core.permission_changed(now, actions); });
      });
    } catch (...) {  // every input asks the gate again
    }
    if (!is_posted) self->is_permission_news_posted_ = false;
  });
  std::lock_guard const lock(mutex_);
  registration_ = std::move(registration);
}

// Events.

void PoolShell::on_event(EventHandler handler) {
  auto shared = handler ? std::make_shared<EventHandler const>(std::move(handler)) : nullptr;
  std::shared_ptr<EventHandler const> before;  // outlives the lock
  Turn turn;
  decide(turn, [&](time_point) { before = std::exchange(event_handler_, std::move(shared)); });
  perform(turn);
}

/// With the lock held.
bool PoolShell::must_deliver() const noexcept {
  bool const is_ending = core_.is_closed() && !is_drained_;
  return event_handler_ != nullptr || is_ending;
}

void PoolShell::deliver_events() {
  struct Delivery {
    explicit Delivery(PoolShell& pool) noexcept : shell(pool) {}
    Delivery(Delivery const&) = delete;
    Delivery& operator=(Delivery const&) = delete;
    ~Delivery() {
      Turn turn;
      shell.decide(turn, [&](time_point) {
        shell.is_delivery_posted_ = false;
        turn.may_have_events = !is_complete;  // what an interrupted one has left is told by the next
        if (!shell.core_.is_closed() || !is_complete) return;
        shell.is_drained_ = true;
        for (auto* call = shell.closers_.front(); call != nullptr; call = Closers::next(*call)) {
          shell.resume_later(*call);
        }
      });
      shell.perform(turn);
    }
    PoolShell& shell;
    bool is_complete = false;
  };

  Delivery delivery(*this);
  for (;;) {
    std::optional<PoolEvent> event;
    std::shared_ptr<EventHandler const> handler;
    bool is_closing = false;
    {
      std::lock_guard const lock(mutex_);
      event = core_.next_event();
      handler = event_handler_;
      is_closing = close_began_at_ <= last_now_;
    }
    if (!event) break;
    if (is_closing && event->kind == PoolEvent::Kind::lease_revoked && event->at >= close_began_at_) {
      note_revoked(*event);
    }
    if (handler) (*handler)(*event);
  }
  delivery.is_complete = true;
}

void PoolShell::note_revoked(PoolEvent const& event) {
  DrainResult::Abandoned abandoned;
  abandoned.label = event.label;
  abandoned.where = event.where;
  abandoned.held = event.duration;
  abandoned.slot = event.slot;
  std::lock_guard const lock(drain_mutex_);
  revoked_.push_back(abandoned);
}

// The end.

asio::awaitable<DrainResult> PoolShell::close(std::shared_ptr<PoolShell> self, Deadline deadline,
                                              WaitersAtClose policy) {
  self->input([&](PoolCore& core, time_point now, Actions& actions) {
    self->close_began_at_ = std::min(self->close_began_at_, now);
    core.close(policy, now, actions);
  });
  CloseCall call(self, deadline);
  auto const executor = co_await asio::this_coro::executor;
  call.prepare(executor);
  auto outcome = call.look();
  while (outcome == CloseCall::Outcome::must_wait) {
    co_await call.wait();
    outcome = call.look();
  }
  if (outcome == CloseCall::Outcome::deadline_passed) {
    self->close_hard();
    for (int turn = 0; turn < turns_to_close && outcome != CloseCall::Outcome::closed; ++turn) {
      co_await asio::post(executor, asio::deferred);
      outcome = call.look();
    }
  }
  co_return self->drain_result();
}

CloseCall::Outcome PoolShell::look(CloseCall& call) {
  Turn turn;
  auto outcome = CloseCall::Outcome::must_wait;
  decide(turn, [&](time_point now) {
    if (!std::exchange(call.is_in_pool_, true)) closers_.push_back(call);
    if (is_drained_ || is_abandoned_) {
      outcome = CloseCall::Outcome::closed;
    } else if (call.deadline_.expired(now)) {
      outcome = CloseCall::Outcome::deadline_passed;
    }
  });
  perform(turn);
  if (outcome != CloseCall::Outcome::closed && call.is_cancelled_) {
    throw Error(ErrorClass::cancelled, SendState::never_sent, "cancelled by the caller, the pool goes on closing");
  }
  return outcome;
}

void PoolShell::leave(CloseCall& call) noexcept {
  std::lock_guard const lock(mutex_);
  closers_.remove(call);
  forget(call);
}

void PoolShell::close_hard() noexcept {
  auto const self = shared_from_this();
  Turn turn;
  decide(turn, [&](time_point now) {
    if (core_.is_closed()) return;
    close_began_at_ = std::min(close_began_at_, now);
    core_.close(WaitersAtClose::fail, now, turn.actions);
    for (std::uint32_t i = 0; i < places_.size(); ++i) {
      auto const* const slot = core_.slot(i);
      if (slot != nullptr) core_.lost(slot->handle(), Signal::nothing, now, turn.actions);
    }
    turn_away_waiters(now, turn.actions);
    // Those that are saying good-bye are interrupted.
    for (auto& place : places_) has_overdue_closes_ = place.has_overdue_close = true;
  });
  perform(turn);
}

/// With the lock held: those who were to be served before the end are not.
void PoolShell::turn_away_waiters(time_point now, Actions& actions) noexcept {
  while (auto* const waiter = core_.waiters().head()) {
    auto& call = *static_cast<AcquireCall*>(waiter->owner);
    call.is_turned_away_ = true;
    if (withdraw(call, now, actions)) resume_later(call);
  }
}

DrainResult PoolShell::drain_result() const {
  DrainResult result;
  {
    std::lock_guard const lock(drain_mutex_);
    result.abandoned = revoked_;
  }
  std::lock_guard const lock(mutex_);
  auto const& drain = core_.drain();
  result.waiters_failed = drain.waiters_failed;
  result.connections_forced = drain.connections_forced;
  result.connections_abandoned = drain.connections_abandoned;
  for (auto const& place : places_) {
    if (place.keeper && !core_.is_closed()) ++result.connections_abandoned;
  }
  for (auto& abandoned : result.abandoned) {
    auto const& place = places_[abandoned.slot.index];
    if (place.broken == abandoned.slot) abandoned.operation = place.broken_operation;
  }
  return result;
}

void PoolShell::context_gone(asio::execution_context const& context) noexcept {
  auto const self = shared_from_this();
  std::vector<std::shared_ptr<ContextLink>> gone;
  {
    std::lock_guard const lock(mutex_);
    auto const first = std::stable_partition(links_.begin(), links_.end(),
                                             [&](auto const& link) { return link->context() != &context; });
    gone.assign(std::make_move_iterator(first), std::make_move_iterator(links_.end()));
    links_.erase(first, links_.end());
  }
  for (auto const& link : gone) link->cut();
  destroy_parked(context);
  bool is_own = false;
  for (auto const& executor : connection_executors_) is_own = is_own || &context_of(executor) == &context;
  bool const is_mine = context_->context() == &context;
  if (is_own || is_mine) abandon(context, is_mine);
}

/// The frames of callers in a context that ends, on the thread that ends it; each takes its call out of the pool.
void PoolShell::destroy_parked(asio::execution_context const& context) noexcept {
  auto const first_lost = [&]() -> ParkedCall* {
    for (auto const* calls : {&parked_, &to_resume_, &posted_}) {
      for (auto* call = calls->front(); call != nullptr; call = Calls::next(*call)) {
        bool const is_lost = call->handler_ && call->context_->context() == &context && call->context_->is_cut();
        if (is_lost) return call;
      }
    }
    return nullptr;
  };
  for (;;) {
    std::optional<ParkedCall::Handler> handler;  // outlives the lock
    std::lock_guard const lock(mutex_);
    auto* const call = first_lost();
    if (call == nullptr) return;
    forget(*call);
    handler.emplace(std::move(*call->handler_));
    call->handler_.reset();
  }
}

/// A context of the pool's is gone, and with it the connections that live there: the pool ends by force.
void PoolShell::abandon(asio::execution_context const& context, bool is_timer_gone) noexcept {
  close_hard();
  std::shared_ptr<net::TimeService> time;  // these outlive the lock
  PoolEnvironment::Registration registration;
  std::shared_ptr<asio::cancellation_signal> wait;
  if (is_timer_gone) {
    Turn turn;
    decide(turn, [&](time_point) {
      is_abandoned_ = true;
      time = std::move(time_);
      registration = std::move(registration_);
      for (auto* call = closers_.front(); call != nullptr; call = Closers::next(*call)) resume_later(*call);
    });
    wait = std::move(wait_);
    perform(turn);
  }
  for (std::size_t i = 0;; ++i) {
    std::shared_ptr<ConnectionKeeper> dismissed;
    Turn turn;
    bool is_last = false;
    decide(turn, [&](time_point now) {
      if (is_last = i >= places_.size(); is_last) return;
      auto& keeper = places_[i].keeper;
      if (!keeper || keeper->context()->context() != &context) return;
      dismissed = std::move(keeper);
      dismissed->is_dismissed = true;
      core_.closed(dismissed->slot(), SessionFate::unknown, now, turn.actions);
    });
    perform(turn);
    if (is_last) return;
  }
}

}  // namespace belay::pool::detail
