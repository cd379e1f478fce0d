#include "belay/resilience/policy_core.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using time_point = Deadline::time_point;
using Kind = PolicyAction::Kind;
using Log = std::vector<std::string>;

constexpr time_point start = time_point() + 1000h;
constexpr Failure lost{ErrorClass::transport, SendState::unknown};
constexpr Failure turned_down{ErrorClass::transport, SendState::refused};
constexpr Failure bad_sql{ErrorClass::request, SendState::executed};

// Gates that write down what they are asked and answer what they are told.

struct ScriptedLimiter {
  Log& log;
  nanoseconds wait{};
  std::optional<nanoseconds> refuse_for{};
  struct Reservation {};
  LimiterAnswer reserve(Reservation&, time_point now, Deadline) {
    log.emplace_back("reserve");
    if (refuse_for) return {.retry_after = refuse_for};
    return {.at = now + wait};
  }
  void give_back(Reservation&, time_point) { log.emplace_back("give back"); }
};

struct ScriptedBulkhead {
  struct Ticket {};
  Log& log;
  BulkheadAnswer::Kind answer = BulkheadAnswer::Kind::entered;
  BulkheadAnswer::Kind offer = BulkheadAnswer::Kind::entered;
  CallEnd end{};
  BulkheadAnswer enter(Ticket&, time_point, Deadline) {
    log.emplace_back("enter");
    return {.kind = answer, .retry_after = 3s};
  }
  BulkheadAnswer accept(Ticket&, time_point) {
    log.emplace_back("accept");
    return {.kind = offer};
  }
  void leave(Ticket&, CallEnd const& how, time_point) {
    log.emplace_back("leave");
    end = how;
  }
  void withdraw(Ticket&, time_point) { log.emplace_back("withdraw"); }
};

struct ScriptedBreaker {
  struct Permit {
    std::unique_ptr<int> cannot_be_copied;
  };
  Log& log;
  bool open = false;
  bool opens_during_the_pause = false;
  bool lets_wait = false;
  struct Wait {};
  BreakerAnswer<Permit, Wait> try_enter(time_point, Deadline) {
    log.emplace_back("permit?");
    if (lets_wait) return {.wait = Wait(), .retry_after = 7s};
    if (open) return {.retry_after = 7s};
    if (opens_during_the_pause) open = true;
    return {.permit = Permit()};
  }
  void record(Permit, BreakerSignal verdict, time_point) {
    constexpr std::array names{"success", "failure", "slow failure", "slow answer", "ignored"};
    log.emplace_back(names[static_cast<std::size_t>(verdict)]);
  }
  void stop_waiting(Wait) { log.emplace_back("stop waiting"); }
  bool is_open(time_point) const { return open && !opens_during_the_pause; }
};

struct PolicyCallTest : testing::Test {
  Log log;
  RetryPolicy retry;
  RetryBudget budget{start};
  ScriptedLimiter limiter{.log = log};
  ScriptedBulkhead bulkhead{.log = log};
  ScriptedBreaker breaker{.log = log};
  PolicyParts<ScriptedLimiter, ScriptedBulkhead, ScriptedBreaker> parts{retry, &budget, limiter, bulkhead, breaker};
  CallContext context{.deadline = Deadline::at(start + 30s), .idempotent = Idempotent::yes};
  std::optional<PolicyCall<ScriptedLimiter, ScriptedBulkhead, ScriptedBreaker>> made;

  PolicyCall<ScriptedLimiter, ScriptedBulkhead, ScriptedBreaker>& call() {
    if (!made) made.emplace(parts, context, Random(1));
    return *made;
  }
  static std::string detail(Error const& error, std::string_view name) { return std::string(error.detail(name)); }
};

TEST_F(PolicyCallTest, PassesTheLayersInTheirFixedOrder) {
  auto const action = call().begin(start);
  EXPECT_EQ(action.kind, Kind::run_attempt);
  EXPECT_EQ(action.attempt, 1u);
  EXPECT_EQ(action.until, context.deadline);
  EXPECT_EQ(call().succeeded(start + 2ms).kind, Kind::finish);
  EXPECT_THAT(log, ElementsAre("reserve", "enter", "permit?", "success", "leave"));
}

