#include "belay/resilience/retry.hpp"

#include <algorithm>
#include <functional>
#include <vector>

#include <gtest/gtest.h>

#include "belay/resilience/presets.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using time_point = Deadline::time_point;

constexpr time_point start = time_point() + 1000h;

constexpr Failure lost{ErrorClass::transport, SendState::unknown};
constexpr Failure unsent{ErrorClass::transport, SendState::never_sent};
constexpr Failure turned_down{ErrorClass::transport, SendState::refused};
constexpr Failure conflict{ErrorClass::conflict, SendState::refused};
constexpr Failure bad_sql{ErrorClass::request, SendState::executed};

struct RetryTest : testing::Test {
  RetryPolicy policy;
  RetryBudget budget{start};
  RetryConditions conditions{.now = start};

  Retry retry(Idempotent idempotent = Idempotent::yes, RetryLayer layer = RetryLayer::outermost) const {
    return Retry(policy, idempotent, layer, Random(1));
  }
  std::optional<NoRetry> refusal(Failure const& failure, Idempotent idempotent = Idempotent::yes) {
    auto machine = retry(idempotent);
    return machine.decide(failure, conditions, &budget).refusal;
  }
};

// F22: the source's schedule: five executions, pauses within the jitter's interval, never a sixth.
TEST_F(RetryTest, MakesFiveExecutionsAndNoSixthR1) {
  for (auto const& preset : {presets::standard(), presets::enterprise()}) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed);
      RetryPolicy const source(preset.retry);
      bool const is_bounded = preset.retry.backoff.jitter == Jitter::bounded;
      Retry machine(source, Idempotent::yes, RetryLayer::outermost, Random(seed));
      for (nanoseconds const nominal : {500ms, 1000ms, 2000ms, 3000ms}) {
        auto const decision = machine.decide(lost, conditions, nullptr);
        ASSERT_FALSE(decision.refusal);
        ASSERT_GE(decision.at - start, is_bounded ? nominal / 2 : 0ns);
        ASSERT_LE(decision.at - start, nominal);
      }
      ASSERT_EQ(machine.decide(lost, conditions, nullptr).refusal, NoRetry::attempts_used_up);
    }
  }
}

TEST_F(RetryTest, SendsOnceMoreForNothingWhatNeverLeft) {
  auto machine = retry(Idempotent::no);
  auto const free = machine.decide(unsent, conditions, &budget);
  EXPECT_FALSE(free.refusal);
  EXPECT_EQ(free.at, start) << "at once";
  EXPECT_DOUBLE_EQ(budget.balance(start), 10) << "without a token";
  for (int counted = 0; counted < 4; ++counted) {
    EXPECT_FALSE(machine.decide(unsent, conditions, &budget).refusal) << "and without using up an attempt";
  }
  EXPECT_DOUBLE_EQ(budget.balance(start), 6);
  EXPECT_EQ(machine.decide(unsent, conditions, &budget).refusal, NoRetry::attempts_used_up);

  policy = RetryPolicy({.resends_unsent = false});
  EXPECT_GT(retry().decide(unsent, conditions, &budget).at, start);
}

TEST_F(RetryTest, HeedsAPushbackEvenIfNothingWasSent) {
  auto pushed_back = unsent;
  pushed_back.pushback = 2s;
  EXPECT_GE(retry().decide(pushed_back, conditions, &budget).at, start + 2s);
}

TEST_F(RetryTest, RepeatsBySendState) {
  EXPECT_EQ(refusal(unsent, Idempotent::no), std::nullopt);
  EXPECT_EQ(refusal(turned_down, Idempotent::no), std::nullopt);
  EXPECT_EQ(refusal(lost, Idempotent::no), NoRetry::not_idempotent);
  EXPECT_EQ(refusal(lost, Idempotent::yes), std::nullopt);
  EXPECT_EQ(refusal({ErrorClass::transport, SendState::executed}), NoRetry::executed);
  EXPECT_EQ(refusal({ErrorClass::timeout_server, SendState::refused}, Idempotent::no), std::nullopt);
  EXPECT_EQ(refusal({ErrorClass::timeout_server, SendState::unknown}, Idempotent::no), NoRetry::not_idempotent);
  EXPECT_EQ(refusal({ErrorClass::timeout_local, SendState::unknown}), std::nullopt);
}

TEST_F(RetryTest, DoesNotRepeatWhatDoesNotGoAway) {
  for (auto const error_class :
       {ErrorClass::request, ErrorClass::cancelled, ErrorClass::protocol, ErrorClass::internal, ErrorClass::capacity}) {
    EXPECT_EQ(refusal({error_class, SendState::refused}), NoRetry::class_forbids) << name_of(error_class);
  }
  EXPECT_EQ(refusal({ErrorClass::timeout_local, SendState::never_sent}), NoRetry::class_forbids)
      << "what queued until its deadline has no time left";
  EXPECT_DOUBLE_EQ(budget.balance(start), 10) << "no token was taken";

  policy = RetryPolicy({.retries_capacity = true});
  EXPECT_EQ(refusal({ErrorClass::capacity, SendState::never_sent}), std::nullopt) << "unless it is asked for";
}

