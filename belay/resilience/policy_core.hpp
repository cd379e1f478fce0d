#pragma once

#include <chrono>
#include <optional>
#include <utility>

#include "belay/core/deadline.hpp"
#include "belay/core/random.hpp"
#include "belay/resilience/call_context.hpp"
#include "belay/resilience/deadline_propagation.hpp"
#include "belay/resilience/detail/instant.hpp"
#include "belay/resilience/outcome.hpp"
#include "belay/resilience/phase_times.hpp"
#include "belay/resilience/policy_failure.hpp"
#include "belay/resilience/policy_gates.hpp"
#include "belay/resilience/retry.hpp"
#include "belay/resilience/retry_budget.hpp"

namespace belay::resilience {

/// Whether a deadline ends the call, or is only noted where it would have: to find out what enforcing it would cut.
enum class DeadlineMode { enforce, observe };

struct PolicyOptions {
  /// The longest that one attempt may take, from the queue of the pool to the answer, 1 ms to 24 h; nullopt: whatever
  /// the call's deadline leaves.
  std::optional<std::chrono::nanoseconds> attempt_timeout{};
  DeadlineMode deadline_mode = DeadlineMode::enforce;
};

/// Refuses options outside their ranges with belay::Error(request).
void validate(PolicyOptions const&);

/// The parts that the calls to one endpoint share. All of them outlive every call; a nullptr budget is an unlimited
/// one.
template <LimiterGate Limiter = NoLimiter, BulkheadGate Bulkhead = NoBulkhead, BreakerGate Breaker = NoBreaker>
struct PolicyParts {
  RetryPolicy const& retry;
  RetryBudget* budget;
  Limiter& limiter;
  Bulkhead& bulkhead;
  Breaker& breaker;
  PolicyOptions options{};  ///< validate() them once
};

/// What whoever runs the call does next.
struct PolicyAction {
  enum class Kind {
    wait_until,        ///< sleep until `until`, then timer_fired()
    wait_for_turn,     ///< until the bulkhead has news for this call, then turn_came(); at `until` timer_fired()
    wait_for_breaker,  ///< until the breaker's next news, then breaker_spoke(); at `until` timer_fired()
    run_attempt,       ///< acquire, query, release by the deadline `until`, then succeeded() or failed()
    finish,            ///< the last attempt's result is the call's
    fail               ///< PolicyCall::failure() tells how
  };
  Kind kind;
  Deadline until = Deadline::never();
  unsigned attempt = 0;          ///< for run_attempt: 1-based
  Remedy remedy = Remedy::none;  ///< for run_attempt: what comes first; if it fails, so has the attempt
};

/// One call through all policies, in the order that is fixed for everybody:
///
///     deadline -> rate limiter -> bulkhead -> retry (budget) -> breaker -> attempt (pool acquire, query, release)
///
/// A refusal by limiter or bulkhead is not retried inside; a refusal by the breaker is seen by the retry, which stops;
/// each attempt takes and returns its own lease, so none is held during a pause.
///
/// A state machine: begin() once, then the input that the last action names, until finish or fail. cancelled() may come
/// instead of any input. It must be brought to its end: permits and places are given back on the way there. It lies
/// still at its address (the bulkhead's ticket may be linked into a queue), allocates nothing, and is not thread-safe.
template <LimiterGate Limiter, BulkheadGate Bulkhead, BreakerGate Breaker>
class PolicyCall {
 public:
  using Parts = PolicyParts<Limiter, Bulkhead, Breaker>;
  using time_point = Deadline::time_point;

  /// `random` decides the pauses: a stream of this call's own.
  PolicyCall(Parts const& parts, CallContext const& context, Random random) noexcept
      : parts_(parts),
        context_(context),
        retry_(parts.retry, context.idempotent, context.retry_layer, random),
        phases_(time_point()) {}
  PolicyCall(Parts const&&, CallContext const&, Random) = delete;
  PolicyCall(PolicyCall const&) = delete;
  PolicyCall& operator=(PolicyCall const&) = delete;

  [[nodiscard]] PolicyAction begin(time_point now) {
    phases_ = PhaseTimes(now);
    asked_ = work_deadline(context_.deadline, context_.fallback, now);
    deadline_ = parts_.options.deadline_mode == DeadlineMode::enforce ? asked_ : Deadline::never();
    note_deadline(now);
    if (deadline_.expired(now)) return refuse(RefusedBy::deadline, {}, now);
    auto const answer = parts_.limiter.reserve(reservation_, now, deadline_);
    if (!answer.at) return refuse(RefusedBy::rate_limiter, answer.retry_after, now);
    if (*answer.at <= now) return enter_bulkhead(now);
    waits_until_ = *answer.at;
    return wait(State::limiter, Phase::admission, now);
  }

