#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "belay/resilience/circuit_breaker.hpp"
#include "belay/resilience/naive_breaker_fixture.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using time_point = Deadline::time_point;

constexpr auto start = time_point() + 1h;

std::vector<BreakerEvent> drain(CircuitBreaker& breaker) {
  std::vector<BreakerEvent> events;
  while (auto const event = breaker.next()) events.push_back(*event);
  return events;
}

nanoseconds draw(Random& random, nanoseconds most) {
  return nanoseconds(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()) + 1)));
}

/// Options in which every rule named by a bit of `rules` is on, small enough for rules to meet within a few calls.
BreakerOptions drawn_options(unsigned rules, Random& random) {
  BreakerOptions options;
  options.consecutive.reset();
  options.time_window.reset();
  if (rules & 1) {
    options.consecutive = ConsecutiveRule{static_cast<std::uint32_t>(1 + random.below(6)), std::nullopt};
    if (random.below(2)) options.consecutive->population_min = static_cast<std::uint32_t>(1 + random.below(40));
  }
  if (rules & 2) options.time_window = FailureShareRule{0.5, static_cast<std::uint32_t>(5 + random.below(20))};
  if (rules & 4) options.count_window = FailureShareRule{0.4, static_cast<std::uint32_t>(5 + random.below(10))};
  if (rules & 8) options.slow = SlowShareRule{.share = 0.6, .calls_min = 8, .floor = 50ms, .p99_factor = 2};
  options.count_window_calls = static_cast<std::uint32_t>(15 + random.below(20));
  options.count_window_age_max = 20s;
  options.open_for = 5s + draw(random, 10s);
  options.open_for_max = options.open_for * static_cast<std::int64_t>(1 + random.below(6));
  options.forget_openings_after = 40s;
  options.probes_max = static_cast<std::uint32_t>(1 + random.below(4));
  options.successes_to_close = static_cast<std::uint32_t>(1 + random.below(3));
  options.probe_lease = 2s + draw(random, 10s);
  if (random.below(3) == 0) options.ramp.reset();
  if (options.ramp) options.ramp->above_per_second = random.below(2) ? 0.5 : 5;
  return options;
}

BreakerVerdict drawn_verdict(Random& random, std::uint64_t failing_percent, std::uint64_t ignored_percent = 10) {
  if (random.below(100) < ignored_percent) return BreakerVerdict::ignored;
  if (random.below(100) >= failing_percent) return BreakerVerdict::success;
  return random.below(3) == 0 ? BreakerVerdict::slow : BreakerVerdict::failure;
}

/// Runs the breaker and the naive model side by side on random calls, verdicts (some late, some twice, some never) and
/// an operator's whims, and compares everything observable after each step.
struct SideBySide {
  struct Call {
    BreakerPermit permit;
    NaiveBreaker::Permit model;
  };

  SideBySide(unsigned rules, Random& seeded)
      : random(seeded),
        options(drawn_options(rules, random)),
        breaker(options, random.fork("breaker"), start),
        model(options, random.fork("breaker"), start) {}

  void step() {
    if (random.below(60) == 0) failing_percent = random.below(2) ? 5 : 90;
    if (random.below(60) == 0) ignored_percent = random.below(4) ? 10 : 100;
    auto const dice = random.below(100);
    if (dice < 30) now += draw(random, 300ms);
    if (dice >= 30 && dice < 33) now += draw(random, 20s);
    if (dice < 50) {
      enter();
    } else if (dice < 92) {
      verdict();
    } else if (dice < 96) {
      breaker.advance(now);
      model.advance(now);
    } else if (dice == 96) {
      breaker.endpoint_recovered(now);
      model.endpoint_recovered(now);
    } else if (dice == 97 && random.below(8) == 0) {
      breaker.force_open(now);
      model.force(BreakerState::forced_open, now);
    } else if (dice == 98 && random.below(8) == 0) {
      breaker.force_closed(now);
      model.force(BreakerState::forced_closed, now);
    } else if (dice == 99) {
      breaker.release(now);
      model.release(now);
    }
    compare();
  }

