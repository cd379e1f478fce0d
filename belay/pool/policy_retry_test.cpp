// What the policy repeats, when, and how often.
#include <algorithm>
#include <array>

#include <gmock/gmock.h>

#include "belay/pool/test_policy.hpp"

namespace belay::pool {
namespace {

using testing::ElementsAre;

struct PolicyRetryTest : PolicyTest {};

TEST_F(PolicyRetryTest, PausesExactlyAsLongAsTheScheduleSays) {
  server.failures = 4;
  EXPECT_EQ(call().value, 5);
  EXPECT_THAT(server.asked_at, ElementsAre(start, start + 500ms, start + 1500ms, start + 3500ms, start + 6500ms));
  EXPECT_EQ(counters().retries(ErrorClass::transport), 4u);
}

// F22: k failures, then success. The pauses lie in the enterprise preset's bounds; there is no sixth attempt.
TEST_F(PolicyRetryTest, MakesOneAttemptMoreThanFailuresUpToFiveF22) {
  constexpr std::array<std::chrono::nanoseconds, 4> nominal{500ms, 1s, 2s, 3s};
  for (std::size_t failures = 0; failures <= 5; ++failures) {
    SCOPED_TRACE(failures);
    options = policy_options(resilience::presets::enterprise());
    made.reset();
    server.asked_at.clear();
    server.failures = failures;
    auto const result = call();
    ASSERT_EQ(server.asked_at.size(), std::min<std::size_t>(failures + 1, 5));
    for (std::size_t i = 1; i < server.asked_at.size(); ++i) {
      auto const pause = server.asked_at[i] - server.asked_at[i - 1];
      EXPECT_GE(pause, nominal[i - 1] / 2);
      EXPECT_LE(pause, nominal[i - 1]);
    }
    if (failures < 5) {
      EXPECT_EQ(result.value, static_cast<int>(failures) + 1);
    } else {
      ASSERT_TRUE(result.error);
      EXPECT_STREQ(result.error->what(), "the server failed");
      EXPECT_EQ(result.error->detail("not_retried"), "attempts_used_up");
      EXPECT_EQ(result.error->detail("attempts"), "5");
      EXPECT_EQ(counters().given_up(NoRetry::attempts_used_up), 1u);
    }
  }
}

/// Whether no 25 ms of the first half second saw more than a tenth of the retries (a twentieth is their even share).
bool are_spread(std::vector<Deadline::time_point> const& retries, Deadline::time_point since) {
  std::array<std::size_t, 20> slices{};
  for (auto const at : retries) {
    auto const slice = static_cast<std::size_t>((at - since) / 25ms);
    ++slices[std::min(slice, slices.size() - 1)];
  }
  return *std::max_element(slices.begin(), slices.end()) <= retries.size() / 10;
}

/// 200 clients with a policy each fail at the same instant; when they come again.
std::vector<Deadline::time_point> retries_after_an_outage(resilience::BackoffOptions const& backoff) {
  testkit::SimScheduler world(23);
  auto const time = std::make_shared<testkit::SimTime>(world);
  TestServer server(*time);
  server.failures = 200;
  auto const body = [&](Attempt& attempt) { return server.answer(attempt); };
  auto options = policy_options(resilience::presets::standard());
  options.read.retry.backoff = backoff;
  std::vector<Policy> policies;
  std::vector<CallResult> results(200);
  for (auto& result : results) {
    PolicyEnvironment environment;
    environment.time = time;
    environment.random = Random(policies.size());
    policies.emplace_back(options, std::move(environment));
    boost::asio::co_spawn(world.get_executor(), keep(policies.back().run({}, body), result, *time),
                          boost::asio::detached);
  }
  world.run();
  for (auto const& result : results) EXPECT_EQ(result.value, 2);
  EXPECT_EQ(server.asked_at.size(), 400u);
  return {server.asked_at.begin() + 200, server.asked_at.end()};
}

TEST(PolicyRetries, OfManyClientsAreSpreadAfterAnOutageF23) {
  EXPECT_TRUE(are_spread(retries_after_an_outage({}), testkit::SimScheduler::start_time()));
  resilience::BackoffOptions without_jitter;
  without_jitter.jitter = resilience::Jitter::bounded;
  without_jitter.bounded_from = 1;
  EXPECT_FALSE(are_spread(retries_after_an_outage(without_jitter), testkit::SimScheduler::start_time()))
      << "the measure does not see a spike";
}

TEST_F(PolicyRetryTest, StopsWhenTheBudgetIsSpent) {
  options.read.breaker.reset();
  options.retry_budget = resilience::RetryBudgetOptions{0.1, 0, 10, 2};
  server.failures = 1000;
  for (int i = 0; i < 20; ++i) {
    auto const result = call();
    EXPECT_TRUE(result.error);
  }
  // 2 tokens at the start and a tenth for each of 20 first attempts.
  EXPECT_EQ(counters().retries(ErrorClass::transport), 4u);
  EXPECT_EQ(server.asked_at.size(), 24u);
  EXPECT_EQ(counters().given_up(NoRetry::budget_empty), 20u);
}

TEST_F(PolicyRetryTest, DoesNotRepeatAWriteThatMayHaveBeenExecuted) {
  server.failures = 1;
  server.send_state = SendState::unknown;
  auto const result = call();
  EXPECT_EQ(result.error->detail("not_retried"), "not_idempotent");
  EXPECT_EQ(result.error->send_state(), SendState::unknown);
  server.failures = 2;
  CallOptions idempotent;
  idempotent.context.idempotent = Idempotent::yes;
  EXPECT_EQ(call(idempotent).value, 2);
}

// R5: three layers of five attempts are five attempts.
TEST_F(PolicyRetryTest, OnlyTheOutermostLayerRetriesR5) {
  server.failures = 1000;
  Policy inner(options, [&] {
    PolicyEnvironment environment;
    environment.time = time;
    return environment;
  }());
  Policy innermost = inner;
  std::function<boost::asio::awaitable<int>(Attempt&)> const ask = body;
  auto const through_innermost = [&](Attempt& attempt) {
    CallOptions with;
    with.operation = OperationClass::write;
    with.context = attempt.context;
    return innermost.run(with, ask);
  };
  body = [&](Attempt& attempt) {
    CallOptions with;
    with.context = attempt.context;
    return inner.run(with, through_innermost);
  };
  auto const result = call();
  EXPECT_EQ(server.asked_at.size(), 5u);
  ASSERT_TRUE(result.error);
  EXPECT_EQ(counters().given_up(NoRetry::attempts_used_up), 1u);
  auto const inside = inner.snapshot().of(OperationClass::write).counters;
  EXPECT_EQ(inside.calls, 5u);
  EXPECT_EQ(inside.attempts, 5u);
  EXPECT_EQ(inside.given_up(NoRetry::outer_layer_retries), 5u);
}

// D1: limiter, queue, attempts and pauses all draw on one deadline.
TEST_F(PolicyRetryTest, SpendsOneDeadlineOnAllPhasesD1) {
  options.rate_limit = {.per_second = 1, .burst = 1};
  options.bulkhead = resilience::BulkheadOptions();
  options.bulkhead->concurrent_max = 1;
  auto const ask = std::exchange(body, [this](Attempt&) -> boost::asio::awaitable<int> {
    co_await time->wait_for(2s);
    co_return 0;
  });
  CallResult first;
  spawn(first);
  world.run_for(1ms);
  body = ask;
  server.takes = 2s;
  server.failures = 1000;
  CallResult result;
  spawn(result, until(6s));  // a turn at 1 s, a place at 2 s, failures at 4 s and 6.5 s - too late
  auto const deadline = Deadline::at(world.now() + 6s);
  world.run();
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->detail("not_retried"), "deadline_too_near");
  EXPECT_THAT(server.asked_at, ElementsAre(start + 2s, start + 4500ms));
  EXPECT_EQ(server.deadlines[0], deadline);
  EXPECT_EQ(server.deadlines[1], deadline) << "what is left, not a time of its own";
}

TEST_F(PolicyRetryTest, DoesNotBeginAPauseThatEndsAfterTheDeadline) {
  server.failures = 1;
  auto const result = call(until(500ms));
  EXPECT_EQ(result.error->detail("not_retried"), "deadline_too_near");
  EXPECT_EQ(result.ended_at, start) << "fails at once, with the time that is left";
}

TEST_F(PolicyRetryTest, BoundsAnAttemptByItsOwnTimeToo) {
  options.read.call.attempt_timeout = 250ms;
  server.failures = 1;
  (void)call(until(700ms));
  EXPECT_THAT(server.deadlines, ElementsAre(Deadline::at(start + 250ms), Deadline::at(start + 700ms)));
}

}  // namespace
}  // namespace belay::pool