  /// The `until` of a waiting action has come.
  [[nodiscard]] PolicyAction timer_fired(time_point now) {
    note_deadline(now);
    switch (state_) {
      case State::limiter:
        if (now < waits_until_) return wait(state_, Phase::admission, now);  // a timer may be early
        if (deadline_.expired(now)) return refuse(RefusedBy::deadline, {}, now);
        return enter_bulkhead(now);
      case State::bulkhead:
        if (!deadline_.expired(now)) return wait_for_turn();
        parts_.bulkhead.withdraw(ticket_, now);
        return refuse(RefusedBy::deadline, {}, now);
      case State::pause:
        if (now < waits_until_) return wait(state_, Phase::retry_wait, now);
        if (deadline_.expired(now)) return give_up(NoRetry::deadline_too_near, {}, now);
        return enter_breaker(now);
      case State::breaker:
        if (!deadline_.expired(now)) return wait_for_breaker();
        stop_waiting();
        return turned_away_by_breaker(now);
      case State::attempt:
      case State::done: break;
    }
    return misplaced();
  }

  /// The bulkhead has offered a place, or has given up on the call.
  [[nodiscard]] PolicyAction turn_came(time_point now) {
    if (state_ != State::bulkhead) return misplaced();
    note_deadline(now);
    return enter_breaker_from(parts_.bulkhead.accept(ticket_, now), now);
  }

  /// The breaker that told the call to wait has changed its mind, or may have.
  [[nodiscard]] PolicyAction breaker_spoke(time_point now) {
    if (state_ != State::breaker) return misplaced();
    note_deadline(now);
    wait_.reset();
    if (deadline_.expired(now)) return turned_away_by_breaker(now);
    return enter_breaker(now);
  }

  [[nodiscard]] PolicyAction succeeded(time_point now) {
    if (state_ != State::attempt) return misplaced();
    note_deadline(now);
    record(BreakerSignal::success, now);
    end(std::nullopt, now);
    return {.kind = PolicyAction::Kind::finish};
  }

  [[nodiscard]] PolicyAction failed(Failure const& failure, time_point now) {
    if (state_ != State::attempt) return misplaced();
    note_deadline(now);
    record(outcome_of(failure.error_class, failure.send_state).breaker, now);
    failure_.error_class = failure.error_class;
    failure_.phase = phases_.current();
    auto const decision = retry_.decide(failure,
                                        {.now = now,
                                         .deadline = deadline_,
                                         .min_useful_budget = context_.min_useful_budget,
                                         .breaker_open = parts_.breaker.is_open(now)},
                                        parts_.budget);
    if (decision.refusal) return give_up(*decision.refusal, failure.pushback, now);
    remedy_ = decision.remedy;
    if (decision.at <= now) return enter_breaker(now);
    waits_until_ = decision.at;
    return wait(State::pause, Phase::retry_wait, now);
  }

  /// The caller cancelled. While an attempt runs, its own end is better: failed() with class cancelled and the send
  /// state that the transport knows; this counts it as unknown.
  [[nodiscard]] PolicyAction cancelled(time_point now) {
    switch (state_) {
      case State::limiter: parts_.limiter.give_back(reservation_, now); break;
      case State::bulkhead: parts_.bulkhead.withdraw(ticket_, now); break;
      case State::pause: break;
      case State::breaker: stop_waiting(); break;
      case State::attempt: return failed({ErrorClass::cancelled, SendState::unknown}, now);
      case State::done: return misplaced();
    }
    failure_.error_class = ErrorClass::cancelled;
    failure_.phase = phases_.current();
    return fail(now);
  }

  /// How the call failed; meaningful once the action was fail.
  PolicyFailure const& failure() const noexcept { return failure_; }
  unsigned attempts() const noexcept { return failure_.attempts; }
  /// What goes down with an attempt: the attempt's deadline, and the mark that a layer above already retries.
  CallContext context_inside(PolicyAction const& attempt) const noexcept {
    auto context = context_;
    context.deadline = attempt.until;
    context.retry_layer = retry_.layer_inside();
    context.fallback = Fallback::none;  // its time has been set aside already
    return context;
  }
  /// Whoever runs the attempt enters connect, test and query; the call enters the others.
  PhaseTimes& phases() noexcept { return phases_; }
  PhaseTimes const& phases() const noexcept { return phases_; }
  /// In which phase the deadline passed, if it did while the call went on (DeadlineMode::observe, or a late answer).
  std::optional<Phase> deadline_missed_in() const noexcept { return missed_in_; }

 private:
  enum class State { limiter, bulkhead, breaker, pause, attempt, done };

  PolicyAction enter_bulkhead(time_point now) {
    return enter_breaker_from(parts_.bulkhead.enter(ticket_, now, deadline_), now);
  }
  PolicyAction enter_breaker_from(BulkheadAnswer const& answer, time_point now) {
    switch (answer.kind) {
      case BulkheadAnswer::Kind::entered: is_inside_ = true; break;
      case BulkheadAnswer::Kind::queued: state_ = State::bulkhead; return wait_for_turn();
      case BulkheadAnswer::Kind::refused: return refuse(RefusedBy::bulkhead, answer.retry_after, now);
    }
    if (deadline_.expired(now)) return refuse(RefusedBy::deadline, {}, now);
    return enter_breaker(now);
  }