TEST_F(RetryTest, WaitsAtLeastASecondAfterAnOverload) {
  Failure overload{ErrorClass::overload, SendState::refused};
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Retry machine(policy, Idempotent::no, RetryLayer::outermost, Random(seed));
    auto const pause = machine.decide(overload, conditions, nullptr).at - start;
    ASSERT_GE(pause, 1s);
    ASSERT_LE(pause, 1200ms);
  }
  overload.pushback = 10s;
  EXPECT_GE(retry().decide(overload, conditions, &budget).at, start + 10s);
  EXPECT_LE(retry().decide(overload, conditions, &budget).at, start + 12s);
  EXPECT_DOUBLE_EQ(budget.balance(start), 8) << "from the budget";
}

TEST_F(RetryTest, RepeatsOnceWithNewCredentials) {
  Failure const rejected{ErrorClass::auth, SendState::refused};
  auto machine = retry();
  auto const decision = machine.decide(rejected, conditions, &budget);
  EXPECT_FALSE(decision.refusal);
  EXPECT_EQ(decision.remedy, Remedy::refresh_credentials);
  EXPECT_EQ(decision.at, start);
  EXPECT_EQ(machine.decide(rejected, conditions, &budget).refusal, NoRetry::remedy_used_up);
}

TEST_F(RetryTest, RepeatsOnceAtAnotherAddressWhatAReadOnlyNodeRefused) {
  Failure const read_only{ErrorClass::role, SendState::refused};
  auto machine = retry(Idempotent::no);
  auto const decision = machine.decide(read_only, conditions, &budget);
  EXPECT_FALSE(decision.refusal);
  EXPECT_EQ(decision.remedy, Remedy::resolve_again);
  EXPECT_EQ(machine.decide(read_only, conditions, &budget).refusal, NoRetry::remedy_used_up);
  EXPECT_EQ(refusal({ErrorClass::role, SendState::unknown}), NoRetry::class_forbids);
}

TEST_F(RetryTest, ReplaysConflictsOnTheirOwnScheduleOutsideAttemptsAndBudget) {
  auto machine = retry(Idempotent::no);
  conditions.deadline = Deadline::at(start + 60s);
  for (unsigned replay = 0; replay < 100; ++replay) {
    auto const decision = machine.decide(conflict, conditions, &budget);
    ASSERT_FALSE(decision.refusal) << replay;
    ASSERT_LE(decision.at - start, nominal_pause(conflict_backoff, replay));
  }
  EXPECT_DOUBLE_EQ(budget.balance(start), 10);
  EXPECT_FALSE(machine.decide(turned_down, conditions, &budget).refusal) << "the attempts are all still there";
  EXPECT_LE(machine.decide(turned_down, conditions, &budget).at - start, 1s) << "and so is their schedule";
  conditions.now = start + 60s - 500us;
  conditions.min_useful_budget = 1ms;
  EXPECT_EQ(machine.decide(conflict, conditions, &budget).refusal, NoRetry::deadline_too_near);

  policy = RetryPolicy({.replays_conflicts = false});
  EXPECT_EQ(refusal(conflict), NoRetry::class_forbids);
}

// 32 writers on one record: a commit wins if nobody else has committed since it read. Without tokens, all get through.
TEST_F(RetryTest, BringsThirtyTwoWritersOfOneRecordThrough) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RetryBudget empty(start, {.floor_per_second = 0, .initial = 0});
    Random random(seed);
    struct Writer {
      Retry retry;
      time_point reads_at;
      std::uint64_t saw = 0;
      bool has_read = false;
    };
    std::vector<Writer> writers;
    for (int i = 0; i < 32; ++i) {
      writers.push_back({Retry(policy, Idempotent::no, RetryLayer::outermost, Random(random.next())), start});
    }
    std::uint64_t version = 0;
    time_point now = start;
    while (!writers.empty() && now < start + 60s) {
      now += 1ms;
      for (auto& writer : writers) {
        if (!writer.has_read && writer.reads_at <= now) {
          writer.saw = version;
          writer.has_read = true;
          writer.reads_at = now + 5ms;  // when it commits
        }
      }
      std::erase_if(writers, [&](Writer& writer) {
        if (!writer.has_read || writer.reads_at > now) return false;
        writer.has_read = false;
        if (writer.saw == version) {
          ++version;
          return true;
        }
        auto const decision =
            writer.retry.decide(conflict, {.now = now, .deadline = Deadline::at(start + 60s)}, &empty);
        EXPECT_FALSE(decision.refusal);
        writer.reads_at = decision.at;
        return false;
      });
    }
    EXPECT_EQ(version, 32u);
  }
}

