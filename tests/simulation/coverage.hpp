#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "belay/testkit/pair_coverage.hpp"

namespace belay::simulation {

/// What may be done to a slot, as the pool's shell and callers do it.
enum class SlotInput : std::uint8_t {
  connected,
  initialised,
  connect_failed,
  test_passed,
  test_failed,
  cleaned,
  clean_up_failed,
  cancel_ended,
  lost,
  closed,
  session_gone,
  lent,
  released,
  timer,
  invalidated,
  resized,
  suspected,
  paused,
  drained,
  late  ///< a report that the pool ignores, because it came too late or twice
};

/// Whether the pool acts on the report in that state, where the input is a report.
bool is_expected(std::size_t slot_state, SlotInput) noexcept;

enum class BreakerInput : std::uint8_t {
  enter,
  success,
  failure,
  slow,
  ignored,
  stale,  ///< a verdict of an earlier epoch
  timer,
  recovered,
  force_open,
  force_closed,
  release,
  stop_waiting
};

enum class HealthInput : std::uint8_t {
  probe_succeeded,
  probe_slow,
  probe_failed,
  probe_timed_out,
  probe_postponed,
  connect_succeeded,
  connect_failed,
  transport_failure,
  suspended
};

/// Where a call through the policies stands, as its last action said.
enum class CallState : std::uint8_t { limited, queued, at_breaker, pausing, attempting };

enum class CallInput : std::uint8_t { timer, turn, news, succeeded, failed, cancelled };

/// Which pairs of state and input the runs have met, for the four machines that decide most.
struct Coverage {
  testkit::PairCoverage slots;
  testkit::PairCoverage breaker;
  testkit::PairCoverage health;
  testkit::PairCoverage calls;

  /// With the legal pairs declared.
  Coverage();

  void add(Coverage const&);
  bool is_complete() const;
  /// A `figure:` line of percentages; then one for each pair that is missing, or was met against the rules.
  std::string describe() const;
};

}  // namespace belay::simulation