  PolicyAction enter_breaker(time_point now) {
    auto answer = parts_.breaker.try_enter(now, deadline_);
    if (!answer.permit) {
      breaker_retry_after_ = answer.retry_after;
      if (!answer.wait) return turned_away_by_breaker(now);
      wait_ = std::move(answer.wait);
      state_ = State::breaker;
      phases_.enter(Phase::admission, now);
      return wait_for_breaker();
    }
    permit_ = std::move(answer.permit);
    // An attempt inside another layer's is no first attempt of anybody: it earns nothing.
    if (++failure_.attempts == 1 && parts_.budget && context_.retry_layer == RetryLayer::outermost) {
      parts_.budget->deposit(now);
    }
    state_ = State::attempt;
    phases_.enter(Phase::queue, now);
    auto until = deadline_;
    if (auto const& timeout = parts_.options.attempt_timeout) {
      until = earlier(until, Deadline::at(detail::later(now, *timeout)));
    }
    return {.kind = PolicyAction::Kind::run_attempt,
            .until = until,
            .attempt = failure_.attempts,
            .remedy = std::exchange(remedy_, Remedy::none)};
  }

  PolicyAction wait(State state, Phase phase, time_point now) noexcept {
    state_ = state;
    phases_.enter(phase, now);
    return {.kind = PolicyAction::Kind::wait_until, .until = Deadline::at(waits_until_)};
  }
  PolicyAction wait_for_turn() const noexcept {
    return {.kind = PolicyAction::Kind::wait_for_turn, .until = deadline_};
  }
  PolicyAction wait_for_breaker() const noexcept {
    return {.kind = PolicyAction::Kind::wait_for_breaker, .until = deadline_};
  }
  void stop_waiting() {
    parts_.breaker.stop_waiting(std::move(*wait_));
    wait_.reset();
  }
  PolicyAction turned_away_by_breaker(time_point now) {
    return failure_.attempts == 0 ? refuse(RefusedBy::circuit_breaker, breaker_retry_after_, now)
                                  : give_up(NoRetry::breaker_open, breaker_retry_after_, now);
  }

  void record(BreakerSignal signal, time_point now) {
    parts_.breaker.record(std::move(*permit_), signal, now);
    permit_.reset();
  }

  /// Turned away before the first attempt.
  PolicyAction refuse(RefusedBy layer, std::optional<std::chrono::nanoseconds> retry_after, time_point now) {
    failure_.error_class = layer == RefusedBy::deadline ? ErrorClass::timeout_local : ErrorClass::capacity;
    failure_.refused_by = layer;
    failure_.retry_after = retry_after;
    failure_.phase = phases_.current();
    return fail(now);
  }
  /// The last attempt's failure is the call's.
  PolicyAction give_up(NoRetry reason, std::optional<std::chrono::nanoseconds> retry_after, time_point now) {
    failure_.no_retry = reason;
    failure_.retry_after = retry_after;
    return fail(now);
  }
  PolicyAction fail(time_point now) {
    failure_.send_state = retry_.send_state();
    end(failure_.error_class, now);
    return {.kind = PolicyAction::Kind::fail};
  }
  void end(std::optional<ErrorClass> failure, time_point now) {
    if (std::exchange(is_inside_, false)) parts_.bulkhead.leave(ticket_, {failure, failure_.attempts}, now);
    phases_.enter(phases_.current(), now);
    state_ = State::done;
  }

  /// An input that the last action did not ask for: a mistake of whoever runs the call, told instead of guessed at.
  PolicyAction misplaced() const {
    throw Error(ErrorClass::internal, SendState::never_sent, "the policy got an input that it was not waiting for");
  }

  void note_deadline(time_point now) noexcept {
    if (!missed_in_ && asked_.expired(now)) missed_in_ = phases_.current();
  }

  Parts const& parts_;
  CallContext const context_;
  Retry retry_;
  PhaseTimes phases_;
  PolicyFailure failure_;
  typename Limiter::Reservation reservation_{};
  typename Bulkhead::Ticket ticket_{};
  std::optional<typename Breaker::Permit> permit_;
  std::optional<typename Breaker::Wait> wait_;
  std::optional<std::chrono::nanoseconds> breaker_retry_after_;
  time_point waits_until_{};
  Deadline asked_ = Deadline::never();     ///< what the caller asked for, less the fallback's reserve
  Deadline deadline_ = Deadline::never();  ///< what is enforced
  std::optional<Phase> missed_in_;
  State state_ = State::done;
  Remedy remedy_ = Remedy::none;
  bool is_inside_ = false;
};

template <LimiterGate Limiter, BulkheadGate Bulkhead, BreakerGate Breaker>
PolicyCall(PolicyParts<Limiter, Bulkhead, Breaker> const&, CallContext const&, Random)
    -> PolicyCall<Limiter, Bulkhead, Breaker>;

}  // namespace belay::resilience
