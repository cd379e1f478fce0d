#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/core/random.hpp"
#include "belay/resilience/health_report.hpp"
#include "belay/resilience/probe_latencies.hpp"

namespace belay::resilience {

/// How an endpoint is watched. HealthMonitor refuses what is out of range.
///
/// The defaults are the source documents' figures: a probe every 30 s, and a failed one invalidates the pool.
struct HealthOptions {
  enum class Invalidate {
    at_first_failure,  ///< the pool's generation ends with the first failed probe
    when_down          ///< with the second in a row
  };

  std::chrono::nanoseconds interval = std::chrono::seconds(30);  ///< between probes while up; 1 s .. 1 h
  double interval_jitter = 0.1;  ///< each interval is drawn from interval * (1 +- this); 0 .. 0.5
  std::chrono::nanoseconds probe_timeout = std::chrono::seconds(5);  ///< 1 ms .. 1 min
  /// Between the starts of probes that are made earlier than planned, at least; 100 ms .. interval.
  std::chrono::nanoseconds immediate_gap = std::chrono::seconds(1);
  /// While not up the n-th probe after the last success (from 0) waits at most immediate_gap * 2^n and at most this, at
  /// least half of it; immediate_gap .. 1 h.
  std::chrono::nanoseconds unhealthy_delay_max = std::chrono::seconds(10);
  std::uint32_t failures_to_down = 2;  ///< in a row; 1 .. 100
  std::uint32_t successes_to_up = 2;   ///< in a row; 1 .. 100
  double slow_factor = 3;              ///< a probe slower than this times the median degrades; 1.5 .. 100
  /// A probe faster than this is never slow: on a local socket the median is less than the noise of the machine's own
  /// scheduling; 0 .. 1 min.
  std::chrono::nanoseconds slow_at_least = std::chrono::milliseconds(10);
  std::uint32_t samples_for_median = 8;  ///< successes before a probe can be called slow; 1 .. 128
  /// Growth of the suspend-aware clock over the monotonic one that means a suspended machine; 100 ms .. 1 h.
  std::chrono::nanoseconds suspend_gap = std::chrono::seconds(5);
  Invalidate invalidate = Invalidate::at_first_failure;
};

/// What ended an attempt to probe or to connect.
struct ProbeFailure {
  ErrorClass error_class = ErrorClass::transport;
  std::string engine_code = {};  ///< the engine's own, "57P03"; empty when it said nothing
  /// The connection itself was refused (closed port, or the server declined the login): nothing needs to be waited for
  /// to know that the endpoint does not serve.
  bool connection_refused = false;
};

using ProbeId = std::uint64_t;

namespace health_action {

/// Probe the endpoint on the monitor's own connection, and tell probe_succeeded, probe_failed or probe_postponed with
/// this id. At the deadline the monitor counts a failure by itself.
struct StartProbe {
  ProbeId id = 0;
  Deadline deadline = Deadline::never();
};
/// End the pool's generation: connections made before now are not trusted any more.
struct InvalidatePool {
  ErrorClass error_class = ErrorClass::transport;
};
/// Open no connection that no waiter needs.
struct StopRefill {};
struct ResumeRefill {};
/// The endpoint answered after a failure: tell the circuit breaker, which goes half-open.
struct EndpointRecovered {};
/// The machine was suspended for about this long: test each idle connection before it is lent.
struct SuspectIdle {
  std::chrono::nanoseconds suspended_for = std::chrono::nanoseconds::zero();
};
/// The state has changed; `now` is what report() says from here on.
struct StateChanged {
  HealthState before = HealthState::unknown;
  HealthState after = HealthState::unknown;
  HealthReason reason = HealthReason::none;
  std::optional<ErrorClass> error_class;
  std::string engine_code;
  Deadline::time_point since{};
};

}  // namespace health_action

using HealthAction = std::variant<health_action::StartProbe, health_action::InvalidatePool, health_action::StopRefill,
                                  health_action::ResumeRefill, health_action::EndpointRecovered,
                                  health_action::SuspectIdle, health_action::StateChanged>;

/// What to do now, in this order. A range of HealthAction; no allocation.
class HealthActions {
 public:
  void add(HealthAction action) { actions_.at(size_++) = std::move(action); }
  HealthAction const* begin() const noexcept { return actions_.data(); }
  HealthAction const* end() const noexcept { return actions_.data() + size_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

 private:
  /// One input ends one probe, changes the state once and starts one probe: seven actions at most.
  std::array<HealthAction, 8> actions_;
  std::size_t size_ = 0;
};

/// Watches one endpoint: decides when it is probed, what state it is in, and what the pool and the breaker are told.
///
///     unknown ── success ──> up          unknown, up ── failure, slow success ──> degraded
///     any ── failures_to_down in a row, or a connection refused while none is alive ──> down
///     degraded, down ── successes_to_up in a row, none slow ──> up      down ── as many, some slow ──> degraded
///
/// - While up a probe is made each interval, and at once (immediate_gap apart) after a transport failure that a pool
///   saw. While not up, that is the recovery prober's work: probes with growing, jittered pauses, and what pools learn
///   by connecting counts like a probe (connect_succeeded, connect_failed). A probe that has to connect asks the
///   endpoint's ConnectGate first and is postponed when that says so.
/// - Invariant H1: the probe has its own connection, counted apart from the pool's, so no exhausted pool delays it.
/// That
///   is the shell's part; nothing here asks a pool.
/// - Invariant H2: a silent black hole without traffic is `degraded` and the pool invalidated within
///   interval * (1 + jitter) + probe_timeout, `down` within immediate_gap + probe_timeout more.
/// - Invariant H3, with successes_to_up of two or more: successes and failures in turn change the state at most once.
/// - The pool is invalidated once between two times of being up, and once more when it goes down by failures that came
///   after a success.
///
/// A hung probe cannot wedge it: at the deadline it has failed, and its late verdict is ignored.
///
/// Pure state: no I/O, no clock, no lock. The only allocation is for an engine code of more than 15 characters.
class HealthMonitor {
 public:
  using time_point = Deadline::time_point;

