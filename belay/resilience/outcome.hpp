#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "belay/core/error.hpp"

namespace belay::resilience {

// What a failure means for everything that counts, repeats or reports failures. The table below exists once: breaker,
// retry, pool, health monitor, HTTP status and metric label look it up, and docs/outcomes.md is rendered from it.

/// What an attempt says about the server, to its circuit breaker.
enum class BreakerSignal {
  success,       ///< the server answered, whatever it said: ends a row of failures
  failure,       ///< the server failed
  slow_failure,  ///< it failed by not answering in time: a failure, and slow where slowness is counted
  slow_answer,   ///< it answered, but gave up first: slow where slowness is counted, no failure anywhere
  ignored        ///< nothing: the permit goes back and no counter moves
};

/// On which condition the class lets a call be repeated. What the server may have done decides besides: may_resend().
enum class RetryRule {
  never,
  by_send_state,             ///< whenever may_resend() allows it
  with_pushback,             ///< likewise, and not before the pause that the server asked for
  if_asked,                  ///< only where the retry policy says so: repeating adds to the very queue that refused
  after_credential_refresh,  ///< once, with new credentials
  after_re_resolution,       ///< once, after the name was resolved again, and only if nothing was executed
  replay                     ///< the whole unit, on the conflict schedule, outside of attempts and budget
};

/// Whether the unit (statement or transaction) may be sent again after what the server may have done with it.
enum class ResendRule {
  always_and_once_free,  ///< nothing left us: the first re-send does not even count as an attempt
  always,
  idempotent_only,
  never  ///< the server answered: the error is the answer
};

/// What becomes of the connection that the attempt ran on.
enum class ConnectionRule {
  none_held,  ///< the attempt had none
  keep,
  quarantine,       ///< not lent again before it is known to stand at a clean boundary
  close,            ///< closed with the engine's farewell
  destroy,          ///< closed without a word: what the peer says can no longer be framed
  close_if_opening  ///< a connection being opened is given up, an established one kept
};

/// What becomes of all connections of the endpoint that were opened before the failure.
enum class GenerationRule {
  none_held,
  keep,
  close_if_tls_or_repeated,  ///< see should_close_generation()
  close,
  renew_credentials  ///< the credential version moves on: connections signed in with the old one close on release
};

/// How the health monitor takes it.
enum class HealthSignal {
  none,
  weak,        ///< a reason to look, no failure by itself
  failure,     ///< a failure of the endpoint
  saturation,  ///< our own bound was reached: a metric, nothing about the endpoint
};

enum class AlertRule {
  none,
  error_rate,  ///< counts in the share of failed operations that alerts when it stays high
  at_once      ///< that, and an alert of its own: nobody should ever see this
};

/// What an HTTP service answers when the failure is all it has.
struct HttpAnswer {
  unsigned status = 500;
  std::optional<std::chrono::seconds> retry_after{};  ///< the Retry-After header, where repeating can help
  friend bool operator==(HttpAnswer const&, HttpAnswer const&) = default;
};

struct Outcome {
  ErrorClass error_class;
  std::string_view title;   ///< for people: "timeout_local while queueing"
  std::string_view metric;  ///< the label `class` of metrics, unique in the table
  BreakerSignal breaker;
  RetryRule retry;
  ConnectionRule connection;
  GenerationRule generation;
  HealthSignal health;
  AlertRule alert;
  HttpAnswer http;
  /// Where it differs from `http` if the engine said nothing: then the failure is this library's or the application's.
  std::optional<HttpAnswer> http_without_engine_code{};
};

namespace detail {

inline constexpr HttpAnswer too_late{504, std::nullopt};
inline constexpr HttpAnswer soon_again{503, std::chrono::seconds(1)};
inline constexpr HttpAnswer later_again{503, std::chrono::seconds(30)};
inline constexpr HttpAnswer our_mistake{500, std::nullopt};

}  // namespace detail

/// The table. One row per error class, two for timeout_local: an operation that ended before a byte left us waited for
/// one of our own queues and says nothing about the server.
inline constexpr std::array<Outcome, 13> outcome_table{{
    {ErrorClass::transport, "transport", "transport", BreakerSignal::failure, RetryRule::by_send_state,
     ConnectionRule::close, GenerationRule::close_if_tls_or_repeated, HealthSignal::failure, AlertRule::error_rate,
     detail::soon_again},
    {ErrorClass::timeout_local, "timeout_local during the query", "timeout_local", BreakerSignal::slow_failure,
     RetryRule::by_send_state, ConnectionRule::quarantine, GenerationRule::keep, HealthSignal::weak,
     AlertRule::error_rate, detail::too_late},
    {ErrorClass::timeout_local, "timeout_local while queueing", "timeout_queue", BreakerSignal::ignored,
     RetryRule::never, ConnectionRule::none_held, GenerationRule::none_held, HealthSignal::none, AlertRule::none,
     detail::soon_again},
    {ErrorClass::timeout_server, "timeout_server", "timeout_server", BreakerSignal::slow_answer,
     RetryRule::by_send_state, ConnectionRule::keep, GenerationRule::keep, HealthSignal::none, AlertRule::none,
     detail::too_late},
    {ErrorClass::overload, "overload", "overload", BreakerSignal::failure, RetryRule::with_pushback,
     ConnectionRule::close_if_opening, GenerationRule::keep, HealthSignal::failure, AlertRule::error_rate,
     detail::soon_again},
    {ErrorClass::capacity, "capacity", "capacity", BreakerSignal::ignored, RetryRule::if_asked,
     ConnectionRule::none_held, GenerationRule::none_held, HealthSignal::saturation, AlertRule::none,
     detail::soon_again},
    {ErrorClass::auth, "auth", "auth", BreakerSignal::ignored, RetryRule::after_credential_refresh,
     ConnectionRule::close, GenerationRule::renew_credentials, HealthSignal::failure, AlertRule::error_rate,
     detail::soon_again},
    {ErrorClass::role, "role", "role", BreakerSignal::ignored, RetryRule::after_re_resolution, ConnectionRule::close,
     GenerationRule::close, HealthSignal::failure, AlertRule::error_rate, detail::soon_again},
    {ErrorClass::conflict, "conflict", "conflict", BreakerSignal::ignored, RetryRule::replay, ConnectionRule::keep,
     GenerationRule::keep, HealthSignal::none, AlertRule::none, detail::soon_again},
    {ErrorClass::request, "request", "request", BreakerSignal::success, RetryRule::never, ConnectionRule::keep,
     GenerationRule::keep, HealthSignal::none, AlertRule::none, detail::our_mistake},
    {ErrorClass::cancelled, "cancelled", "cancelled", BreakerSignal::ignored, RetryRule::never,
     ConnectionRule::quarantine, GenerationRule::keep, HealthSignal::none, AlertRule::none, detail::soon_again},
    {ErrorClass::protocol, "protocol", "protocol", BreakerSignal::failure, RetryRule::never, ConnectionRule::destroy,
     GenerationRule::keep, HealthSignal::failure, AlertRule::at_once, detail::our_mistake},
    {ErrorClass::internal, "internal", "internal", BreakerSignal::failure, RetryRule::never, ConnectionRule::keep,
     GenerationRule::keep, HealthSignal::failure, AlertRule::error_rate, detail::later_again, detail::our_mistake},
}};

/// The row of a failure.
constexpr Outcome const& outcome_of(ErrorClass error_class, SendState send_state) noexcept {
  // The rows stand in the order of the classes, which start at 1; timeout_local has two.
  auto row = static_cast<std::size_t>(error_class) - 1;
  bool const queued = error_class == ErrorClass::timeout_local && send_state == SendState::never_sent;
  if (queued || error_class > ErrorClass::timeout_local) ++row;
  return outcome_table[row];
}
inline Outcome const& outcome_of(Error const& error) noexcept {
  return outcome_of(error.error_class(), error.send_state());
}

constexpr ResendRule may_resend(SendState send_state) noexcept {
  switch (send_state) {  // no default: the compiler reports a missing enumerator
    case SendState::never_sent: return ResendRule::always_and_once_free;
    case SendState::refused: return ResendRule::always;
    case SendState::unknown: return ResendRule::idempotent_only;
    case SendState::executed: return ResendRule::never;
  }
  return ResendRule::never;
}

/// For GenerationRule::close_if_tls_or_repeated: how many transport failures of an endpoint within which time condemn
/// its other connections.
inline constexpr unsigned transport_failures_to_close = 2;
inline constexpr std::chrono::seconds transport_failures_within{1};

/// Whether this failure closes every older connection of the endpoint.
///
/// is_tls           the failure is one of the TLS layer
/// recent_failures  transport failures of the endpoint within transport_failures_within, this one included
constexpr bool should_close_generation(Outcome const& outcome, bool is_tls, unsigned recent_failures) noexcept {
  return outcome.generation == GenerationRule::close ||
         (outcome.generation == GenerationRule::close_if_tls_or_repeated &&
          (is_tls || recent_failures >= transport_failures_to_close));
}

/// What an HTTP service answers for it.
HttpAnswer http_answer(Error const&) noexcept;

/// The table as the Markdown page docs/outcomes.md.
std::string describe_outcomes();

}  // namespace belay::resilience
