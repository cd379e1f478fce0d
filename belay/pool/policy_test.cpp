#include "belay/pool/policy.hpp"

#include <stdexcept>

#include <boost/asio/error.hpp>
#include <gmock/gmock.h>

#include "belay/pool/test_policy.hpp"

namespace belay::pool {
namespace {

namespace asio = boost::asio;
using testing::ElementsAre;

TEST_F(PolicyTest, ReturnsWhatTheBodyReturns) {
  EXPECT_EQ(call().value, 1);
  auto const counted = counters();
  EXPECT_EQ(counted.calls, 1u);
  EXPECT_EQ(counted.attempts, 1u);
  EXPECT_EQ(counted.successes, 1u);
}

asio::awaitable<void> nothing(Attempt&) { co_return; }
asio::awaitable<std::unique_ptr<int>> movable(Attempt&) { co_return std::make_unique<int>(4); }

TEST_F(PolicyTest, ReturnsAnythingMovableOrNothing) {
  world.run(policy().run({}, nothing));
  EXPECT_EQ(*world.run(policy().run({}, movable)), 4);
}

template <class F>
concept CanBeRun = requires(Policy policy, F&& body) {
  policy.run(CallOptions(), std::forward<F>(body));
};
struct OwningBody {
  std::string owned;
  asio::awaitable<int> operator()(Attempt& attempt) const { return answer(attempt); }
  static asio::awaitable<int> answer(Attempt& attempt) { co_return static_cast<int>(attempt.number); }
};
static_assert(CanBeRun<OwningBody&>);
static_assert(CanBeRun<OwningBody> == !temporaries_break_in_co_await, "a body that co_await would destroy twice");

// D4, and the first layer.
TEST_F(PolicyTest, FailsBeforeAnyWorkWhenTheDeadlineHasPassedD4) {
  options.rate_limit = resilience::RateLimit();
  auto const result = call(until(0ns));
  EXPECT_TRUE(result.is_refused_by("deadline"));
  EXPECT_EQ(result.error->error_class(), ErrorClass::timeout_local);
  EXPECT_TRUE(server.asked_at.empty());
  EXPECT_EQ(counters().refusals(RefusedBy::deadline), 1u);
}

// Each layer is asked only after those before it have let the call through.
TEST_F(PolicyTest, PassesTheLayersInTheirFixedOrder) {
  options.rate_limit = {.per_second = 1, .burst = 2, .wait_max = 0ns};
  options.bulkhead = resilience::BulkheadOptions();
  options.bulkhead->concurrent_max = 1;
  options.bulkhead->queue_max = 0;
  server.takes = 500ms;
  CallResult inside;
  CallResult crowded_out;
  CallResult too_many;
  spawn(inside);
  world.run_for(1ms);
  EXPECT_EQ(policy().snapshot().bulkhead->in_use, 1u);
  spawn(crowded_out);  // the limiter's second permit, but no place
  world.run_for(1ms);
  EXPECT_TRUE(crowded_out.is_refused_by("bulkhead"));
  spawn(too_many);  // neither: the limiter speaks first
  world.run();
  EXPECT_TRUE(too_many.is_refused_by("rate_limiter"));
  EXPECT_EQ(inside.value, 1);
  auto const seen = policy().snapshot();
  EXPECT_EQ(seen.of(OperationClass::read).breaker->counters.admitted, 1u) << "the breaker was asked by nobody else";
  EXPECT_EQ(seen.bulkhead->in_use, 0u);
}

TEST_F(PolicyTest, IsTurnedAwayByABreakerThatOpensWhileItQueues) {
  options.bulkhead = resilience::BulkheadOptions();
  options.bulkhead->concurrent_max = 1;
  server.takes = 1s;
  CallResult inside;
  CallResult queued;
  spawn(inside);
  world.run_for(1ms);
  spawn(queued);
  world.run_for(1ms);
  EXPECT_EQ(policy().snapshot().bulkhead->waiting, 1u);
  breaker().force_open(world.now());
  world.run();
  EXPECT_EQ(inside.value, 1);
  EXPECT_TRUE(queued.is_refused_by("circuit_breaker"));
  EXPECT_EQ(queued.ended_at, start + 1s) << "when its turn at the bulkhead came";
  EXPECT_EQ(policy().snapshot().bulkhead->in_use, 0u) << "the place was given back";
}

TEST_F(PolicyTest, KeepsItsPlaceButNoPermitDuringAPause) {
  options.bulkhead = resilience::BulkheadOptions();
  server.failures = 1;
  CallResult result;
  spawn(result);
  world.run_for(100ms);
  EXPECT_EQ(policy().snapshot().bulkhead->in_use, 1u);
  world.run();
  EXPECT_EQ(result.value, 2);
  EXPECT_EQ(breaker().snapshot(world.now()).counters.admitted, 2u);
  EXPECT_EQ(policy().snapshot().bulkhead->in_use, 0u);
}

TEST_F(PolicyTest, GivesTurnsInOrderAndRefusesThoseWhoseTimeIsOver) {
  options.bulkhead = resilience::BulkheadOptions();
  options.bulkhead->concurrent_max = 1;
  server.takes = 1s;
  std::vector<CallResult> results(4);
  for (auto& result : results) {
    spawn(result, until(&result == &results[1] ? 500ms : 10s));
    world.run_for(1ms);
  }
  world.run();
  EXPECT_TRUE(results[1].is_refused_by("deadline"));
  EXPECT_EQ(results[1].ended_at, start + 1ms + 500ms) << "at its deadline, not at its turn";
  EXPECT_EQ(results[0].ended_at, start + 1s);
  EXPECT_EQ(results[2].ended_at, start + 2s);
  EXPECT_EQ(results[3].ended_at, start + 3s);
}

TEST_F(PolicyTest, SlowsDownWhenTheServerIsOverloaded) {
  options.rate_limit = resilience::RateLimit();
  server.failures = 1;
  server.error_class = ErrorClass::overload;
  EXPECT_EQ(policy().snapshot().rate_share, 1);
  CallResult result;
  spawn(result);
  world.run_for(1ms);
  EXPECT_NEAR(*policy().snapshot().rate_share, 0.7, 0.01);
}

asio::awaitable<int> throw_logic_error(Attempt&) {
  throw std::logic_error("a bug of the caller's");
  co_return 0;
}
asio::awaitable<int> be_aborted(Attempt&) {
  throw boost::system::system_error(asio::error::operation_aborted);
  co_return 0;
}

TEST_F(PolicyTest, PassesForeignExceptionsThroughWithoutRetry) {
  body = throw_logic_error;
  auto const result = call();
  EXPECT_EQ(result.other, "a bug of the caller's");
  EXPECT_EQ(counters().attempts, 1u);
  EXPECT_EQ(counters().failures(ErrorClass::internal), 1u);
  EXPECT_EQ(breaker().snapshot(world.now()).failures_in_row, 1u);
}

TEST_F(PolicyTest, TakesAnAbortedOperationForACancelledCall) {
  body = be_aborted;
  auto const result = call();
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->error_class(), ErrorClass::cancelled);
  EXPECT_EQ(result.error->send_state(), SendState::unknown);
  EXPECT_EQ(breaker().snapshot(world.now()).failures_in_row, 0u);
  EXPECT_EQ(breaker().snapshot(world.now()).counters.ignored, 1u);
}

TEST_F(PolicyTest, TellsItsHooksWhatHappens) {
  std::vector<std::string> told;
  hooks.before_attempt = [&](Attempt const& attempt) { told.push_back("before " + std::to_string(attempt.number)); };
  hooks.after_attempt = [&](AttemptEnd const& end) {
    told.push_back("after " + std::to_string(end.number) + (end.failure ? " failed" : " succeeded") + " in " +
                   std::to_string(end.took / 1ms) + " ms");
  };
  hooks.on_retry = [&](RetryPlan const& plan) { told.push_back("retry in " + std::to_string(plan.pause / 1ms)); };
  hooks.on_refusal = [&](CallRefusal const& refusal) {
    told.push_back("refused by " + std::string(resilience::name_of(refusal.layer)));
  };
  hooks.on_breaker_change = [&](BreakerChange const& change) {
    told.push_back(std::string(name_of(change.operation)) + " breaker " +
                   std::string(resilience::name_of(change.event.to)));
  };
  server.takes = 20ms;
  server.failures = 1;
  (void)call();
  breaker().force_open(world.now());
  (void)call();
  EXPECT_THAT(
      told, ElementsAre("before 1", "after 1 failed in 20 ms", "retry in 500", "before 2", "after 2 succeeded in 20 ms",
                        "read breaker forced_open", "refused by circuit_breaker"));
}

TEST_F(PolicyTest, RefreshesCredentialsBeforeTheNextAttempt) {
  std::vector<resilience::Remedy> applied;
  remedy = [&](resilience::Remedy what, Attempt& attempt) -> asio::awaitable<void> {
    EXPECT_EQ(attempt.number, 2u);
    applied.push_back(what);
    co_await time->wait_for(30ms);
  };
  server.failures = 1;
  server.error_class = ErrorClass::auth;
  EXPECT_EQ(call().value, 2);
  EXPECT_THAT(applied, ElementsAre(resilience::Remedy::refresh_credentials));
  EXPECT_THAT(server.asked_at, ElementsAre(start, start + 30ms));
}

TEST_F(PolicyTest, FailsWithTheRemedysErrorWhenItFails) {
  remedy = [&](resilience::Remedy, Attempt&) -> asio::awaitable<void> {
    throw Error(ErrorClass::auth, SendState::never_sent, "no new credentials to be had");
    co_return;
  };
  server.failures = 1;
  server.error_class = ErrorClass::auth;
  auto const result = call();
  ASSERT_TRUE(result.error);
  EXPECT_STREQ(result.error->what(), "no new credentials to be had");
  EXPECT_EQ(result.error->detail("not_retried"), "remedy_used_up");
  EXPECT_EQ(server.asked_at.size(), 1u);
}

TEST_F(PolicyTest, HonoursThePushbackThatTheBodyTells) {
  server.failures = 1;
  server.error_class = ErrorClass::overload;
  body = [this](Attempt& attempt) {
    attempt.pushback = 4s;
    return server.answer(attempt);
  };
  EXPECT_EQ(call().value, 2);
  EXPECT_GE(server.asked_at.at(1), start + 4s);
  EXPECT_LE(server.asked_at.at(1), start + 4s + 800ms);
}

TEST_F(PolicyTest, KeepsABreakerForEachClassAndOneBudgetForAll) {
  options.retry_budget = resilience::RetryBudgetOptions{0, 0, 1, 1};
  options.read.breaker->consecutive->failures = 2;
  server.failures = 100;
  (void)call();  // one retry: the budget's only token, and the second failure
  EXPECT_EQ(breaker().state(), resilience::BreakerState::open);
  CallOptions write;
  write.operation = OperationClass::write;
  auto const result = call(write);
  EXPECT_EQ(result.error->detail("not_retried"), "budget_empty");
  EXPECT_EQ(policy().breaker(OperationClass::write)->state(), resilience::BreakerState::closed);
  EXPECT_EQ(policy().snapshot().budget_balance, 0);
}

TEST(PolicyOptionsTest, RefusesNonsenseAtConstruction) {
  auto options = policy_options(resilience::presets::standard());
  options.write.retry.retries_max = 101;
  EXPECT_THROW(Policy{options}, Error);
  options = PolicyOptions();
  options.connect.breaker->open_for = 0ns;
  EXPECT_THROW(Policy{options}, Error);
  options = PolicyOptions();
  options.bulkhead.emplace().concurrent_max = 0;
  EXPECT_THROW(Policy{options}, Error);
  options = PolicyOptions();
  options.read.call.attempt_timeout = 0ns;
  EXPECT_THROW(Policy{options}, Error);
}

TEST(PolicyOptionsTest, TakesThePresetsFiguresForEveryClass) {
  auto const options = policy_options(resilience::presets::enterprise());
  for (auto const& operation : {options.read, options.write, options.connect}) {
    EXPECT_EQ(operation.retry.backoff.jitter, resilience::Jitter::bounded);
    EXPECT_EQ(operation.breaker->open_for, 60s);
    EXPECT_EQ(operation.breaker->open_for_max, 60s);
    EXPECT_EQ(operation.breaker->consecutive->failures, 5u);
  }
}

}  // namespace
}  // namespace belay::pool
