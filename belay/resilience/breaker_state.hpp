#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "belay/core/deadline.hpp"
#include "belay/resilience/call_window.hpp"

namespace belay::resilience {

/// Where a circuit breaker stands.
///
///     closed ── a rule trips ──> open ── time over, or endpoint recovered ──> half_open
///     half_open ── successes_to_close in a row ──> closed
///     half_open ── failure, a probe's lease over, or nothing decided for too long ──> open
///     any ── operator ──> forced_open, forced_closed      forced_open ── released ──> half_open
///                                                          forced_closed ── released ──> closed
///
/// There are no other transitions.
enum class BreakerState { closed, open, half_open, forced_open, forced_closed };

/// How an admitted call ended, as the breaker sees it (the table of outcomes maps error classes to it).
enum class BreakerVerdict {
  success,  ///< the server answered, be it with an error of the caller's making
  failure,
  slow,    ///< cut off by its deadline: a failure that counts as slow too
  ignored  ///< no evidence either way: cancelled, conflict, refused by ourselves
};

/// What caused a transition.
enum class BreakerCause {
  consecutive_failures,
  failure_share_in_time,
  failure_share_in_calls,
  slow_share,
  open_time_over,
  endpoint_recovered,  ///< a proven success elsewhere: health monitor or recovery prober
  probes_succeeded,
  probe_failed,
  probe_lease_over,
  probes_undecided,  ///< probes kept ending as ignored for as long as the breaker had been open
  forced,
  released
};

/// Why a call was refused.
enum class BreakerRefusal { open, probes_under_way, ramping, forced_open };

std::string_view name_of(BreakerState) noexcept;
std::string_view name_of(BreakerVerdict) noexcept;
std::string_view name_of(BreakerCause) noexcept;
std::string_view name_of(BreakerRefusal) noexcept;

/// Permission for one call, handed back with the call's verdict exactly once. A dropped one must be handed back as
/// ignored; if that too is forgotten, its lease ends.
struct BreakerPermit {
  std::uint64_t epoch = 0;         ///< between which transitions it was given; 0: its verdict never counts
  std::uint32_t probe = 0;         ///< the probe's place in the table, while half open
  std::uint32_t probe_serial = 0;  ///< tells apart those that had the same place
};

/// Permission to wait for the verdict of the probes under way; worth nothing after the next event.
struct BreakerWait {
  std::uint64_t round = 0;  ///< 0: none
  explicit operator bool() const noexcept { return round != 0; }
};

/// The answer to a call that wants in.
struct BreakerAdmission {
  /// A retry_after that says: only somebody's action can change the answer.
  static constexpr std::chrono::nanoseconds unknown = std::chrono::nanoseconds::max();

  bool admitted = false;
  BreakerRefusal reason = BreakerRefusal::open;  ///< when refused
  BreakerPermit permit;                          ///< when admitted
  /// When refused: how long until asking again may help; an upper bound while probes are under way.
  std::chrono::nanoseconds retry_after{};
  /// When refused: whether the caller may wait for the next event within its deadline and then ask again.
  BreakerWait wait;

  explicit operator bool() const noexcept { return admitted; }
};

/// Something observers and waiters want to know.
struct BreakerEvent {
  enum class Kind {
    transition,
    probe_free  ///< no transition, but waiters should ask again now
  };
  Kind kind = Kind::transition;
  BreakerState from = BreakerState::closed;
  BreakerState to = BreakerState::closed;
  BreakerCause cause = BreakerCause::forced;
  std::uint64_t epoch = 0;  ///< from the event on
  std::uint32_t openings = 0;
  std::chrono::nanoseconds open_for{};  ///< of a transition to open: for how long, jitter included
  Deadline::time_point at;
};

/// For metrics: what happened since construction, or since the restored breaker's construction.
struct BreakerCounters {
  std::uint64_t admitted = 0;
  std::uint64_t refused = 0;
  std::uint64_t shadow_refused = 0;  ///< admitted in shadow mode where the rules would have refused
  std::uint64_t successes = 0;
  std::uint64_t failures = 0;
  std::uint64_t slow = 0;
  std::uint64_t ignored = 0;
  std::uint64_t stale = 0;  ///< verdicts of an earlier epoch, after the lease, or of a call that does not count
  std::uint64_t leases_over = 0;
  std::uint64_t opened = 0;
  std::uint64_t events_lost = 0;  ///< not fetched in time

  friend bool operator==(BreakerCounters const&, BreakerCounters const&) = default;
};

/// A breaker's state for export. It holds durations, no instants, so that it can outlive the process's clock.
struct BreakerSnapshot {
  BreakerState state = BreakerState::closed;
  std::uint64_t epoch = 1;
  /// open: until half open. closed: until the openings are forgotten. Else zero.
  std::chrono::nanoseconds remaining{};
  std::chrono::nanoseconds open_for{};  ///< the last opening's planned time; zero: none, or forgotten
  std::uint32_t openings = 0;           ///< k: in succession
  std::uint32_t failures_in_row = 0;
  std::chrono::nanoseconds failing_for{};  ///< since the first of them
  std::uint32_t probe_successes = 0;       ///< half open: in a row
  bool busy_before_opening = false;        ///< the ramp will be needed
  std::chrono::nanoseconds ramp_remaining{};
  CallCounts time_window;          ///< for display: not restored
  CallCounts count_window;         ///< for display: not restored
  std::chrono::nanoseconds p99{};  ///< for display: not restored
  BreakerCounters counters;
};

}  // namespace belay::resilience
