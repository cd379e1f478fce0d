#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace belay::resilience {

/// Trips at a number of failures in a row.
struct ConsecutiveRule {
  std::uint32_t failures = 5;  ///< 1…1000
  /// Against one burst tripping everything: with fewer calls than this in the last minute, the failures must also span
  /// `span_min`. nullopt: failures in a row suffice, however quiet the endpoint is. 1…1'000'000.
  std::optional<std::uint32_t> population_min = 20;
  std::chrono::nanoseconds span_min = std::chrono::seconds(1);  ///< 1 ms…1 min
};

/// Trips at a share of failures among the calls of a window.
struct FailureShareRule {
  double share = 0.5;            ///< > 0…1
  std::uint32_t calls_min = 20;  ///< no judgement on fewer calls. 1…1'000'000
};

/// Trips at a share of slow calls in the time window. Slow is what was cut off by its deadline and what took longer
/// than max(floor, p99_factor * long-term p99).
struct SlowShareRule {
  double share = 0.8;                                        ///< > 0…1
  std::uint32_t calls_min = 20;                              ///< 1…1'000'000
  std::chrono::nanoseconds floor = std::chrono::seconds(1);  ///< 1 ms…10 min
  double p99_factor = 3;                                     ///< 1…100
};

/// Admits 10, 25, 50 % of the calls for a third of `over` each after closing, when the endpoint was busy before it
/// failed: the callers that come back all at once must not knock it over again.
struct BreakerRamp {
  double above_per_second = 50;                             ///< calls in the minute before it opened. 0…1'000'000
  std::chrono::nanoseconds over = std::chrono::seconds(5);  ///< 1 ms…10 min
};

/// Whether the breaker's decisions are enforced.
enum class BreakerMode {
  enforcing,
  shadow  ///< all bookkeeping and events, no refusal
};

/// What a call that arrives while all probes are out is told.
enum class ExtraCallers {
  refuse,
  wait  ///< up to `waiters_max` may wait for the verdict within their own deadline; the others are refused
};

/// How a circuit breaker decides. The rules may be combined; it trips when any of them says so, and at least one must
/// be set. Checked by the constructor of CircuitBreaker.
struct BreakerOptions {
  std::optional<ConsecutiveRule> consecutive = ConsecutiveRule();
  std::optional<FailureShareRule> time_window = FailureShareRule();
  std::optional<FailureShareRule> count_window;
  std::optional<SlowShareRule> slow;

  /// What the time window and the slow rule look back on, in 10 buckets: between 9/10 of it and all of it. 1 s…1 h.
  std::chrono::nanoseconds time_window_length = std::chrono::seconds(30);
  std::uint32_t count_window_calls = 100;  ///< how many calls the count window looks back on. 1…10'000
  /// Calls older than this have left the count window too: on a quiet endpoint "the last 100" may be of yesterday.
  /// 1 s…24 h.
  std::chrono::nanoseconds count_window_age_max = std::chrono::minutes(5);

  /// How long the first opening lasts; each further one in succession twice as long, up to `open_for_max`. Set both
  /// alike for a constant time. 1 ms…1 h and open_for…24 h.
  std::chrono::nanoseconds open_for = std::chrono::seconds(60);
  std::chrono::nanoseconds open_for_max = std::chrono::minutes(10);
  double jitter_down = 0.2;  ///< the time is spread from (1 - down) times… 0…0.9
  double jitter_up = 0.2;    ///< …to (1 + up) times the nominal one. 0…1
  /// Closed for that long, the next opening is a first one again. 1 s…24 h.
  std::chrono::nanoseconds forget_openings_after = std::chrono::minutes(5);

  std::uint32_t probes_max = 1;          ///< calls that may be under way at once while half open. 1…16
  std::uint32_t successes_to_close = 2;  ///< in a row. 1…100
  /// A probe without a verdict for max(probe_lease, its deadline + 1 s), but at most the time the breaker was open, has
  /// failed. 1 ms…1 h.
  std::chrono::nanoseconds probe_lease = std::chrono::seconds(30);
  ExtraCallers extra_callers = ExtraCallers::refuse;
  std::uint32_t waiters_max = 16;  ///< 1…1000

  std::optional<BreakerRamp> ramp = BreakerRamp();
  BreakerMode mode = BreakerMode::enforcing;
};

/// The figures of the "enterprise" profile: 5 failures in a row, always 60 s open and never less (jitter 0…+20 %, so
/// that a failed probe reopens for a full 60 s), 1 probe, 2 successes, no rule of population, no other rule.
BreakerOptions enterprise_breaker_options();
/// BreakerOptions() by name, for choosing a preset.
BreakerOptions default_breaker_options();

/// Error(request) that names the first option out of its range, and the range.
void check(BreakerOptions const&);

}  // namespace belay::resilience