  void enter() {
    auto const deadline = random.below(4) == 0 ? Deadline::never() : Deadline::at(now + draw(random, 40s));
    auto const admission = breaker.try_enter(now, deadline);
    auto const answer = model.enter(now, deadline);
    ASSERT_EQ(admission.admitted, answer.permit.has_value());
    if (admission) {
      calls.push_back({admission.permit, *answer.permit});
      return;
    }
    EXPECT_EQ(admission.reason, answer.reason);
    // A third of the ramp need not be a whole number of nanoseconds.
    EXPECT_NEAR(static_cast<double>(admission.retry_after.count()), static_cast<double>(answer.retry_after.count()), 2);
  }

  void verdict() {
    if (calls.empty()) return;
    auto const chosen = calls.begin() + static_cast<std::ptrdiff_t>(random.below(calls.size()));
    auto const call = *chosen;
    if (random.below(50) == 0) {
      calls.erase(chosen);  // never handed back
      return;
    }
    // Only a probe's permit can be told from a second use of it.
    if (model.state != BreakerState::half_open || random.below(20) != 0) calls.erase(chosen);
    auto const given = drawn_verdict(random, failing_percent, ignored_percent);
    auto const took = draw(random, failing_percent > 50 ? 500ms : 40ms);
    breaker.record(call.permit, given, now, took);
    model.record(call.model, given, now, took);
  }

  void compare() {
    auto const events = drain(breaker);
    ASSERT_EQ(events.size(), model.transitions.size());
    for (std::size_t i = 0; i < events.size(); ++i) {
      EXPECT_EQ(events[i].from, model.transitions[i].from);
      EXPECT_EQ(events[i].to, model.transitions[i].to);
      EXPECT_EQ(events[i].cause, model.transitions[i].cause);
      EXPECT_EQ(events[i].at, model.transitions[i].at);
      causes.insert(events[i].cause);
    }
    model.transitions.clear();
    ASSERT_EQ(breaker.state(), model.state);
    EXPECT_EQ(breaker.epoch(), model.epoch);
    EXPECT_EQ(breaker.next_event(), model.next_event());
    EXPECT_EQ(breaker.probes(), model.probes.size());
    auto const snapshot = breaker.snapshot(now);
    if (breaker.state() != BreakerState::closed) {
      EXPECT_EQ(snapshot.openings, model.openings);
      return;
    }
    EXPECT_EQ(snapshot.failures_in_row, model.failures_in_row());
    if (options.time_window || options.slow) {
      EXPECT_EQ(snapshot.time_window, model.in_time_window(now));
    }
    if (options.count_window) {
      EXPECT_EQ(snapshot.count_window, model.in_count_window(now));
    }
  }

  Random random;
  BreakerOptions options;
  CircuitBreaker breaker;
  NaiveBreaker model;
  time_point now = start;
  std::uint64_t failing_percent = 5;
  std::uint64_t ignored_percent = 10;
  std::vector<Call> calls;
  std::set<BreakerCause> causes;
};

// B1, B2, B3, B5, B6, B7, B8 and B10, for all fifteen combinations of rules.
TEST(CircuitBreakerProperty, DecidesLikeAListOfAllCalls) {
  std::set<BreakerCause> causes;
  for (unsigned rules = 1; rules < 16; ++rules) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      SCOPED_TRACE(testing::Message() << "rules " << rules << " seed " << seed);
      Random random(seed * 100 + rules);
      SideBySide pair(rules, random);
      for (int step = 0; step < 800; ++step) {
        pair.step();
        if (testing::Test::HasFailure()) FAIL() << "at step " << step;
      }
      causes.merge(pair.causes);
    }
  }
  EXPECT_EQ(causes.size(), 12u) << "the runs must have met every cause of a transition";
}

