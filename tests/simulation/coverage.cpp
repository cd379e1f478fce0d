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

std::string lines(char const* machine, testkit::PairCoverage const& pairs) {
  std::string text;
  for (auto const& name : pairs.missing()) text += std::string("missing: ") + machine + ": " + name + "\n";
  for (auto const& name : pairs.illegal()) text += std::string("illegal: ") + machine + ": " + name + "\n";
  return text;
}

}  // namespace

Coverage::Coverage()
    : slots({"empty", "connecting", "initialising", "idle", "testing", "leased", "resetting", "quarantined", "closing",
             "zombie"},
            {"connected", "initialised", "connect_failed", "test_passed", "test_failed", "cleaned", "clean_up_failed",
             "cancel_ended", "lost", "closed", "session_gone", "lent", "released", "timer", "invalidated", "resized",
             "suspected", "paused", "drained"}),
      breaker({"closed", "open", "half_open", "forced_open", "forced_closed"},
              {"enter", "success", "failure", "slow", "ignored", "stale", "timer", "recovered", "force_open",
               "force_closed", "release", "stop_waiting"}),
      health({"unknown", "up", "degraded", "down"},
             {"probe_succeeded", "probe_slow", "probe_failed", "probe_timed_out", "probe_postponed",
              "connect_succeeded", "connect_failed", "transport_failure", "suspended"}),
      calls({"limited", "queued", "at_breaker", "pausing", "attempting"},
            {"timer", "turn", "news", "succeeded", "failed", "cancelled"}) {
  slots.declare_all_legal();
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
  char figures[160];
  std::snprintf(figures, sizeof figures,
                "figure: slot_pairs_percent=%.1f breaker_pairs_percent=%.1f health_pairs_percent=%.1f "
                "call_pairs_percent=%.1f\n",
                slots.percentage(), breaker.percentage(), health.percentage(), calls.percentage());
  return figures + lines("slot", slots) + lines("breaker", breaker) + lines("health", health) + lines("call", calls);
}

}  // namespace belay::simulation
