// Whole calls against a server that fails in every way and remembers what it really did: virtual time, seeded.
#include <algorithm>
#include <queue>
#include <vector>

#include <gtest/gtest.h>

#include "belay/resilience/policy_core.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using time_point = Deadline::time_point;
using Kind = PolicyAction::Kind;

constexpr time_point start = time_point() + 1000h;

nanoseconds up_to(nanoseconds longest, Random& random) {
  return nanoseconds(static_cast<nanoseconds::rep>(random.below(static_cast<std::uint64_t>(longest.count()) + 1)));
}

/// What an attempt did, as the client sees it and as it was.
struct Attempt {
  nanoseconds took{};
  std::optional<Failure> failure{};
  bool was_executed = false;
};

/// Fails with the given probability, in a random way; the way it tells may hide what it did, never deny it.
Attempt attempt_at(Random& random, double failing, nanoseconds time_left) {
  Attempt attempt{.took = up_to(200ms, random)};
  if (random.uniform() >= failing) {
    attempt.was_executed = true;
  } else {
    switch (random.below(10)) {
      case 0: attempt.failure = {ErrorClass::transport, SendState::never_sent}; break;
      case 1: attempt.failure = {ErrorClass::transport, SendState::refused}; break;
      case 2:  // the connection broke before the server read the request
        attempt.failure = {ErrorClass::transport, SendState::unknown, std::nullopt, true};
        break;
      case 3:  // it broke after the commit, before the answer
        attempt.failure = {ErrorClass::transport, SendState::unknown};
        attempt.was_executed = true;
        break;
      case 4: attempt.failure = {ErrorClass::overload, SendState::refused, up_to(2s, random) + 1ms}; break;
      case 5: attempt.failure = {ErrorClass::conflict, SendState::refused}; break;
      case 6: attempt.failure = {ErrorClass::auth, SendState::refused}; break;
      case 7: attempt.failure = {ErrorClass::request, SendState::executed}; break;
      case 8: attempt.failure = {ErrorClass::timeout_server, SendState::refused}; break;
      default: attempt.took = 1h; attempt.was_executed = random.below(2) == 0;
    }
  }
  if (attempt.took >= time_left) {  // the client gives up; what the server did or goes on to do stays unseen
    attempt.took = time_left;
    bool const is_sent = !attempt.failure || attempt.failure->send_state != SendState::never_sent;
    attempt.failure = {ErrorClass::timeout_local, is_sent ? SendState::unknown : SendState::never_sent};
  }
  return attempt;
}

/// Gates that count what they gave and got back.
struct CountingBulkhead {
  struct Ticket {};
  int inside = 0;
  BulkheadAnswer enter(Ticket&, time_point, Deadline) { return ++inside, BulkheadAnswer{}; }
  BulkheadAnswer accept(Ticket&, time_point) { return {}; }
  void leave(Ticket&, CallEnd const&, time_point) { --inside; }
  void withdraw(Ticket&, time_point) { --inside; }
};
struct CountingBreaker {
  struct Permit {};
  struct Wait {};
  Random random;
  int permits = 0;
  BreakerAnswer<Permit, Wait> try_enter(time_point, Deadline) {
    if (random.below(50) == 0) return {.retry_after = 1s};
    return ++permits, BreakerAnswer<Permit, Wait>{.permit = Permit()};
  }
  void record(Permit, BreakerSignal, time_point) { --permits; }
  void stop_waiting(Wait) {}
  bool is_open(time_point) const { return false; }
};

struct Ran {
  int executions = 0;  // in the server's truth
  bool succeeded = false;
  PolicyFailure failure;
  unsigned attempts = 0;
  unsigned conflicts = 0;
};

/// Runs one call to its end and checks on the way what must hold at every step.
Ran run(std::uint64_t seed, CallContext const& context, double failing) {
  Ran ran;
  Random random(seed);
  RetryPolicy const policy;
  NoLimiter limiter;
  CountingBulkhead bulkhead;
  CountingBreaker breaker{.random = random.fork("breaker")};
  PolicyParts<NoLimiter, CountingBulkhead, CountingBreaker> const parts{policy, nullptr, limiter, bulkhead, breaker};
  PolicyCall call(parts, context, random.fork("retry"));
  bool const is_impatient = random.below(10) == 0;
  auto now = start;
  auto action = call.begin(now);
  while (action.kind != Kind::finish && action.kind != Kind::fail) {
    if (action.kind == Kind::wait_until) {
      // D1 and R1: no wait ends after the deadline. R6: the attempt that held the lease has
      // ended, and with it its permit.
      EXPECT_LE(action.until, context.deadline);
      EXPECT_EQ(breaker.permits, 0);
      if (is_impatient) {
        action = call.cancelled(now);
        break;
      }
      now = action.until.at();
      action = call.timer_fired(now);
      continue;
    }
    EXPECT_EQ(breaker.permits, 1);
    EXPECT_LE(action.until, context.deadline);
    auto const attempt = attempt_at(random, failing, action.until.remaining(now));
    ran.executions += attempt.was_executed;
    call.phases().enter(Phase::query, now + attempt.took / 3);
    now += attempt.took;
    if (attempt.failure && attempt.failure->error_class == ErrorClass::conflict) ++ran.conflicts;
    action = attempt.failure ? call.failed(*attempt.failure, now) : call.succeeded(now);
  }
  ran.succeeded = action.kind == Kind::finish;
  ran.failure = call.failure();
  ran.attempts = call.attempts();

  // D1: the end is no later than the deadline. D2: the phases add up to the whole. Everything was given back.
  EXPECT_LE(now, context.deadline.at());
  nanoseconds sum{};
  for (std::size_t phase = 0; phase < PhaseTimes::phase_count; ++phase) {
    sum += call.phases().spent_in(static_cast<Phase>(phase));
  }
  EXPECT_EQ(sum, now - start);
  EXPECT_EQ(breaker.permits, 0);
  EXPECT_EQ(bulkhead.inside, 0);
  return ran;
}