// B7, beside the model: no sequence of inputs takes an edge that is not in the documented graph.
TEST(CircuitBreakerProperty, MovesAlongTheLegalGraphOnly) {
  using S = BreakerState;
  std::set<std::pair<S, S>> const legal{{S::closed, S::open},
                                        {S::open, S::half_open},
                                        {S::half_open, S::closed},
                                        {S::half_open, S::open},
                                        {S::closed, S::forced_open},
                                        {S::open, S::forced_open},
                                        {S::half_open, S::forced_open},
                                        {S::forced_closed, S::forced_open},
                                        {S::closed, S::forced_closed},
                                        {S::open, S::forced_closed},
                                        {S::half_open, S::forced_closed},
                                        {S::forced_open, S::forced_closed},
                                        {S::forced_open, S::half_open},
                                        {S::forced_closed, S::closed}};
  std::set<std::pair<S, S>> seen;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    auto options = drawn_options(static_cast<unsigned>(1 + seed % 15), random);
    CircuitBreaker breaker(options, random.fork("breaker"), start);
    auto now = start;
    auto state = breaker.state();
    auto epoch = breaker.epoch();
    std::vector<BreakerPermit> permits;
    for (int step = 0; step < 1500; ++step) {
      now += draw(random, 500ms);
      switch (random.below(40)) {
        case 0: breaker.force_open(now); break;
        case 1: breaker.force_closed(now); break;
        case 2:
        case 3: breaker.release(now); break;
        case 4: breaker.endpoint_recovered(now); break;
        default: {
          if (auto const admission = breaker.try_enter(now, Deadline::at(now + 5s)))
            permits.push_back(admission.permit);
          if (permits.empty() || random.below(3) == 0) break;
          breaker.record(permits.back(), drawn_verdict(random, 60), now, 1ms);
          permits.pop_back();
        }
      }
      for (auto const& event : drain(breaker)) {
        ASSERT_EQ(event.from, state) << "events must form a chain";
        ASSERT_EQ(event.epoch, epoch + 1) << "one event per transition";
        ASSERT_TRUE(legal.count({event.from, event.to})) << name_of(event.from) << " to " << name_of(event.to);
        seen.insert({event.from, event.to});
        state = event.to;
        epoch = event.epoch;
      }
      ASSERT_EQ(breaker.state(), state);
      ASSERT_EQ(breaker.epoch(), epoch);
    }
  }
  EXPECT_EQ(seen, legal) << "the runs must have met every legal transition";
}

enum class Fate { dropped, hung, ignored, late, succeeds };

// B4: half open, calls keep arriving, and whatever becomes of the permits, some transition comes within the lease and
// the open time.
TEST(CircuitBreakerProperty, IsNeverWedgedHalfOpen) {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    auto options = drawn_options(1, random);
    options.consecutive->population_min.reset();
    CircuitBreaker breaker(options, random.fork("breaker"), start);
    auto now = start;
    while (breaker.state() == BreakerState::closed) {
      breaker.record(breaker.try_enter(now, Deadline::never()).permit, BreakerVerdict::failure, now);
    }
    now += options.open_for * 2;
    breaker.advance(now);
    ASSERT_EQ(breaker.state(), BreakerState::half_open);
    drain(breaker);

    // The first seeds have one fate for all, the others a mixture.
    auto const only = seed <= 200 ? std::optional(static_cast<Fate>(seed % 4)) : std::nullopt;
    struct Held {
      BreakerPermit permit;
      Fate fate;
      time_point until;
    };
    std::vector<Held> held;
    auto const entered = now;
    auto const open_for = breaker.snapshot(now).open_for;
    auto const call_timeout = draw(random, 20s);
    auto const lease = std::min(std::max<nanoseconds>(options.probe_lease, call_timeout + 1s), open_for);
    auto const arrival = 100ms;
    auto const periods = only ? 1 : static_cast<std::int64_t>(options.successes_to_close);
    while (!breaker.has_events()) {
      ASSERT_LE(now - entered, (lease + open_for + 2 * arrival) * periods) << "wedged";
      if (auto const admission = breaker.try_enter(now, Deadline::at(now + call_timeout))) {
        auto const fate = only ? *only : static_cast<Fate>(random.below(5));
        held.push_back({admission.permit, fate, now + draw(random, lease - 1ns)});
        if (fate == Fate::late) held.back().until = now + lease;
      }
      for (auto& call : held) {
        if (call.permit.epoch == 0 || now < call.until || call.fate == Fate::dropped || call.fate == Fate::hung)
          continue;
        breaker.record(call.permit, call.fate == Fate::ignored ? BreakerVerdict::ignored : BreakerVerdict::success,
                       now);
        call.permit.epoch = 0;
      }
      now += arrival;
    }
  }
}