  /// Throws belay::Error(request) when an option is out of range.
  HealthMonitor(HealthOptions const&, Random);

  /// To be called at next_tick_at(), and as often as one likes. `since_boot` is the suspend-aware clock's reading of
  /// the same moment (Clock::since_boot); only its difference from `now` has a meaning. The first call starts a probe.
  HealthActions tick(time_point now, std::chrono::nanoseconds since_boot);
  /// When tick is due: the next probe, or the deadline of the one under way. time_point::min() before the first tick.
  time_point next_tick_at() const noexcept;

  HealthActions probe_succeeded(ProbeId, std::chrono::nanoseconds latency, time_point now);
  HealthActions probe_failed(ProbeId, ProbeFailure const&, time_point now);
  /// The ConnectGate allows no connection before `until`: the probe was not made. When another attempt has to end first
  /// (`until` is time_point::max()), the monitor tries again after immediate_gap.
  void probe_postponed(ProbeId, time_point until, time_point now);

  /// A pool lost a connection in use.
  void transport_failure_seen(time_point now);
  /// A pool's attempt to connect has ended. Counts like a probe while the endpoint is not up; a connection made says
  /// nothing about slow probes.
  HealthActions connect_succeeded(time_point now);
  HealthActions connect_failed(ProbeFailure const&, time_point now);
  /// How many connections the endpoint's pools have alive.
  void live_slots(std::size_t count) noexcept { live_slots_ = count; }

  HealthState state() const noexcept { return state_; }
  HealthReport report() const;

 private:
  struct Probe {
    ProbeId id;
    Deadline deadline;
  };

  bool ends_current(ProbeId) noexcept;
  void start_probe(HealthActions&, time_point now);
  void notice_suspend(HealthActions&, time_point now, std::chrono::nanoseconds since_boot);
  void succeed(HealthActions&, bool is_slow, time_point now);
  void fail(HealthActions&, ProbeFailure const&, time_point now);
  void invalidate_if_due(HealthActions&, bool goes_down);
  bool is_prober_at_work() const noexcept;
  void enter(HealthActions&, HealthState, HealthReason, time_point now);
  void plan_probe(time_point now);
  void probe_soon(time_point now);

  HealthOptions options_;
  Random random_;
  ProbeLatencies latencies_;

  HealthState state_ = HealthState::unknown;
  HealthReason reason_ = HealthReason::none;
  std::optional<ErrorClass> error_class_;
  std::string engine_code_;
  std::optional<time_point> since_;
  std::optional<time_point> last_success_;

  std::uint32_t failures_in_a_row_ = 0;
  std::uint32_t successes_in_a_row_ = 0;
  std::uint32_t quick_successes_in_a_row_ = 0;
  bool run_is_invalidated_ = false;      ///< the pool's generation was ended in this row of failures
  bool episode_is_invalidated_ = false;  ///< likewise since it was last up
  std::size_t live_slots_ = 0;

  std::optional<Probe> probe_;
  ProbeId last_id_ = 0;
  time_point probe_started_at_ = time_point::min();
  time_point next_probe_at_ = time_point::min();
  time_point suspected_at_ = time_point::min();  ///< when a pool last saw a transport failure, or a suspension ended

  std::optional<std::chrono::nanoseconds> suspended_before_;  ///< since_boot - now, when it was last accounted for
};

}  // namespace belay::resilience