TEST_F(RetryTest, StartsNoPauseThatTheDeadlineCutsShort) {
  policy = RetryPolicy({.backoff = {.jitter = Jitter::bounded, .bounded_from = 1}});
  conditions.min_useful_budget = 20ms;
  conditions.deadline = Deadline::at(start + 520ms - 1ns);
  EXPECT_EQ(refusal(lost), NoRetry::deadline_too_near);
  EXPECT_DOUBLE_EQ(budget.balance(start), 10) << "no token is taken for it";
  conditions.deadline = Deadline::at(start + 520ms);
  EXPECT_EQ(refusal(lost), std::nullopt);
  conditions.deadline = Deadline::at(start + 10ms);
  EXPECT_EQ(refusal(unsent), NoRetry::deadline_too_near) << "a free re-send wants useful time too";
}

TEST_F(RetryTest, TakesNoTokenWhileTheBreakerIsOpen) {
  conditions.breaker_open = true;
  EXPECT_EQ(refusal(lost), NoRetry::breaker_open);
  EXPECT_EQ(refusal(unsent), NoRetry::breaker_open);
  EXPECT_EQ(refusal(conflict), NoRetry::breaker_open);
  EXPECT_DOUBLE_EQ(budget.balance(start), 10);
}

TEST_F(RetryTest, StopsWhenTheBudgetIsSpent) {
  RetryBudget one(start, {.initial = 1});
  auto machine = retry();
  EXPECT_FALSE(machine.decide(lost, conditions, &one).refusal);
  EXPECT_EQ(machine.decide(lost, conditions, &one).refusal, NoRetry::budget_empty);
  EXPECT_FALSE(machine.decide(lost, conditions, nullptr).refusal) << "no budget is an unlimited one";
}

// The order of the questions: whatever is wrong besides, the first reason in the order is the one that is told.
TEST_F(RetryTest, AsksInTheStatedOrder) {
  RetryBudget spent(start, {.floor_per_second = 0, .initial = 0});
  RetryConditions const all_wrong{
      .now = start, .deadline = Deadline::at(start + 1us), .min_useful_budget = 1s, .breaker_open = true};
  RetryPolicy const none({.retries_max = 0});
  auto const first_reason = [&](Failure const& failure, Idempotent idempotent, RetryLayer layer) {
    Retry machine(none, idempotent, layer, Random(1));
    return machine.decide(failure, all_wrong, &spent).refusal;
  };
  EXPECT_EQ(first_reason(bad_sql, Idempotent::no, RetryLayer::inner), NoRetry::class_forbids);
  EXPECT_EQ(first_reason({ErrorClass::transport, SendState::executed}, Idempotent::no, RetryLayer::inner),
            NoRetry::executed);
  EXPECT_EQ(first_reason(lost, Idempotent::no, RetryLayer::inner), NoRetry::not_idempotent);
  EXPECT_EQ(first_reason(lost, Idempotent::yes, RetryLayer::inner), NoRetry::outer_layer_retries);
  EXPECT_EQ(first_reason(lost, Idempotent::yes, RetryLayer::outermost), NoRetry::attempts_used_up);
  auto machine = retry();
  EXPECT_EQ(machine.decide(lost, all_wrong, &spent).refusal, NoRetry::deadline_too_near);
  auto conditions_left = all_wrong;
  conditions_left.deadline = Deadline::never();
  EXPECT_EQ(machine.decide(lost, conditions_left, &spent).refusal, NoRetry::breaker_open);
  conditions_left.breaker_open = false;
  EXPECT_EQ(machine.decide(lost, conditions_left, &spent).refusal, NoRetry::budget_empty);
}

TEST_F(RetryTest, LengthensPausesAfterATlsFailureIfAsked) {
  auto tls = lost;
  tls.is_tls = true;
  policy = RetryPolicy({.backoff = {.jitter = Jitter::bounded, .bounded_from = 1}, .tls_factor = 2});
  EXPECT_EQ(retry().decide(tls, conditions, &budget).at, start + 1s);
  EXPECT_EQ(retry().decide(lost, conditions, &budget).at, start + 500ms);
}

// R5: of three layers around one call, the outermost repeats: 5 executions, not 125.
TEST_F(RetryTest, RepeatsAtTheOutermostLayerOnlyR5) {
  int executions = 0;
  std::function<void(RetryLayer, int)> const call = [&](RetryLayer layer, int depth) {
    Retry machine(policy, Idempotent::yes, layer, Random(1));
    do {
      if (depth == 0) {
        ++executions;
      } else {
        call(machine.layer_inside(), depth - 1);
      }
    } while (!machine.decide(lost, conditions, nullptr).refusal);
  };
  call(RetryLayer::outermost, 2);
  EXPECT_EQ(executions, 5);
}

