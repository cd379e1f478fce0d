#include "coverage.hpp"

#include <cstdio>

namespace belay::simulation {

namespace {

template <class Enum>
constexpr std::size_t number(Enum value) noexcept {
  return static_cast<std::size_t>(value);
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
  breaker.declare_all_legal();
  health.declare_all_legal();
  calls.declare_all_legal();
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