TEST_F(PolicyCallTest, TakesAPermitForEachAttemptButOnePlaceForTheCall) {
  (void)call().begin(start);
  auto action = call().failed(lost, start + 1ms);
  ASSERT_EQ(action.kind, Kind::wait_until);
  action = call().timer_fired(action.until.at());
  EXPECT_EQ(action.kind, Kind::run_attempt);
  EXPECT_EQ(action.attempt, 2u);
  EXPECT_EQ(call().succeeded(start + 2s).kind, Kind::finish);
  EXPECT_THAT(log, ElementsAre("reserve", "enter", "permit?", "failure", "permit?", "success", "leave"));
}

// D4: expired on entry means that nobody is asked anything.
TEST_F(PolicyCallTest, FailsBeforeAnyWorkWhenTheDeadlineHasPassedD4) {
  context.deadline = Deadline::at(start);
  EXPECT_EQ(call().begin(start).kind, Kind::fail);
  EXPECT_THAT(log, IsEmpty());
  EXPECT_EQ(call().failure().error_class, ErrorClass::timeout_local);
  EXPECT_EQ(call().failure().send_state, SendState::never_sent);
  auto const error = to_error(call().failure(), nullptr);
  EXPECT_STREQ(error.what(), "the deadline passed before the database was asked");
  EXPECT_EQ(detail(error, "refused_by"), "deadline");
  EXPECT_EQ(detail(error, "attempts"), "0");
}

TEST_F(PolicyCallTest, WaitsForItsTurnAtTheLimiter) {
  limiter.wait = 40ms;
  auto const action = call().begin(start);
  EXPECT_EQ(action.kind, Kind::wait_until);
  EXPECT_EQ(action.until, Deadline::at(start + 40ms));
  EXPECT_EQ(call().timer_fired(start + 39ms).kind, Kind::wait_until) << "a timer that is early goes on";
  EXPECT_EQ(call().timer_fired(start + 40ms).kind, Kind::run_attempt);
}

TEST_F(PolicyCallTest, DoesNotRetryARefusalOfTheLimiter) {
  limiter.refuse_for = 250ms;
  EXPECT_EQ(call().begin(start).kind, Kind::fail);
  EXPECT_THAT(log, ElementsAre("reserve"));
  auto const error = to_error(call().failure(), nullptr);
  EXPECT_EQ(error.error_class(), ErrorClass::capacity);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
  EXPECT_EQ(detail(error, "refused_by"), "rate_limiter");
  EXPECT_EQ(detail(error, "retry_after_ms"), "250");
}

TEST_F(PolicyCallTest, DoesNotRetryARefusalOfTheBulkhead) {
  bulkhead.answer = BulkheadAnswer::Kind::refused;
  EXPECT_EQ(call().begin(start).kind, Kind::fail);
  EXPECT_THAT(log, ElementsAre("reserve", "enter"));
  EXPECT_EQ(call().failure().refused_by, RefusedBy::bulkhead);
  EXPECT_EQ(call().failure().retry_after, 3s);
}

TEST_F(PolicyCallTest, WaitsForItsTurnInTheBulkheadUntilTheDeadline) {
  bulkhead.answer = BulkheadAnswer::Kind::queued;
  auto const action = call().begin(start);
  EXPECT_EQ(action.kind, Kind::wait_for_turn);
  EXPECT_EQ(action.until, context.deadline);
  EXPECT_EQ(call().turn_came(start + 1s).kind, Kind::run_attempt);
  EXPECT_EQ(call().succeeded(start + 2s).kind, Kind::finish);
  EXPECT_EQ(log.back(), "leave");
}

TEST_F(PolicyCallTest, LeavesTheQueueOfTheBulkheadAtTheDeadline) {
  bulkhead.answer = BulkheadAnswer::Kind::queued;
  (void)call().begin(start);
  EXPECT_EQ(call().timer_fired(start + 1s).kind, Kind::wait_for_turn) << "a timer that is early goes on";
  EXPECT_EQ(call().timer_fired(start + 30s).kind, Kind::fail);
  EXPECT_THAT(log, ElementsAre("reserve", "enter", "withdraw"));
  EXPECT_EQ(call().failure().error_class, ErrorClass::timeout_local);
  EXPECT_EQ(call().deadline_missed_in(), Phase::admission);
}

TEST_F(PolicyCallTest, GoesOnQueueingWhenTheTurnWasNoneAndGivesUpWhenTheBulkheadDoes) {
  bulkhead.answer = BulkheadAnswer::Kind::queued;
  (void)call().begin(start);
  bulkhead.offer = BulkheadAnswer::Kind::queued;
  EXPECT_EQ(call().turn_came(start + 1s).kind, Kind::wait_for_turn);
  bulkhead.offer = BulkheadAnswer::Kind::refused;
  EXPECT_EQ(call().turn_came(start + 2s).kind, Kind::fail);
  EXPECT_EQ(call().failure().refused_by, RefusedBy::bulkhead);
  EXPECT_THAT(log, ElementsAre("reserve", "enter", "accept", "accept")) << "there is no place to leave";
}

