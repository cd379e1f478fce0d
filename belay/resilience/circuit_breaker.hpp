#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "belay/core/deadline.hpp"
#include "belay/core/random.hpp"
#include "belay/resilience/breaker_options.hpp"
#include "belay/resilience/breaker_state.hpp"
#include "belay/resilience/call_window.hpp"
#include "belay/resilience/latency_quantile.hpp"

namespace belay::resilience {

/// Decides, from the verdicts of earlier calls, whether a new call may be attempted. One breaker per endpoint and class
/// of operation.
///
/// Pure state: no I/O, no clock, no lock, no allocation after construction. The caller serialises access and passes the
/// time, which need not be strictly in order. After every call, and when the time next_event() has come and advance()
/// was called, fetch the events with next(): each transition leaves exactly one, in order.
///
/// No sequence of calls can wedge it. While half open every permit has a lease, whose end counts as a failure; verdicts
/// of another epoch, or after the lease, change nothing. If calls keep arriving (with pauses shorter than it was open),
/// it leaves the state, or counts a success towards closing, within the lease and the time it was open.
class CircuitBreaker {
 public:
  using time_point = Deadline::time_point;
  using nanoseconds = std::chrono::nanoseconds;

  /// Closed. Throws Error(request) that names an option out of its range.
  CircuitBreaker(BreakerOptions const&, Random, time_point now);
  /// As the snapshot says, at the instant `now`; its epoch is later, so that no permit of the breaker the snapshot was
  /// taken of counts. Windows start empty. Durations beyond what the options allow are shortened to that, since the
  /// options may have changed meanwhile; negative ones and impossible counts are Error(request).
  CircuitBreaker(BreakerOptions const&, Random, time_point now, BreakerSnapshot const&);

  /// Asks for permission to call. The deadline is the call's own: it bounds the lease of a probe.
  [[nodiscard]] BreakerAdmission try_enter(time_point now, Deadline deadline) noexcept {
    if (state_ != BreakerState::closed || ramping_) return try_enter_guarded(now, deadline);
    return admit(BreakerPermit{epoch_, 0, 0});
  }

  /// Hands a permit back. took: the call's duration, which the slow rule looks at in successes. False when the verdict
  /// came too late to count.
  bool record(BreakerPermit, BreakerVerdict, time_point now, nanoseconds took = nanoseconds::zero()) noexcept;

  /// Gives up waiting before the next event. Without it the place stays taken until then.
  void stop_waiting(BreakerWait) noexcept;

  /// Makes the transitions that are due.
  void advance(time_point now) noexcept;
  /// When advance() will have something to do; time_point::max() when nothing is due by itself.
  time_point next_event() const noexcept;

  /// The health monitor or the recovery prober succeeded: an open breaker becomes half open at once. True when it did.
  bool endpoint_recovered(time_point now) noexcept;

  /// The operator's hand: refuses, or admits, everything until release(). Verdicts do not count meanwhile.
  void force_open(time_point now) noexcept;
  void force_closed(time_point now) noexcept;
  /// Ends either: after forced_open some probes must succeed first. No effect when nothing is forced.
  void release(time_point now) noexcept;
  /// Switches enforcement, without a transition.
  void set_mode(BreakerMode mode) noexcept { options_.mode = mode; }

  /// The oldest event not fetched yet. The last 16 are kept.
  [[nodiscard]] std::optional<BreakerEvent> next() noexcept;
  bool has_events() const noexcept { return event_count_ > 0; }

  BreakerState state() const noexcept { return state_; }
  BreakerMode mode() const noexcept { return options_.mode; }
  std::uint64_t epoch() const noexcept { return epoch_; }
  /// When the open state ends by itself; meaningful while open.
  time_point open_until() const noexcept { return open_until_; }
  /// Probes under way.
  std::uint32_t probes() const noexcept { return probes_held_; }
  /// Callers that were told to wait and have not been told to ask again.
  std::uint32_t waiting() const noexcept { return waiting_; }
  /// Windows are brought up to `now` first: their contents expire without traffic too.
  BreakerSnapshot snapshot(time_point now) noexcept;

 private:
  struct Probe {
    time_point lease_over_at;
    std::uint32_t serial = 0;
    bool held = false;
  };
  static constexpr std::size_t probes_limit = 16;
  static constexpr std::size_t events_kept = 16;

  BreakerAdmission admit(BreakerPermit permit) noexcept {
    ++counters_.admitted;
    BreakerAdmission admission;
    admission.admitted = true;
    admission.permit = permit;
    return admission;
  }
  BreakerAdmission try_enter_guarded(time_point now, Deadline deadline) noexcept;
  BreakerAdmission enter_half_open(time_point now, Deadline deadline) noexcept;
  BreakerAdmission admit_ramping(time_point now) noexcept;
  BreakerAdmission refuse(BreakerRefusal, nanoseconds retry_after) noexcept;
  BreakerPermit lend_probe(time_point now, Deadline deadline) noexcept;
  BreakerWait admit_waiter() noexcept;
  void record_closed(BreakerVerdict, time_point now, nanoseconds took) noexcept;
  bool record_probe(BreakerPermit, BreakerVerdict, time_point now, nanoseconds took) noexcept;
  void ignore_probe(time_point now) noexcept;
  void count(BreakerVerdict) noexcept;
  bool is_slow(BreakerVerdict, nanoseconds took) const noexcept;
  void apply_rules(bool failed, time_point now) noexcept;
  bool is_spread(time_point now) const noexcept;
  double calls_per_second(time_point now) const noexcept;
  nanoseconds jittered_open_time() noexcept;

  void open(BreakerCause, time_point now) noexcept;
  void half_open(BreakerCause, time_point now) noexcept;
  void close(BreakerCause, time_point now) noexcept;
  void force(BreakerState, time_point now) noexcept;
  void enter(BreakerState, BreakerCause, time_point now) noexcept;
  void forget_calls() noexcept;
  void tell(BreakerEvent const&) noexcept;
  void tell_waiters(time_point now) noexcept;

  // What the hot path touches comes first.
  BreakerState state_ = BreakerState::closed;
  bool ramping_ = false;
  std::uint32_t failures_in_row_ = 0;
  std::uint64_t epoch_ = 1;
  BreakerCounters counters_;
  TimeWindow minute_;  ///< for the population and the traffic
  TimeWindow time_window_;
  CountWindow count_window_;
  LatencyQuantile latency_;
  BreakerOptions options_;

  time_point first_failure_at_;  ///< of those in a row
  time_point closed_since_;
  time_point counting_since_;  ///< how far back minute_ goes
  std::uint32_t openings_ = 0;
  bool busy_before_opening_ = false;
  time_point open_until_;
  nanoseconds open_for_;  ///< the last opening's time, or the first's nominal one

  std::array<Probe, probes_limit> probes_{};
  std::uint32_t probes_held_ = 0;
  std::uint32_t probe_successes_ = 0;
  std::uint32_t probe_serial_ = 0;
  bool undecided_ = false;      ///< a probe was lent and no verdict counted since
  time_point undecided_since_;  ///< the first such
  time_point last_ignored_at_;

  std::uint32_t waiting_ = 0;
  std::uint64_t waiting_round_ = 1;

  time_point ramp_started_;
  std::uint32_t ramp_credit_ = 0;  ///< hundredths of a call

  std::array<BreakerEvent, events_kept> events_{};
  std::size_t event_first_ = 0;
  std::size_t event_count_ = 0;
  Random random_;
};

}  // namespace belay::resilience
