#include "belay/resilience/policy_failure.hpp"

#include <string>
#include <utility>

namespace belay::resilience {

namespace {

std::string_view refusal_sentence(PolicyFailure const& failure) {
  switch (failure.refused_by) {  // no default: the compiler reports a missing enumerator
    case RefusedBy::deadline: return "the deadline passed before the database was asked";
    case RefusedBy::rate_limiter: return "too many calls in too short a time: the rate limiter has no turn in time";
    case RefusedBy::bulkhead: return "too many calls at once: the bulkhead is full";
    case RefusedBy::circuit_breaker:
      return "the circuit breaker is open: the database has failed repeatedly and is left alone for a while";
    case RefusedBy::nobody: break;
  }
  return failure.error_class == ErrorClass::cancelled ? "the caller cancelled while the call was waiting"
                                                      : "the call failed";
}

std::string milliseconds_text(std::chrono::nanoseconds time) {
  return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(time).count());
}

}  // namespace

std::string_view name_of(RefusedBy layer) noexcept {
  switch (layer) {
    case RefusedBy::nobody: return "nobody";
    case RefusedBy::deadline: return "deadline";
    case RefusedBy::rate_limiter: return "rate_limiter";
    case RefusedBy::bulkhead: return "bulkhead";
    case RefusedBy::circuit_breaker: return "circuit_breaker";
  }
  return "unknown";
}

Error to_error(PolicyFailure const& failure, Error const* last_error) {
  auto details = last_error ? last_error->details() : Error::Details();
  if (failure.refused_by != RefusedBy::nobody) details.emplace_back("refused_by", name_of(failure.refused_by));
  if (failure.retry_after) details.emplace_back("retry_after_ms", milliseconds_text(*failure.retry_after));
  details.emplace_back("phase", name_of(failure.phase));
  details.emplace_back("attempts", std::to_string(failure.attempts));
  if (failure.no_retry) {
    details.emplace_back("not_retried", name_of(*failure.no_retry));
    details.emplace_back("not_retried_because", sentence_of(*failure.no_retry));
  }
  if (!last_error) {
    return Error(failure.error_class, failure.send_state, std::string(refusal_sentence(failure)), std::string(),
                 std::move(details));
  }
  return Error(failure.error_class, failure.send_state, last_error->what(), last_error->engine_code(),
               std::move(details));
}

}  // namespace belay::resilience