TEST_F(PolicyCallTest, TellsTheBulkheadHowTheCallEnded) {
  (void)call().begin(start);
  (void)call().succeeded(start + 1ms);
  EXPECT_EQ(bulkhead.end.failure, std::nullopt);
  EXPECT_EQ(bulkhead.end.attempts, 1u);
  made.reset();
  (void)call().begin(start);
  (void)call().failed(bad_sql, start + 1ms);
  EXPECT_EQ(bulkhead.end.failure, ErrorClass::request);
}

TEST_F(PolicyCallTest, WaitsForTheBreakersNewsWhenToldTo) {
  breaker.lets_wait = true;
  auto const action = call().begin(start);
  EXPECT_EQ(action.kind, Kind::wait_for_breaker);
  EXPECT_EQ(action.until, context.deadline);
  EXPECT_EQ(call().timer_fired(start + 1s).kind, Kind::wait_for_breaker) << "a timer that is early goes on";
  EXPECT_EQ(call().breaker_spoke(start + 2s).kind, Kind::wait_for_breaker) << "the probe is still under way";
  breaker.lets_wait = false;
  EXPECT_EQ(call().breaker_spoke(start + 3s).kind, Kind::run_attempt);
  EXPECT_EQ(call().phases().spent_in(Phase::admission), 3s);
}

TEST_F(PolicyCallTest, WaitsForTheBreakerNoLongerThanTheDeadline) {
  breaker.lets_wait = true;
  (void)call().begin(start);
  EXPECT_EQ(call().timer_fired(start + 30s).kind, Kind::fail);
  EXPECT_THAT(log, ElementsAre("reserve", "enter", "permit?", "stop waiting", "leave"));
  EXPECT_EQ(call().failure().refused_by, RefusedBy::circuit_breaker);
  EXPECT_EQ(call().failure().retry_after, 7s);

  made.reset();
  log.clear();
  (void)call().begin(start);
  EXPECT_EQ(call().cancelled(start + 1s).kind, Kind::fail);
  EXPECT_THAT(log, ElementsAre("reserve", "enter", "permit?", "stop waiting", "leave"));

  made.reset();
  (void)call().begin(start);
  EXPECT_EQ(call().breaker_spoke(start + 30s).kind, Kind::fail) << "news that come too late";
}

TEST_F(PolicyCallTest, GivesBackTheTurnThatCameTooLate) {
  bulkhead.answer = BulkheadAnswer::Kind::queued;
  (void)call().begin(start);
  EXPECT_EQ(call().turn_came(start + 30s).kind, Kind::fail);
  EXPECT_THAT(log, ElementsAre("reserve", "enter", "accept", "leave"));
}

TEST_F(PolicyCallTest, TellsThatTheBreakerIsOpen) {
  breaker.open = true;
  EXPECT_EQ(call().begin(start).kind, Kind::fail);
  EXPECT_THAT(log, ElementsAre("reserve", "enter", "permit?", "leave"));
  auto const error = to_error(call().failure(), nullptr);
  EXPECT_EQ(error.error_class(), ErrorClass::capacity);
  EXPECT_EQ(detail(error, "refused_by"), "circuit_breaker");
  EXPECT_EQ(detail(error, "retry_after_ms"), "7000");
  EXPECT_DOUBLE_EQ(budget.balance(start), 10);
}

TEST_F(PolicyCallTest, StopsRetryingWhenTheBreakerOpens) {
  (void)call().begin(start);
  breaker.open = true;
  EXPECT_EQ(call().failed(lost, start).kind, Kind::fail);
  EXPECT_EQ(call().failure().no_retry, NoRetry::breaker_open);
  EXPECT_EQ(call().failure().error_class, ErrorClass::transport) << "the failure is the attempt's";
}

TEST_F(PolicyCallTest, StopsWhenTheBreakerOpensDuringThePause) {
  breaker.opens_during_the_pause = true;
  (void)call().begin(start);
  auto const pause = call().failed(lost, start);
  ASSERT_EQ(pause.kind, Kind::wait_until);
  EXPECT_EQ(call().timer_fired(pause.until.at()).kind, Kind::fail);
  EXPECT_EQ(call().failure().no_retry, NoRetry::breaker_open);
  EXPECT_EQ(call().failure().retry_after, 7s);
  EXPECT_EQ(call().failure().send_state, SendState::unknown);
}

