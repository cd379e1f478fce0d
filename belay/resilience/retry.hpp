#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/core/random.hpp"
#include "belay/resilience/backoff.hpp"
#include "belay/resilience/retry_budget.hpp"

namespace belay::resilience {

/// Whether executing the unit twice leaves what executing it once leaves. Declared by the caller, or inferred from a
/// read-only transaction that we opened ourselves; never from the text of a statement.
enum class Idempotent { no, yes };

/// The ambient mark of a call: inside another layer that retries, a layer makes one attempt and leaves repeating to the
/// outer one. Without it three layers of four attempts would make 64.
enum class RetryLayer { outermost, inner };

/// What an attempt failed with, as far as the rules look at it.
struct Failure {
  ErrorClass error_class = ErrorClass::internal;
  SendState send_state = SendState::unknown;
  std::optional<std::chrono::nanoseconds> pushback{};  ///< the server asked not to be called again before; > 0
  bool is_tls = false;                                 ///< the TLS layer failed

  static Failure of(Error const& error) noexcept { return {error.error_class(), error.send_state()}; }
};

struct RetryOptions {
  unsigned retries_max = 4;  ///< after the first execution, 0 to 100; 0: one execution
  BackoffOptions backoff{};
  double tls_factor = 1;  ///< lengthens the pause after a TLS failure, 1 to 100
  /// The least pause after an overload that named none itself, 1 ms to 1 h; nullopt: the schedule alone decides.
  std::optional<std::chrono::nanoseconds> overload_pushback = std::chrono::seconds(1);
  bool replays_conflicts = true;                ///< whether a unit that lost against another is repeated
  BackoffOptions conflicts = conflict_backoff;  ///< bounded by the deadline only
  bool resends_unsent = true;     ///< whether a call of which no byte was sent is sent once more, at once and uncounted
  bool retries_capacity = false;  ///< whether a refusal by our own pool or queue is retried
};

/// Validated options, made once and shared by all calls. Immutable, hence thread-safe.
class RetryPolicy {
 public:
  /// Throws belay::Error(request) naming the option that is out of its range.
  explicit RetryPolicy(RetryOptions const& = RetryOptions());
  RetryOptions const& options() const noexcept { return options_; }

 private:
  RetryOptions options_;
};

/// Why a failed call is not repeated, in the order in which the questions are asked.
enum class NoRetry {
  class_forbids,        ///< failures of this class do not go away by repeating
  remedy_used_up,       ///< it was repeated once after the remedy, and that did not help
  executed,             ///< the server answered
  not_idempotent,       ///< the server may have executed it, and it is not declared idempotent
  outer_layer_retries,  ///< RetryLayer::inner
  attempts_used_up,
  deadline_too_near,  ///< the pause would leave less than the least useful time
  breaker_open,
  budget_empty
};

/// "budget_empty": for metrics and details.
std::string_view name_of(NoRetry) noexcept;
/// "the endpoint's retry budget is spent": for people.
std::string_view sentence_of(NoRetry) noexcept;

/// What must be done before the next attempt, because without it the attempt would fail again.
enum class Remedy { none, refresh_credentials, resolve_again };

struct RetryDecision {
  std::optional<NoRetry> refusal{};  ///< nullopt: repeat it
  Deadline::time_point at{};         ///< no earlier than this
  Remedy remedy = Remedy::none;
};

/// What is known at the moment of a decision.
struct RetryConditions {
  Deadline::time_point now;
  Deadline deadline = Deadline::never();
  std::chrono::nanoseconds min_useful_budget{};  ///< an attempt with less time than this is not worth making; >= 0
  bool breaker_open = false;
};

/// Decides, failure by failure, whether and when one call is repeated.
///
/// The questions in their order: does the class allow it, and the send state, and idempotency, are attempts left, is
/// there time, is the breaker not open, does the budget give a token. Three exceptions: a conflict is replayed on a
/// schedule of its own, outside attempts and budget, because the server refused and repetition is its protocol; a
/// transport failure before any byte was sent is repeated once, at once and uncounted; auth and role failures are
/// repeated once, after their remedy.
///
/// Pure state, not thread-safe (one call, one machine); allocates nothing. The random stream decides the pauses.
class Retry {
 public:
  /// The policy outlives this.
  Retry(RetryPolicy const& policy, Idempotent, RetryLayer, Random) noexcept;
  Retry(RetryPolicy const&&, Idempotent, RetryLayer, Random) = delete;

  /// An attempt failed. A nullptr budget is an unlimited one.
  [[nodiscard]] RetryDecision decide(Failure const&, RetryConditions const&, RetryBudget* budget) noexcept;

  /// What the server may have done with the unit over all its attempts, the last one included: an attempt that ended
  /// unknown is not undone by a later one that was refused.
  SendState send_state() const noexcept { return send_state_; }
  /// Attempts that have failed so far, the uncounted ones included.
  unsigned failed_attempts() const noexcept { return failed_attempts_; }
  /// The mark for what runs inside an attempt of this call.
  RetryLayer layer_inside() const noexcept;

 private:
  struct Plan;
  Plan plan_for(Failure const&) const noexcept;
  std::chrono::nanoseconds pause_for(Plan const&, Failure const&) noexcept;
  void remember(SendState) noexcept;

  RetryPolicy const* policy_;
  Random random_;
  Backoff backoff_;
  Backoff conflict_backoff_;
  Idempotent idempotent_;
  RetryLayer layer_;
  SendState send_state_ = SendState::never_sent;
  unsigned failed_attempts_ = 0;
  unsigned retries_ = 0;  ///< those that count
  bool has_resent_ = false;
  bool has_refreshed_ = false;
  bool has_resolved_ = false;
};

}  // namespace belay::resilience