// B9: the same calls with the same verdicts; what the enforcing breaker refuses runs under the shadow and must not
// count.
TEST(CircuitBreakerProperty, ShadowMakesTheSameTransitionsAndRefusesNothing) {
  std::uint64_t transitions = 0;
  std::uint64_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    auto options = drawn_options(static_cast<unsigned>(1 + seed % 15), random);
    CircuitBreaker enforcing(options, random.fork("breaker"), start);
    options.mode = BreakerMode::shadow;
    CircuitBreaker shadow(options, random.fork("breaker"), start);
    struct Call {
      std::optional<BreakerPermit> enforced;
      BreakerPermit shadowed;
    };
    std::vector<Call> calls;
    auto now = start;
    std::uint64_t failing_percent = 10;
    for (int step = 0; step < 1000; ++step) {
      now += draw(random, 400ms);
      if (random.below(80) == 0) failing_percent = random.below(2) ? 10 : 80;
      auto const deadline = Deadline::at(now + draw(random, 10s));
      auto const one = enforcing.try_enter(now, deadline);
      auto const other = shadow.try_enter(now, deadline);
      ASSERT_TRUE(other);
      refused += one ? 0 : 1;
      calls.push_back({one ? std::optional(one.permit) : std::nullopt, other.permit});
      if (random.below(3) > 0) {
        auto const chosen = calls.begin() + static_cast<std::ptrdiff_t>(random.below(calls.size()));
        auto const verdict = drawn_verdict(random, failing_percent);
        auto const took = draw(random, 200ms);
        if (chosen->enforced) enforcing.record(*chosen->enforced, verdict, now, took);
        shadow.record(chosen->shadowed, verdict, now, took);
        calls.erase(chosen);
      }
      if (random.below(10) == 0) {
        enforcing.advance(now);
        shadow.advance(now);
      }
      auto const expected = drain(enforcing);
      auto const actual = drain(shadow);
      ASSERT_EQ(expected.size(), actual.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(expected[i].to, actual[i].to);
        EXPECT_EQ(expected[i].cause, actual[i].cause);
        EXPECT_EQ(expected[i].open_for, actual[i].open_for);
      }
      transitions += expected.size();
    }
    auto const counters = shadow.snapshot(now).counters;
    EXPECT_EQ(counters.refused, 0u);
    EXPECT_EQ(counters.shadow_refused, enforcing.snapshot(now).counters.refused);
  }
  EXPECT_GT(transitions, 500u);
  EXPECT_GT(refused, 1000u);
}

// A restored breaker goes on as the original would, given the same calls: the windows apart, which start empty.
TEST(CircuitBreakerProperty, GoesOnAfterARestoreAsIfNothingHadHappened) {
  std::set<BreakerState> states;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Random random(seed);
    SideBySide pair(1, random);
    for (int step = 0; step < 300; ++step) pair.step();
    pair.breaker.advance(pair.now);
    auto const saved = pair.breaker.snapshot(pair.now);
    states.insert(saved.state);

    auto const later = start + 1000h + draw(random, 1h);  // another process, another clock
    CircuitBreaker restored(pair.options, Random(seed), later, saved);
    auto const again = restored.snapshot(later);
    EXPECT_EQ(again.state, saved.state);
    EXPECT_GT(again.epoch, saved.epoch);
    EXPECT_EQ(again.remaining, saved.remaining);
    EXPECT_EQ(again.open_for, saved.open_for);
    EXPECT_EQ(again.openings, saved.openings);
    EXPECT_EQ(again.failures_in_row, saved.failures_in_row);
    EXPECT_EQ(again.failing_for, saved.failing_for);
    EXPECT_EQ(again.probe_successes, saved.probe_successes);
    EXPECT_EQ(again.busy_before_opening, saved.busy_before_opening);
    EXPECT_EQ(again.ramp_remaining, saved.ramp_remaining);
    EXPECT_EQ(again.counters, saved.counters);
    EXPECT_FALSE(restored.has_events());
    if (saved.state == BreakerState::open) {
      EXPECT_FALSE(restored.try_enter(later + saved.remaining - 1ns, Deadline::never()));
      EXPECT_TRUE(restored.try_enter(later + saved.remaining, Deadline::never()));
    }
  }
  EXPECT_EQ(states.size(), 5u) << "the runs must have ended in every state";
}

}  // namespace
}  // namespace belay::resilience