TEST_F(PolicyCallTest, TellsTheLastErrorWithTheReasonForNotRepeatingIt) {
  context.idempotent = Idempotent::no;
  (void)call().begin(start);
  EXPECT_EQ(call().failed(lost, start).kind, Kind::fail);
  Error const last(ErrorClass::transport, SendState::unknown, "the connection broke", "57P01", {{"host", "db"}});
  auto const error = to_error(call().failure(), &last);
  EXPECT_STREQ(error.what(), "the connection broke");
  EXPECT_EQ(error.engine_code(), "57P01");
  EXPECT_EQ(detail(error, "host"), "db");
  EXPECT_EQ(detail(error, "not_retried"), "not_idempotent");
  EXPECT_EQ(detail(error, "not_retried_because"),
            "the database may have executed it, and it is not declared safe to execute twice");
  EXPECT_EQ(detail(error, "attempts"), "1");
  EXPECT_EQ(detail(error, "phase"), "queue");
}

// R4: the send state told is that of all attempts.
TEST_F(PolicyCallTest, TellsUnknownWhenAnEarlierAttemptMayHaveBeenExecutedR4) {
  (void)call().begin(start);
  auto action = call().failed(lost, start);
  for (int retry_number = 0; retry_number < 4; ++retry_number) {
    action = call().timer_fired(action.until.at());
    action = call().failed(turned_down, start);
  }
  ASSERT_EQ(action.kind, Kind::fail);
  Error const last(ErrorClass::transport, SendState::refused, "refused");
  EXPECT_EQ(to_error(call().failure(), &last).send_state(), SendState::unknown);
}

TEST_F(PolicyCallTest, HandsTheRemedyToTheNextAttemptOnly) {
  (void)call().begin(start);
  auto action = call().failed({ErrorClass::auth, SendState::refused}, start);
  EXPECT_EQ(action.kind, Kind::run_attempt);
  EXPECT_EQ(action.remedy, Remedy::refresh_credentials);
  action = call().failed(lost, start);
  action = call().timer_fired(action.until.at());
  EXPECT_EQ(action.remedy, Remedy::none);
}

TEST_F(PolicyCallTest, DepositsForFirstAttemptsOfTheOutermostLayerOnly) {
  RetryBudget purse(start, {.floor_per_second = 0, .initial = 0});
  parts.budget = &purse;
  (void)call().begin(start);
  (void)call().failed({ErrorClass::transport, SendState::never_sent}, start);
  EXPECT_DOUBLE_EQ(purse.balance(start), 0.1) << "the free re-send is no first attempt";
  made.reset();
  context.retry_layer = RetryLayer::inner;
  (void)call().begin(start);
  EXPECT_DOUBLE_EQ(purse.balance(start), 0.1);
}

TEST_F(PolicyCallTest, GivesEverythingBackWhenCancelledWhereverItIs) {
  limiter.wait = 1s;
  (void)call().begin(start);
  EXPECT_EQ(call().cancelled(start + 1ms).kind, Kind::fail);
  EXPECT_THAT(log, ElementsAre("reserve", "give back"));
  EXPECT_EQ(call().failure().error_class, ErrorClass::cancelled);
  EXPECT_EQ(call().failure().send_state, SendState::never_sent);

  made.reset();
  log.clear();
  limiter.wait = 0s;
  bulkhead.answer = BulkheadAnswer::Kind::queued;
  (void)call().begin(start);
  EXPECT_EQ(call().cancelled(start + 1ms).kind, Kind::fail);
  EXPECT_THAT(log, ElementsAre("reserve", "enter", "withdraw"));

  made.reset();
  log.clear();
  bulkhead.answer = BulkheadAnswer::Kind::entered;
  (void)call().begin(start);
  EXPECT_EQ(call().cancelled(start + 1ms).kind, Kind::fail);
  EXPECT_THAT(log, ElementsAre("reserve", "enter", "permit?", "ignored", "leave"));
  EXPECT_EQ(call().failure().send_state, SendState::unknown);

  made.reset();
  log.clear();
  (void)call().begin(start);
  (void)call().failed(lost, start + 1ms);
  EXPECT_EQ(call().cancelled(start + 2ms).kind, Kind::fail);
  EXPECT_THAT(log, ElementsAre("reserve", "enter", "permit?", "failure", "leave"));
  EXPECT_EQ(call().failure().error_class, ErrorClass::cancelled);
  EXPECT_EQ(call().failure().send_state, SendState::unknown) << "the attempt before the pause may have been executed";
  EXPECT_STREQ(to_error(call().failure(), nullptr).what(), "the caller cancelled while the call was waiting");
}