struct Tally {
  int succeeded = 0;
  int retried = 0;
  int unknown = 0;
};

void expect_truth(Ran const& ran, Idempotent idempotent, Tally& tally) {
  // R1: 1 + 4 executions, one free re-send, and conflicts on their own account.
  ASSERT_LE(ran.attempts, 5 + 1 + ran.conflicts);
  if (idempotent == Idempotent::no) {
    ASSERT_LE(ran.executions, 1);  // R3
  }
  if (ran.succeeded) {  // R4
    ASSERT_GE(ran.executions, 1);
  } else if (ran.failure.send_state == SendState::never_sent || ran.failure.send_state == SendState::refused) {
    ASSERT_EQ(ran.executions, 0);
  }
  tally.succeeded += ran.succeeded;
  tally.retried += ran.attempts > 1;
  tally.unknown += !ran.succeeded && ran.failure.send_state == SendState::unknown;
}

// R1, R3, R4, R6, D1, D2 over thousands of calls.
TEST(PolicySimulation, TellsTheTruthAboutWhatTheServerDid) {
  for (auto const idempotent : {Idempotent::no, Idempotent::yes}) {
    Tally tally;
    for (std::uint64_t seed = 1; seed <= 4000; ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << " idempotent " << static_cast<int>(idempotent));
      Random random(seed);
      CallContext const context{.deadline = Deadline::at(start + up_to(10s, random)), .idempotent = idempotent};
      expect_truth(run(random.next(), context, random.uniform()), idempotent, tally);
      if (testing::Test::HasFailure()) return;
    }
    // The seeds must reach what they are there for.
    EXPECT_GT(tally.succeeded, 1000);
    EXPECT_GT(tally.retried, 500);
    EXPECT_GT(tally.unknown, 100);
  }
}

// R2 for the composition: clients that share a budget while the server fails them all.
TEST(PolicySimulation, KeepsTheServersLoadNearTheFirstAttemptsR2) {
  for (auto const failing : {0.1, 0.5, 1.0}) {
    RetryPolicy const policy;
    RetryBudget budget(start);
    NoLimiter limiter;
    NoBulkhead bulkhead;
    NoBreaker breaker;
    PolicyParts<> const parts{policy, &budget, limiter, bulkhead, breaker};
    using Call = PolicyCall<NoLimiter, NoBulkhead, NoBreaker>;
    struct Waiting {
      time_point at;
      Call* call;
      bool operator<(Waiting const& other) const { return at > other.at; }
    };
    Random random(17);
    std::vector<std::unique_ptr<Call>> calls;
    std::priority_queue<Waiting> waiting;
    double server_calls = 0;
    auto now = start;
    auto const attempt = [&](Call& call, PolicyAction action) {
      while (action.kind == Kind::run_attempt) {
        ++server_calls;
        Failure const failure{ErrorClass::transport, SendState::refused};
        action = random.uniform() < failing ? call.failed(failure, now) : call.succeeded(now);
      }
      if (action.kind == Kind::wait_until) waiting.push({action.until.at(), &call});
    };
    constexpr int firsts = 2000;
    for (int first = 0; first < firsts; ++first) {
      now = start + first * 10ms;
      while (!waiting.empty() && waiting.top().at <= now) {
        auto* const call = waiting.top().call;
        waiting.pop();
        attempt(*call, call->timer_fired(now));
      }
      calls.push_back(std::make_unique<Call>(parts, CallContext(), Random(random.next())));
      attempt(*calls.back(), calls.back()->begin(now));
    }
    auto const seconds = std::chrono::duration<double>(now - start).count();
    EXPECT_LE(server_calls, 1.1 * firsts + 1.0 * seconds + 10) << failing;
    EXPECT_GE(server_calls, firsts * 1.05) << "there are retries at all";
  }
}

}  // namespace
}  // namespace belay::resilience