TEST_F(RetryTest, LeavesRepeatingToAnInnerLayerWhenItDoesNotRepeatItself) {
  RetryPolicy const none({.retries_max = 0});
  EXPECT_EQ(Retry(none, Idempotent::yes, RetryLayer::outermost, Random(1)).layer_inside(), RetryLayer::outermost);
  EXPECT_EQ(Retry(none, Idempotent::yes, RetryLayer::inner, Random(1)).layer_inside(), RetryLayer::inner);
  EXPECT_EQ(retry().layer_inside(), RetryLayer::inner);
}

// R4: an attempt that may have been executed is not undone by a later one that was refused.
TEST_F(RetryTest, RemembersTheMostThatTheServerMayHaveDoneR4) {
  auto machine = retry();
  EXPECT_EQ(machine.send_state(), SendState::never_sent);
  (void)machine.decide(unsent, conditions, &budget);
  EXPECT_EQ(machine.send_state(), SendState::never_sent);
  (void)machine.decide(turned_down, conditions, &budget);
  EXPECT_EQ(machine.send_state(), SendState::refused);
  (void)machine.decide(lost, conditions, &budget);
  (void)machine.decide(unsent, conditions, &budget);
  EXPECT_EQ(machine.send_state(), SendState::unknown);
  (void)machine.decide(bad_sql, conditions, &budget);
  EXPECT_EQ(machine.send_state(), SendState::executed);
  EXPECT_EQ(machine.failed_attempts(), 5u);
}

// F23: 200 clients of one outage come back spread over the pause; with the jitter taken away the same measure fails.
TEST_F(RetryTest, SpreadsTwoHundredClientsOfOneOutageR8) {
  auto const crowd = [&](RetryPolicy const& of) {
    std::array<int, 10> bins{};
    Random random(9);
    for (int client = 0; client < 200; ++client) {
      Retry machine(of, Idempotent::yes, RetryLayer::outermost, Random(random.next()));
      auto const pause = machine.decide(lost, conditions, nullptr).at - start;
      ++bins[static_cast<std::size_t>(std::min<nanoseconds::rep>(pause / 50ms, 9))];
    }
    return *std::max_element(bins.begin(), bins.end());
  };
  EXPECT_LT(crowd(RetryPolicy()), 40) << "20 of 200 are expected in each tenth of the pause";
  EXPECT_EQ(crowd(RetryPolicy({.backoff = {.jitter = Jitter::bounded, .bounded_from = 1}})), 200);
}

TEST(RetryOptions, AreRefusedByNameWhenOutOfRange) {
  EXPECT_NO_THROW(RetryPolicy({.retries_max = 0}));
  EXPECT_NO_THROW(RetryPolicy({.overload_pushback = std::nullopt}));
  EXPECT_THROW(RetryPolicy({.retries_max = 101}), Error);
  EXPECT_THROW(RetryPolicy({.tls_factor = 0.5}), Error);
  EXPECT_THROW(RetryPolicy({.overload_pushback = 0ms}), Error);
  EXPECT_THROW(RetryPolicy({.conflicts = {.base = 1s, .cap = 1ms}}), Error);
  try {
    RetryPolicy({.backoff = {.base = 0ms}});
    FAIL();
  } catch (Error const& error) {
    EXPECT_STREQ(error.what(), "retry backoff option base is 0 ms, it must lie between 0.001 ms and 3600000 ms");
  }
}

TEST(Presets, CarryTheSourcesFigures) {
  auto const standard = presets::standard().retry;
  auto const enterprise = presets::enterprise().retry;
  for (auto const& preset : {standard, enterprise}) {
    EXPECT_EQ(preset.retries_max, 4u);
    EXPECT_EQ(preset.backoff.base, 500ms);
    EXPECT_EQ(preset.backoff.cap, 3s);
    EXPECT_EQ(preset.tls_factor, 1);
    EXPECT_NO_THROW(RetryPolicy{preset});
  }
  EXPECT_EQ(standard.backoff.jitter, Jitter::full);
  EXPECT_EQ(enterprise.backoff.jitter, Jitter::bounded);
  EXPECT_NO_THROW(validate(presets::standard().retry_budget));
  EXPECT_NO_THROW(validate(presets::enterprise().retry_budget));
}

TEST(NoRetry, HasANameAndASentenceForEveryReason) {
  for (int reason = 0; reason <= static_cast<int>(NoRetry::budget_empty); ++reason) {
    EXPECT_NE(name_of(static_cast<NoRetry>(reason)), "unknown");
    EXPECT_NE(sentence_of(static_cast<NoRetry>(reason)), "unknown");
  }
}

}  // namespace
}  // namespace belay::resilience