TEST_F(PolicyCallTest, RefusesAnInputThatItDidNotAskFor) {
  EXPECT_THROW((void)call().succeeded(start), Error) << "before it began";
  (void)call().begin(start);
  EXPECT_THROW((void)call().timer_fired(start), Error);
  EXPECT_THROW((void)call().turn_came(start), Error);
  EXPECT_THROW((void)call().breaker_spoke(start), Error);
  (void)call().succeeded(start);
  EXPECT_THROW((void)call().failed(lost, start), Error) << "after its end";
  EXPECT_THROW((void)call().cancelled(start), Error);
}

TEST_F(PolicyCallTest, SetsTimeAsideForTheFallback) {
  context.deadline = Deadline::at(start + 10s);
  context.fallback = Fallback::available;
  auto const action = call().begin(start);
  EXPECT_EQ(action.until, Deadline::at(start + 9500ms));
  EXPECT_EQ(call().context_inside(action).fallback, Fallback::none);
}

TEST_F(PolicyCallTest, BoundsEachAttemptByItsOwnTimeout) {
  parts.options.attempt_timeout = 2s;
  auto action = call().begin(start);
  EXPECT_EQ(action.until, Deadline::at(start + 2s));
  action = call().failed({ErrorClass::timeout_local, SendState::unknown}, start + 2s);
  ASSERT_EQ(action.kind, Kind::wait_until) << "the call's own deadline is far";
  auto const again_at = action.until.at();
  EXPECT_EQ(call().timer_fired(again_at).until, Deadline::at(again_at + 2s));
  EXPECT_THROW(validate({.attempt_timeout = 0ms}), Error);
}

TEST_F(PolicyCallTest, OnlyNotesTheDeadlineWhenItObserves) {
  parts.options.deadline_mode = DeadlineMode::observe;
  context.deadline = Deadline::at(start + 1s);
  auto const action = call().begin(start);
  EXPECT_TRUE(action.until.is_never());
  EXPECT_EQ(call().deadline_missed_in(), std::nullopt);
  call().phases().enter(Phase::query, start + 1ms);
  EXPECT_EQ(call().succeeded(start + 3s).kind, Kind::finish);
  EXPECT_EQ(call().deadline_missed_in(), Phase::query);
}

TEST_F(PolicyCallTest, MarksWhatRunsInsideAsRetriedR5) {
  auto const action = call().begin(start);
  auto const inside = call().context_inside(action);
  EXPECT_EQ(inside.retry_layer, RetryLayer::inner);
  EXPECT_EQ(inside.deadline, action.until);
  EXPECT_EQ(inside.idempotent, Idempotent::yes);

  PolicyCall inner(parts, inside, Random(2));
  (void)inner.begin(start);
  EXPECT_EQ(inner.failed(lost, start).kind, Kind::fail);
  EXPECT_EQ(inner.failure().no_retry, NoRetry::outer_layer_retries);
}

TEST_F(PolicyCallTest, RunsWithThePartsLeftOut) {
  NoLimiter no_limiter;
  NoBulkhead no_bulkhead;
  NoBreaker no_breaker;
  PolicyParts<> const bare{retry, nullptr, no_limiter, no_bulkhead, no_breaker};
  PolicyCall plain(bare, context, Random(1));
  EXPECT_EQ(plain.begin(start).kind, Kind::run_attempt);
  EXPECT_EQ(plain.succeeded(start).kind, Kind::finish);
}

TEST(RefusedBy, HasANameForEveryLayer) {
  for (int layer = 0; layer <= static_cast<int>(RefusedBy::circuit_breaker); ++layer) {
    EXPECT_NE(name_of(static_cast<RefusedBy>(layer)), "unknown");
  }
}

TEST(Phase, HasANameForEveryPhase) {
  for (std::size_t phase = 0; phase < PhaseTimes::phase_count; ++phase) {
    EXPECT_NE(name_of(static_cast<Phase>(phase)), "unknown");
  }
}

}  // namespace
}  // namespace belay::resilience
