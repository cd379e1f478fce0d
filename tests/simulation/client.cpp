#include "client.hpp"

#include <utility>

namespace belay::simulation {

namespace {

using namespace std::chrono_literals;
using namespace belay::resilience;
using pool::Release;
using pool::ReleaseCondition;
using pool::Signal;

}  // namespace

Client::Client(Endpoint& endpoint, std::uint64_t number, Random random)
    : endpoint_(endpoint), number_(number), random_(random), child_(*this) {
  turn_ = [this] {
    endpoint_.timeline.in(within(random_, 5us), [this, call = call_number_] {
      if (call == call_number_) turn_came();
    });
  };
}

void Client::start() {
  endpoint_.timeline.in(within(random_, endpoint_.plan.think_time * 2), [this] {
    if (!is_stopped_) begin_call();
  });
}

std::string Client::describe() const {
  auto text = "client " + std::to_string(number_) + ": state " + std::to_string(static_cast<int>(state_)) + ", at " +
              std::to_string(static_cast<int>(at_)) + ", statements sent " + std::to_string(steps_sent_) +
              ", awaited " + std::to_string(awaited_) + ", second lease " + std::to_string(child_.is_busy());
  if (lease_) {
    text += ", link open " + std::to_string(lease_->link->is_open) + ", session " +
            std::to_string(static_cast<int>(lease_->link->session)) + ", held " + std::to_string(pool_->holds(*lease_));
  }
  return text;
}

void Client::wake_at(time_point at, void (Client::*wakes)()) {
  endpoint_.timeline.at(at, [this, wakes, turn = turn_of_events_] {
    if (turn == turn_of_events_) (this->*wakes)();
  });
}

void Client::cover(CallInput input) {
  endpoint_.coverage.calls.record(static_cast<std::size_t>(at_), static_cast<std::size_t>(input));
}

// ── the call ─────────────────────────────────────────────────────────────────────────────────────────────────────────

void Client::begin_call() {
  auto const& plan = endpoint_.plan;
  ++call_number_;
  ++turn_of_events_;
  auto const kind = random_.uniform();
  is_transaction_ = kind < plan.transactions;
  bool const is_write = is_transaction_ || kind < plan.transactions + plan.writes;
  operation_ = is_write ? 1 : 0;
  is_idempotent_ = !is_write || chance(random_, plan.idempotent);
  alters_session_ = !is_transaction_ && chance(random_, plan.alters_session);
  unit_ = is_write ? endpoint_.server.new_unit() : 0;
  began_ = now();
  conflicts_ = 0;
  was_resent_ = false;
  CallContext context;
  context.idempotent = is_idempotent_ ? Idempotent::yes : Idempotent::no;
  if (!chance(random_, 0.1)) context.deadline = Deadline::at(now() + within(random_, plan.call_deadline * 2));
  deadline_ = context.deadline;
  ++endpoint_.calls;
  call_.emplace(*endpoint_.parts[operation_], context, random_.fork("call" + std::to_string(call_number_)));
  if (chance(random_, endpoint_.hurry)) {
    duration const patience = chance(random_, 0.5) ? 500ms : 20ms;
    endpoint_.timeline.in(within(random_, patience), [this, call = call_number_] {
      if (call == call_number_ && call_) cancel();
    });
  }
  endpoint_.bulkhead.announce(&turn_);
  at_ = CallState::limited;
  handle(call_->begin(now()));
}

void Client::handle(PolicyAction const& action) {
  if (!endpoint_.record.is_clean()) return;
  ++turn_of_events_;
  switch (action.kind) {
    case PolicyAction::Kind::wait_until:
      return wait(call_->attempts() == 0 ? CallState::limited : CallState::pausing, action);
    case PolicyAction::Kind::wait_for_turn: return wait(CallState::queued, action);
    case PolicyAction::Kind::wait_for_breaker:
      endpoint_.waiting_for_breaker[operation_].push_back(this);
      return wait(CallState::at_breaker, action);
    case PolicyAction::Kind::run_attempt: return attempt(action);
    case PolicyAction::Kind::finish: return end_call(true);
    case PolicyAction::Kind::fail: return end_call(false);
  }
}

void Client::wait(CallState at, PolicyAction const& action) {
  state_ = State::waiting;
  at_ = at;
  endpoint_.record.require(!lease_, "R6", "a lease is held during a wait");
  endpoint_.record.require(action.until <= deadline_, "R1", "a wait crosses the deadline");
  if (!action.until.is_never()) wake_at(action.until.at(), &Client::timer);
}

void Client::timer() {
  cover(CallInput::timer);
  endpoint_.bulkhead.announce(&turn_);
  std::erase(endpoint_.waiting_for_breaker[operation_], this);
  handle(call_->timer_fired(now()));
}

void Client::turn_came() {
  if (!call_ || state_ != State::waiting || at_ != CallState::queued) return;
  cover(CallInput::turn);
  handle(call_->turn_came(now()));
}

void Client::breaker_spoke() {
  if (!call_ || state_ != State::waiting || at_ != CallState::at_breaker) return;
  cover(CallInput::news);
  handle(call_->breaker_spoke(now()));
}

void Client::cancel() {
  endpoint_.record.note("cancel", number_, static_cast<std::uint64_t>(state_));
  cover(CallInput::cancelled);
  switch (state_) {
    case State::idle: return;
    case State::waiting:
      std::erase(endpoint_.waiting_for_breaker[operation_], this);
      return handle(call_->cancelled(now()));
    case State::acquiring:
      if (ask_ == nullptr) return;
      pool_->withdraw(*std::exchange(ask_, nullptr));
      return attempt_failed({ErrorClass::cancelled, SendState::never_sent});
    case State::holding: return break_off(ErrorClass::cancelled);
  }
}

void Client::end_call(bool success) {
  auto& record = endpoint_.record;
  ++endpoint_.finished;
  if (!success) ++endpoint_.failed;
  record.note(success ? "success" : "failure", number_, static_cast<std::uint64_t>(call_->failure().error_class));
  record.require(deadline_.is_never() ||
                     now() <= std::max(deadline_.at(), began_) + endpoint_.plan.step * 4 + endpoint_.plan.timers_late,
                 "D1", "a call ended after its deadline");
  duration sum{};
  for (std::size_t i = 0; i < PhaseTimes::phase_count; ++i) sum += call_->phases().spent_in(static_cast<Phase>(i));
  record.require(sum == now() - began_, "D2", "the phases do not add up to the call's time");
  if (deadline_.expired(began_)) record.require(call_->attempts() == 0, "D4", "an expired call was attempted");
  auto const most = 1 + endpoint_.plan.retry.retries_max + 1 + conflicts_;
  record.require(call_->attempts() <= most, "R1", "more attempts than allowed");
  record.require(!lease_ && ask_ == nullptr && !child_.is_busy(), "P4", "a call ended with a lease");
  if (unit_ != 0) {
    endpoint_.told.push_back({unit_, is_idempotent_, success, call_->failure().send_state});
    if (success) {
      auto const effects = endpoint_.server.effects(unit_);
      record.require(effects >= 1, "R4", "a unit was acknowledged and has no effect");
      record.require(is_idempotent_ || effects == 1, "R3", "a unit was executed twice");
    }
  }
  call_.reset();
  state_ = State::idle;
  ++turn_of_events_;
  start();
}

// ── an attempt ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// R2: what the budget must pay for.
void Client::count_attempt(PolicyAction const& action) {
  if (action.attempt == 1) {
    ++endpoint_.firsts;
  } else if (counts_) {
    ++endpoint_.retries;
    endpoint_.check_budget();
  }
}

void Client::attempt(PolicyAction const& action) {
  state_ = State::acquiring;
  at_ = CallState::attempting;
  count_attempt(action);
  if (action.remedy == Remedy::refresh_credentials) endpoint_.gate.gate().credentials_renewed(now());
  attempt_deadline_ = action.until;
  steps_sent_ = 0;
  awaited_ = 0;
  pool_ = endpoint_.pools[random_.below(endpoint_.pools.size())].get();
  pool::LeaseRequest request;
  request.deadline = action.until;
  request.task = number_ + 1;
  request.label = "client";
  if (is_transaction_ || alters_session_ || chance(random_, endpoint_.plan.pinned)) {
    request.kind = chance(random_, 0.05) ? pool::LeaseKind::exclusive : pool::LeaseKind::pinned;
  }
  if (chance(random_, 0.1)) request.lane = pool::Lane::batch;
  if (chance(random_, 0.02)) request.term = pool::LeaseTerm::lasting;
  // The answer may come at once, and with it the next attempt.
  if (auto* const ask = pool_->acquire(*this, request)) ask_ = ask;
}

void Client::turned_away(pool::Refusal, ErrorClass error) {
  ask_ = nullptr;
  attempt_failed({error, SendState::never_sent});
}

void Client::granted(Borrowing const& borrowing) {
  ask_ = nullptr;
  lease_ = borrowing;
  state_ = State::holding;
  ++turn_of_events_;
  if (!attempt_deadline_.is_never()) wake_at(attempt_deadline_.at(), &Client::time_out);
  if (borrowing.grant.reset_first) {
    Request const reset{.kind = Request::Kind::reset,
                        .nonce = endpoint_.server.new_nonce(),
                        .stream = borrowing.grant.stream,
                        .lease = borrowing.tag};
    endpoint_.server.send(*borrowing.link, reset, nullptr);
  }
  if (chance(random_, endpoint_.plan.nested)) return child_.acquire();
  // Some do something else first, with the lease in their hands.
  if (chance(random_, endpoint_.plan.holds_long)) return wake_at(now() + within(random_, 3s), &Client::proceed);
  proceed();
}

void Client::proceed() {
  if (steps_sent_ > 0 || !lease_) return;
  if (child_.is_busy()) return wake_at(now() + 5ms, &Client::proceed);
  send_next();
}

void Client::send_next() {
  using Kind = Request::Kind;
  Request request{.nonce = endpoint_.server.new_nonce(), .stream = lease_->grant.stream, .lease = lease_->tag};
  constexpr std::array transaction{Kind::begin, Kind::write, Kind::commit};
  request.kind = is_transaction_ ? transaction[steps_sent_] : operation_ == 1 ? Kind::write : Kind::read;
  request.unit = unit_;
  request.alters_session = alters_session_;
  bool const is_sent = pool_->holds(*lease_) &&
                       endpoint_.server.send(*lease_->link, request, [this, nonce = request.nonce](Reply const* reply) {
                         replied(nonce, reply);
                       });
  if (!is_sent) {  // nothing of this statement left us; an open transaction is gone
    auto const state = steps_sent_ > 0 ? SendState::refused : SendState::never_sent;
    give_back({ReleaseCondition::broken, Signal::transport});
    return attempt_failed({ErrorClass::transport, state});
  }
  ++steps_sent_;
  awaited_ = request.nonce;
  pool_->statement(*lease_, true);
}

/// What the server may have done when the answer to the last statement does not come.
SendState Client::state_of_loss() const noexcept {
  return is_transaction_ && steps_sent_ < 3 ? SendState::refused : SendState::unknown;
}

void Client::replied(std::uint64_t nonce, Reply const* reply) {
  if (reply == nullptr && awaited_ != nonce) return;  // it gave up at the very moment
  if (!lease_ || awaited_ != nonce) return endpoint_.record.violate("P11", "a reply came to somebody who did not ask");
  awaited_ = 0;
  pool_->statement(*lease_, false);
  if (reply == nullptr) {
    give_back({ReleaseCondition::broken, Signal::transport});
    return attempt_failed({ErrorClass::transport, state_of_loss()});
  }
  if (reply->failure) return step_failed(*reply->failure);
  if (is_transaction_ && steps_sent_ < 3) return send_next();
  give_back({alters_session_ ? ReleaseCondition::session_changed : ReleaseCondition::clean, Signal::nothing});
  attempt_succeeded();
}

void Client::step_failed(Failure const& failure) {
  Release how;
  if (in_transaction()) how.condition = ReleaseCondition::transaction_open;
  if (alters_session_) how.condition = ReleaseCondition::session_changed;
  if (failure.error_class == ErrorClass::role) how.signal = Signal::role;
  if (failure.error_class == ErrorClass::auth) how.signal = Signal::credentials;
  give_back(how);
  attempt_failed(failure);
}

void Client::time_out() { break_off(ErrorClass::timeout_local); }

/// Ends the attempt although the server may still work on it.
void Client::break_off(ErrorClass error) {
  child_.leave();
  if (awaited_ == 0) {  // no statement of ours is under way; the reset before the first one may be
    auto const state = steps_sent_ > 0 ? SendState::refused : SendState::never_sent;
    auto condition = in_transaction() ? ReleaseCondition::transaction_open : ReleaseCondition::clean;
    if (endpoint_.server.awaited(*lease_->link, lease_->grant.stream) > 0) condition = ReleaseCondition::mid_query;
    give_back({condition, Signal::nothing});
    return attempt_failed({error, state});
  }
  auto const state = state_of_loss();
  endpoint_.server.forget(*lease_->link, std::exchange(awaited_, 0));
  give_back({ReleaseCondition::mid_query, Signal::nothing});
  attempt_failed({error, state});
}

void Client::told_to_stop() {
  if (state_ == State::holding && lease_) break_off(ErrorClass::transport);
}

void Client::give_back(Release how) {
  auto const borrowing = *std::exchange(lease_, std::nullopt);
  pool_->release(borrowing, how);
}

void Client::attempt_failed(Failure const& failure) {
  if (!endpoint_.record.is_clean()) return;
  cover(CallInput::failed);
  if (failure.error_class == ErrorClass::conflict) ++conflicts_;
  bool const is_free = failure.error_class == ErrorClass::transport && failure.send_state == SendState::never_sent &&
                       !was_resent_ && endpoint_.plan.retry.resends_unsent;
  if (is_free) was_resent_ = true;
  counts_ = !is_free && failure.error_class != ErrorClass::conflict;
  handle(call_->failed(failure, now()));
}

void Client::attempt_succeeded() {
  if (!endpoint_.record.is_clean()) return;
  cover(CallInput::succeeded);
  handle(call_->succeeded(now()));
}

// ── the second lease ─────────────────────────────────────────────────────────────────────────────────────────────────

void Client::Child::acquire() {
  pool::LeaseRequest request;
  request.deadline = parent_.attempt_deadline_;
  request.task = parent_.number_ + 1;
  request.label = "within";
  if (auto* const ask = parent_.pool_->acquire(*this, request)) ask_ = ask;
  if (ask_ != nullptr) parent_.wake_at(parent_.now() + 5ms, &Client::proceed);
}

void Client::Child::granted(Borrowing const& borrowing) {
  ask_ = nullptr;
  lease_ = borrowing;
  leave();
  if (parent_.lease_) parent_.wake_at(parent_.now() + 1us, &Client::proceed);
}

void Client::Child::turned_away(pool::Refusal, ErrorClass) {
  ask_ = nullptr;
  if (parent_.lease_) parent_.wake_at(parent_.now() + 1us, &Client::proceed);
}

void Client::Child::told_to_stop() { leave(); }

void Client::Child::leave() {
  if (ask_ != nullptr) parent_.pool_->withdraw(*std::exchange(ask_, nullptr));
  if (lease_) {
    auto const borrowing = *std::exchange(lease_, std::nullopt);
    Release how;
    if (borrowing.grant.reset_first) how.condition = ReleaseCondition::session_changed;
    parent_.pool_->release(borrowing, how);
  }
}

}  // namespace belay::simulation
