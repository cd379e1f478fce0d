#include "belay/resilience/retry.hpp"

#include <algorithm>

#include "belay/resilience/detail/instant.hpp"
#include "belay/resilience/detail/option_check.hpp"
#include "belay/resilience/outcome.hpp"

namespace belay::resilience {

namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// Whether `at` leaves at least `useful` before the deadline.
bool leaves_time(Deadline::time_point at, Deadline deadline, nanoseconds useful) noexcept {
  return deadline.is_never() || (at < deadline.at() && deadline.at() - at >= useful);
}

}  // namespace

RetryPolicy::RetryPolicy(RetryOptions const& options) : options_(options) {
  detail::require_range("retry", "retries_max", options_.retries_max, 0, 100);
  validate(options_.backoff, "retry backoff");
  detail::require_range("retry", "tls_factor", options_.tls_factor, 1, 100);
  if (options_.overload_pushback) {
    detail::require_range("retry", "overload_pushback", *options_.overload_pushback, 1ms, 1h);
  }
  validate(options_.conflicts, "retry conflicts");
}

std::string_view name_of(NoRetry reason) noexcept {
  switch (reason) {  // no default, here and below: the compiler reports a missing enumerator
    case NoRetry::class_forbids: return "class_forbids";
    case NoRetry::remedy_used_up: return "remedy_used_up";
    case NoRetry::executed: return "executed";
    case NoRetry::not_idempotent: return "not_idempotent";
    case NoRetry::outer_layer_retries: return "outer_layer_retries";
    case NoRetry::attempts_used_up: return "attempts_used_up";
    case NoRetry::deadline_too_near: return "deadline_too_near";
    case NoRetry::breaker_open: return "breaker_open";
    case NoRetry::budget_empty: return "budget_empty";
  }
  return "unknown";
}

std::string_view sentence_of(NoRetry reason) noexcept {
  switch (reason) {
    case NoRetry::class_forbids: return "a failure of this kind does not go away by repeating";
    case NoRetry::remedy_used_up: return "it was repeated once after renewing credentials or address, and failed again";
    case NoRetry::executed: return "the database answered, so the failure is the answer";
    case NoRetry::not_idempotent:
      return "the database may have executed it, and it is not declared safe to execute twice";
    case NoRetry::outer_layer_retries: return "the call runs inside another one that retries";
    case NoRetry::attempts_used_up: return "all attempts are used up";
    case NoRetry::deadline_too_near: return "the deadline is too near for another attempt";
    case NoRetry::breaker_open: return "the circuit breaker is open";
    case NoRetry::budget_empty: return "the retry budget of the endpoint is spent";
  }
  return "unknown";
}

Retry::Retry(RetryPolicy const& policy, Idempotent idempotent, RetryLayer layer, Random random) noexcept
    : policy_(&policy),
      random_(random),
      backoff_(policy.options().backoff),
      conflict_backoff_(policy.options().conflicts),
      idempotent_(idempotent),
      layer_(layer) {}

/// How the failure would be repeated, before anything but the failure itself is looked at.
struct Retry::Plan {
  enum class Schedule { at_once, backoff, conflict };
  std::optional<NoRetry> refusal{};
  Schedule schedule = Schedule::backoff;
  bool counts = true;  ///< takes one of the attempts and a token of the budget
  bool is_overload = false;
  Remedy remedy = Remedy::none;
};

