#include "belay/pool/detail/policy_run.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include "belay/net/time_service.hpp"
#include "belay/pool/detail/call_wait.hpp"
#include "belay/resilience/policy_failure.hpp"

namespace belay::pool::detail {

namespace asio = boost::asio;
using resilience::PolicyAction;
using resilience::RefusedBy;

Deadline::time_point turn_away_if_open(PolicyState& state, CallOptions const& options) {
  auto const now = state.now();
  auto& members = state.of(options.operation);
  if (!members.breaker || !members.breaker->is_open(now) || options.context.deadline.expired(now)) return now;
  auto const retry_after = members.breaker->refuse_if_open(now);
  if (!retry_after) return now;  // closed meanwhile
  resilience::PolicyFailure failure;
  failure.error_class = ErrorClass::capacity;
  failure.refused_by = RefusedBy::circuit_breaker;
  if (retry_after->count() > 0) failure.retry_after = retry_after;
  count(members.counters.calls);
  count(members.counters.failures_by_class, failure.error_class);
  count(members.counters.refusals_by_layer, failure.refused_by);
  if (auto const& on_refusal = state.environment.hooks.on_refusal) {
    on_refusal(CallRefusal{options.operation, failure.refused_by, failure.retry_after});
  }
  throw resilience::to_error(failure, nullptr);
}

PolicyRun::PolicyRun(std::shared_ptr<PolicyState> state, CallOptions const& options, time_point now)
    : state_(std::move(state)),
      class_(state_->of(options.operation)),
      limiter_(state_->limiter.get()),
      bulkhead_(state_->bulkhead.get(), options.lane),
      breaker_(class_.breaker.get()),
      parts_{class_.retry, state_->budget.get(), limiter_, bulkhead_, breaker_, class_.call},
      call_(parts_, options.context, state_->random_of_call()) {
  attempt_.operation = options.operation;
  count(class_.counters.calls);
  go_on_with(call_.begin(now));
}

PolicyRun::~PolicyRun() {
  if (!is_over_) go_on_with(call_.cancelled(now()));
  if (wait_) wait_->abandon();
}

bool PolicyRun::goes_on(bool is_cancelled_by_caller) {
  // Asio would throw from the next co_await of a caller who has cancelled.
  if (is_cancelled_by_caller && !is_over_) cancel(now());
  if (action_.kind == Kind::fail) throw_failure();
  return action_.kind != Kind::finish;
}

void PolicyRun::cancel(time_point now) {
  bool const is_before_attempt = action_.kind == Kind::run_attempt;
  auto const action =
      is_before_attempt ? call_.failed({ErrorClass::cancelled, SendState::never_sent}, now) : call_.cancelled(now);
  last_error_.reset();
  go_on_with(action);
}

/// Counts what the step led to, and keeps it.
void PolicyRun::go_on_with(PolicyAction action) noexcept {
  action_ = action;
  auto& counters = class_.counters;
  if (action.kind == Kind::finish) {
    is_over_ = true;
    count(counters.successes);
  } else if (action.kind == Kind::fail) {
    is_over_ = true;
    auto const& failure = call_.failure();
    count(counters.failures_by_class, failure.error_class);
    if (failure.no_retry) count(counters.given_up_by_reason, *failure.no_retry);
    if (failure.refused_by == RefusedBy::nobody) return;
    count(counters.refusals_by_layer, failure.refused_by);
    if (auto const& on_refusal = state_->environment.hooks.on_refusal) {
      on_refusal(CallRefusal{class_.operation, failure.refused_by, failure.retry_after});
    }
  }
}

asio::awaitable<void> PolicyRun::wait() {
  auto const executor = co_await asio::this_coro::executor;
  if (!wait_) wait_ = std::make_shared<CallWait>(executor);
  if (!time_) time_ = state_->environment.time;
  if (!time_) time_ = net::system_time(executor);

  auto const kind = action_.kind;
  if (kind == Kind::wait_for_turn && !bulkhead_.await_turn(wait_)) {
    go_on_with(call_.turn_came(now()));
    co_return;
  }
  if (kind == Kind::wait_for_breaker && !breaker_.await_news(wait_)) {
    go_on_with(call_.breaker_spoke(now()));
    co_return;
  }
  auto const end = co_await CallWait::wait(wait_, Deadline::at(wait_ends_at()), *time_);
  auto const instant = now();
  if (end == CallWait::End::cancelled) {
    cancel(instant);
  } else if (end == CallWait::End::time && kind == Kind::wait_for_breaker && !action_.until.expired(instant)) {
    breaker_.advance(instant);
  } else if (end == CallWait::End::time || kind == Kind::wait_until) {
    go_on_with(call_.timer_fired(instant));
  }  // else there is news, perhaps: the next round asks the gate itself
}

PolicyRun::time_point PolicyRun::wait_ends_at() const noexcept {
  auto until = action_.until.at();
  if (action_.kind == Kind::wait_for_breaker) until = std::min(until, breaker_.next_event());
  return until;
}

void PolicyRun::begin_attempt() {
  attempt_.number = action_.attempt;
  attempt_.deadline = action_.until;
  attempt_.context = call_.context_inside(action_);
  attempt_.remedy = action_.remedy;
  attempt_.pushback.reset();
  attempt_.is_tls_failure = false;
  attempt_.phases = &call_.phases();
  count(class_.counters.attempts);
  auto const& hooks = state_->environment.hooks;
  if (hooks.after_attempt) attempt_began_ = now();
  if (hooks.before_attempt) hooks.before_attempt(attempt_);
}

bool PolicyRun::needs_remedy() const noexcept {
  return attempt_.remedy != resilience::Remedy::none && state_->environment.remedy;
}

asio::awaitable<void> PolicyRun::apply_remedy() {
  auto remedy = state_->environment.remedy(attempt_.remedy, attempt_);
  co_await std::move(remedy);
}

void PolicyRun::succeeded() {
  auto const instant = now();
  go_on_with(call_.succeeded(instant));
  tell_attempt_end(std::nullopt, instant);
}

void PolicyRun::failed(Error const& error) {
  last_error_.emplace(error);
  auto failure = resilience::Failure::of(error);
  failure.pushback = attempt_.pushback;
  failure.is_tls = attempt_.is_tls_failure;
  failed(failure);
}

void PolicyRun::failed(boost::system::system_error const& error) {
  if (error.code() != asio::error::operation_aborted) {
    failed_otherwise(std::current_exception());
    return;
  }
  last_error_.reset();
  failed(resilience::Failure{ErrorClass::cancelled, SendState::unknown});
}

void PolicyRun::failed_otherwise(std::exception_ptr exception) {
  foreign_ = std::move(exception);
  failed(resilience::Failure{ErrorClass::internal, SendState::unknown});
}

void PolicyRun::failed(resilience::Failure const& failure) {
  auto const instant = now();
  if (failure.error_class == ErrorClass::overload && state_->limiter) state_->limiter->overloaded(instant);
  auto const failed_attempt = attempt_.number;
  auto const action = call_.failed(failure, instant);
  tell_attempt_end(AttemptEnd::Failure{failure.error_class, failure.send_state}, instant);
  if (action.kind != Kind::fail) {
    count(class_.counters.retries_by_class, failure.error_class);
    if (auto const& on_retry = state_->environment.hooks.on_retry) {
      bool const pauses = action.kind == Kind::wait_until && action.until.at() > instant;
      auto const pause = pauses ? action.until.at() - instant : std::chrono::nanoseconds::zero();
      on_retry(RetryPlan{class_.operation, failed_attempt, failure.error_class, pause, action.remedy});
    }
  }
  go_on_with(action);
}

void PolicyRun::tell_attempt_end(std::optional<AttemptEnd::Failure> failure, time_point now) {
  auto const& after_attempt = state_->environment.hooks.after_attempt;
  if (!after_attempt) return;
  after_attempt(AttemptEnd{class_.operation, attempt_.number, now - attempt_began_, failure});
}

void PolicyRun::throw_failure() {
  if (foreign_) std::rethrow_exception(std::exchange(foreign_, nullptr));
  throw resilience::to_error(call_.failure(), last_error_ ? &*last_error_ : nullptr);
}

}  // namespace belay::pool::detail
