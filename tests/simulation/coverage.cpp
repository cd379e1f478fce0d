#include "coverage.hpp"

#include <cstdio>

#include "belay/pool/slot.hpp"
#include "belay/resilience/breaker_state.hpp"
#include "belay/resilience/health_report.hpp"

namespace belay::simulation {

namespace {

template <class Enum>
constexpr std::size_t number(Enum value) noexcept {
  return static_cast<std::size_t>(value);
}

/// Verdicts count in the epoch of their permit only, and only closed and half open give permits that count.
void declare_breaker(testkit::PairCoverage& pairs) {
  using State = resilience::BreakerState;
  using Input = BreakerInput;
  pairs.declare_all_legal();
  for (auto const state : {State::open, State::forced_open, State::forced_closed}) {
    for (auto const input : {Input::success, Input::failure, Input::slow, Input::ignored, Input::stop_waiting}) {
      pairs.declare_illegal(number(state), number(input));
    }
  }
  pairs.declare_illegal(number(State::closed), number(Input::stop_waiting));
  for (auto const state : {State::closed, State::forced_open, State::forced_closed}) {
    pairs.declare_illegal(number(state), number(Input::timer));  // they last until something happens
  }
}

void declare_health(testkit::PairCoverage& pairs) {
  pairs.declare_all_legal();
  // Slow is measured against the successes before.
  pairs.declare_illegal(number(resilience::HealthState::unknown), number(HealthInput::probe_slow));
}

void declare_calls(testkit::PairCoverage& pairs) {
  for (auto const state : {CallState::limited, CallState::queued, CallState::at_breaker, CallState::pausing}) {
    pairs.declare_legal(number(state), number(CallInput::timer));
    pairs.declare_legal(number(state), number(CallInput::cancelled));
  }
  pairs.declare_legal(number(CallState::queued), number(CallInput::turn));
  pairs.declare_legal(number(CallState::at_breaker), number(CallInput::news));
  for (auto const input : {CallInput::succeeded, CallInput::failed, CallInput::cancelled}) {
    pairs.declare_legal(number(CallState::attempting), number(input));
  }
}

void declare_slots(testkit::PairCoverage& pairs) {
  for (std::size_t state = 0; state < pool::slot_states; ++state) {
    for (std::size_t input = 0; input <= number(SlotInput::late); ++input) {
      if (is_expected(state, static_cast<SlotInput>(input))) pairs.declare_legal(state, input);
    }
  }
}

std::string lines(char const* machine, testkit::PairCoverage const& pairs) {
  std::string text;
  for (auto const& name : pairs.missing()) text += std::string("missing: ") + machine + ": " + name + "\n";
  for (auto const& name : pairs.illegal()) text += std::string("illegal: ") + machine + ": " + name + "\n";
  return text;
}

}  // namespace

bool is_expected(std::size_t slot_state, SlotInput input) noexcept {
  using State = pool::SlotState;
  auto const is = [state = static_cast<State>(slot_state)](auto... states) { return ((state == states) || ...); };
  switch (input) {
    case SlotInput::connected: return is(State::connecting);
    case SlotInput::initialised: return is(State::initialising);
    case SlotInput::connect_failed: return is(State::connecting, State::initialising);
    case SlotInput::test_passed:
    case SlotInput::test_failed: return is(State::testing);
    // A connection with several streams is leased, or tested, while one of them is being cleaned.
    case SlotInput::cleaned: return is(State::testing, State::leased, State::resetting, State::quarantined);
    case SlotInput::clean_up_failed: return is(State::leased, State::resetting, State::quarantined);
    case SlotInput::cancel_ended: return is(State::testing, State::leased, State::quarantined);
    case SlotInput::lost: return is(State::idle, State::testing, State::leased, State::resetting, State::quarantined);
    case SlotInput::closed: return is(State::closing);
    case SlotInput::session_gone: return is(State::zombie);
    case SlotInput::lent: return is(State::leased);
    case SlotInput::released: return is(State::leased, State::testing);
    case SlotInput::timer:
    case SlotInput::invalidated:
    case SlotInput::resized:
    case SlotInput::suspected:
    case SlotInput::paused:
    case SlotInput::drained: break;
    case SlotInput::late: return !is(State::connecting);  // nothing has been reported on it yet
  }
  return true;
}

Coverage::Coverage()
    : slots({"empty", "connecting", "initialising", "idle", "testing", "leased", "resetting", "quarantined", "closing",
             "zombie"},
            {"connected",       "initialised",  "connect_failed", "test_passed", "test_failed",  "cleaned",
             "clean_up_failed", "cancel_ended", "lost",           "closed",      "session_gone", "lent",
             "released",        "timer",        "invalidated",    "resized",     "suspected",    "paused",
             "drained",         "late"}),
      breaker({"closed", "open", "half_open", "forced_open", "forced_closed"},
              {"enter", "success", "failure", "slow", "ignored", "stale", "timer", "recovered", "force_open",
               "force_closed", "release", "stop_waiting"}),
      health({"unknown", "up", "degraded", "down"},
             {"probe_succeeded", "probe_slow", "probe_failed", "probe_timed_out", "probe_postponed",
              "connect_succeeded", "connect_failed", "transport_failure", "suspended"}),
      calls({"limited", "queued", "at_breaker", "pausing", "attempting"},
            {"timer", "turn", "news", "succeeded", "failed", "cancelled"}) {
  declare_slots(slots);
  declare_breaker(breaker);
  declare_health(health);
  declare_calls(calls);
}

void Coverage::add(Coverage const& other) {
  slots.add(other.slots);
  breaker.add(other.breaker);
  health.add(other.health);
  calls.add(other.calls);
}

bool Coverage::is_complete() const {
  return (lines("", slots) + lines("", breaker) + lines("", health) + lines("", calls)).empty();
}

std::string Coverage::describe() const {
  char figures[200];
  auto const legal = slots.legal() + breaker.legal() + health.legal() + calls.legal();
  std::snprintf(figures, sizeof figures,
                "figure: legal_pairs=%zu slot_pairs_percent=%.1f breaker_pairs_percent=%.1f health_pairs_percent=%.1f "
                "call_pairs_percent=%.1f\n",
                legal, slots.percentage(), breaker.percentage(), health.percentage(), calls.percentage());
  return figures + lines("slot", slots) + lines("breaker", breaker) + lines("health", health) + lines("call", calls);
}

}  // namespace belay::simulation
