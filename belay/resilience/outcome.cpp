#include "belay/resilience/outcome.hpp"

namespace belay::resilience {

namespace {

std::string_view text_of(BreakerSignal verdict) {
  switch (verdict) {  // no default, here and below: the compiler reports a missing enumerator
    case BreakerSignal::success: return "success of the server";
    case BreakerSignal::failure: return "failure";
    case BreakerSignal::slow_failure: return "failure, as slow";
    case BreakerSignal::slow_answer: return "slow mode only";
    case BreakerSignal::ignored: return "ignored";
  }
  return {};
}

std::string_view text_of(RetryRule rule) {
  switch (rule) {
    case RetryRule::never: return "no";
    case RetryRule::by_send_state: return "by send state";
    case RetryRule::with_pushback: return "by send state, with pushback";
    case RetryRule::if_asked: return "only if asked for";
    case RetryRule::after_credential_refresh: return "once, after credential refresh";
    case RetryRule::after_re_resolution: return "once, after re-resolution, if nothing was executed";
    case RetryRule::replay: return "whole unit, own schedule, no budget";
  }
  return {};
}

std::string_view text_of(ResendRule rule) {
  switch (rule) {
    case ResendRule::always_and_once_free: return "everything; the first re-send after a transport failure is free";
    case ResendRule::always: return "everything, as a whole unit";
    case ResendRule::idempotent_only: return "idempotent units";
    case ResendRule::never: return "nothing: the error is the answer";
  }
  return {};
}

std::string_view text_of(ConnectionRule rule) {
  switch (rule) {
    case ConnectionRule::none_held: return "–";
    case ConnectionRule::keep: return "keep";
    case ConnectionRule::quarantine: return "quarantine";
    case ConnectionRule::close: return "close";
    case ConnectionRule::destroy: return "destroy";
    case ConnectionRule::close_if_opening: return "close if being opened";
  }
  return {};
}

std::string text_of(GenerationRule rule) {
  switch (rule) {
    case GenerationRule::none_held: return "–";
    case GenerationRule::keep: return "keep";
    case GenerationRule::close_if_tls_or_repeated:
      return "close if TLS failure, or " + std::to_string(transport_failures_to_close) + " within " +
             std::to_string(transport_failures_within.count()) + " s";
    case GenerationRule::close: return "close";
    case GenerationRule::renew_credentials: return "next credential version";
  }
  return {};
}

std::string_view text_of(HealthSignal signal) {
  switch (signal) {
    case HealthSignal::none: return "no";
    case HealthSignal::weak: return "weak";
    case HealthSignal::failure: return "yes";
    case HealthSignal::saturation: return "saturation metric";
  }
  return {};
}

std::string_view text_of(AlertRule rule) {
  switch (rule) {
    case AlertRule::none: return "no";
    case AlertRule::error_rate: return "error rate";
    case AlertRule::at_once: return "at once";
  }
  return {};
}

std::string text_of(HttpAnswer const& answer) {
  auto text = std::to_string(answer.status);
  if (answer.retry_after) text += ", Retry-After " + std::to_string(answer.retry_after->count());
  return text;
}

std::string http_text_of(Outcome const& row) {
  auto text = text_of(row.http);
  if (row.http_without_engine_code) text += "; " + text_of(*row.http_without_engine_code) + " if the failure is ours";
  return text;
}

void append_row(std::string& page, std::initializer_list<std::string_view> cells) {
  for (auto const cell : cells) page.append("| ").append(cell).append(" ");
  page += "|\n";
}

}  // namespace

HttpAnswer http_answer(Error const& error) noexcept {
  auto const& row = outcome_of(error);
  return error.engine_code().empty() ? row.http_without_engine_code.value_or(row.http) : row.http;
}

std::string describe_outcomes() {
  std::string page =
      "# What a failure means\n\n"
      "Rendered from `belay/resilience/outcome.hpp` by `scripts/outcomes`; a test compares. Breaker, retry, pool, "
      "health\n"
      "monitor, HTTP status and metrics look these rows up; nothing decides from message text.\n\n"
      "## By error class\n\n";
  append_row(page, {"failure", "metric label", "circuit breaker", "repeated", "its connection", "older connections",
                    "health signal", "alert", "HTTP"});
  append_row(page, {"---", "---", "---", "---", "---", "---", "---", "---", "---"});
  for (auto const& row : outcome_table) {
    append_row(page, {row.title, row.metric, text_of(row.breaker), text_of(row.retry), text_of(row.connection),
                      text_of(row.generation), text_of(row.health), text_of(row.alert), http_text_of(row)});
  }
  page +=
      "\n## By send state\n\n"
      "Where the class allows repeating, what the server may have done decides what may be repeated.\n\n";
  append_row(page, {"send state", "may be repeated"});
  append_row(page, {"---", "---"});
  for (auto const state : {SendState::never_sent, SendState::refused, SendState::unknown, SendState::executed}) {
    append_row(page, {name_of(state), text_of(may_resend(state))});
  }
  return page;
}

}  // namespace belay::resilience