Retry::Plan Retry::plan_for(Failure const& failure) const noexcept {
  auto const& options = policy_->options();
  auto const& row = outcome_of(failure.error_class, failure.send_state);
  auto const resend = may_resend(failure.send_state);
  bool const was_not_executed = resend == ResendRule::always || resend == ResendRule::always_and_once_free;

  Plan plan;
  switch (row.retry) {
    case RetryRule::never: return {.refusal = NoRetry::class_forbids};
    case RetryRule::if_asked:
      if (!options.retries_capacity) return {.refusal = NoRetry::class_forbids};
      break;
    case RetryRule::by_send_state:
      if (resend == ResendRule::always_and_once_free && options.resends_unsent && !has_resent_ && !failure.pushback) {
        plan.schedule = Plan::Schedule::at_once;
        plan.counts = false;
      }
      break;
    case RetryRule::with_pushback: plan.is_overload = true; break;
    case RetryRule::after_credential_refresh:
      if (has_refreshed_) return {.refusal = NoRetry::remedy_used_up};
      plan.remedy = Remedy::refresh_credentials;
      plan.schedule = Plan::Schedule::at_once;
      break;
    case RetryRule::after_re_resolution:
      if (has_resolved_) return {.refusal = NoRetry::remedy_used_up};
      if (resend == ResendRule::idempotent_only) return {.refusal = NoRetry::class_forbids};
      plan.remedy = Remedy::resolve_again;
      break;
    case RetryRule::replay:
      if (!options.replays_conflicts) return {.refusal = NoRetry::class_forbids};
      plan.schedule = Plan::Schedule::conflict;
      plan.counts = false;
      break;
  }
  if (resend == ResendRule::never) return {.refusal = NoRetry::executed};
  if (!was_not_executed && idempotent_ == Idempotent::no) return {.refusal = NoRetry::not_idempotent};
  return plan;
}

nanoseconds Retry::pause_for(Plan const& plan, Failure const& failure) noexcept {
  auto pause = 0ns;
  switch (plan.schedule) {
    case Plan::Schedule::at_once: break;
    case Plan::Schedule::backoff: pause = backoff_.next(random_); break;
    case Plan::Schedule::conflict: pause = conflict_backoff_.next(random_); break;
  }
  if (failure.is_tls) pause = lengthened(pause, policy_->options().tls_factor);
  auto pushback = failure.pushback;
  if (!pushback && plan.is_overload) pushback = policy_->options().overload_pushback;
  return with_pushback(pause, pushback, random_);
}

RetryDecision Retry::decide(Failure const& failure, RetryConditions const& conditions, RetryBudget* budget) noexcept {
  ++failed_attempts_;
  remember(failure.send_state);

  auto const plan = plan_for(failure);
  if (plan.refusal) return {.refusal = plan.refusal};
  if (layer_ == RetryLayer::inner) return {.refusal = NoRetry::outer_layer_retries};
  if (plan.counts && retries_ >= policy_->options().retries_max) return {.refusal = NoRetry::attempts_used_up};
  auto const at = detail::later(conditions.now, pause_for(plan, failure));
  if (!leaves_time(at, conditions.deadline, conditions.min_useful_budget)) {
    return {.refusal = NoRetry::deadline_too_near};
  }
  if (conditions.breaker_open) return {.refusal = NoRetry::breaker_open};
  if (plan.counts && budget && !budget->try_withdraw(conditions.now)) return {.refusal = NoRetry::budget_empty};

  if (plan.counts) ++retries_;
  if (plan.remedy == Remedy::refresh_credentials) has_refreshed_ = true;
  if (plan.remedy == Remedy::resolve_again) has_resolved_ = true;
  if (!plan.counts && plan.schedule == Plan::Schedule::at_once) has_resent_ = true;
  return {.at = at, .remedy = plan.remedy};
}

void Retry::remember(SendState state) noexcept {
  // never_sent < refused < unknown: the more the server may have done. An answer speaks for the last attempt; where an
  // earlier one may have been executed as well, the answer (a duplicate key, say) may be its consequence, and stands.
  static_assert(SendState::never_sent < SendState::refused && SendState::refused < SendState::unknown &&
                SendState::unknown < SendState::executed);
  send_state_ = std::max(send_state_, state);
}

RetryLayer Retry::layer_inside() const noexcept {
  return policy_->options().retries_max > 0 ? RetryLayer::inner : layer_;
}

}  // namespace belay::resilience
