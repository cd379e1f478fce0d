#include "belay/resilience/breaker_options.hpp"

#include "belay/core/error.hpp"
#include "belay/resilience/detail/option_range.hpp"

namespace belay::resilience {

using detail::require_range;
using namespace std::chrono_literals;

namespace {

// The least share above zero: a rule that trips at no failures at all is a mistake.
constexpr double share_min = 1e-6;

void check(FailureShareRule const& rule, char const* share, char const* calls_min) {
  require_range(share, rule.share, share_min, 1);
  require_range(calls_min, std::uint64_t{rule.calls_min}, 1, 1'000'000);
}

void check(ConsecutiveRule const& rule) {
  require_range("consecutive.failures", std::uint64_t{rule.failures}, 1, 1000);
  if (rule.population_min) {
    require_range("consecutive.population_min", std::uint64_t{*rule.population_min}, 1, 1'000'000);
  }
  require_range("consecutive.span_min", rule.span_min, 1ms, 1min);
}

void check(SlowShareRule const& rule) {
  require_range("slow.share", rule.share, share_min, 1);
  require_range("slow.calls_min", std::uint64_t{rule.calls_min}, 1, 1'000'000);
  require_range("slow.floor", rule.floor, 1ms, 10min);
  require_range("slow.p99_factor", rule.p99_factor, 1, 100);
}

}  // namespace

BreakerOptions enterprise_breaker_options() {
  BreakerOptions options;
  options.consecutive = ConsecutiveRule{.failures = 5, .population_min = std::nullopt};
  options.time_window = std::nullopt;
  options.open_for = 60s;
  options.open_for_max = 60s;
  options.jitter_down = 0;
  options.jitter_up = 0.2;
  options.probes_max = 1;
  options.successes_to_close = 2;
  return options;
}

BreakerOptions default_breaker_options() { return BreakerOptions(); }

void check(BreakerOptions const& options) {
  if (!options.consecutive && !options.time_window && !options.count_window && !options.slow) {
    throw Error(ErrorClass::request, SendState::never_sent,
                "a circuit breaker needs at least one rule: consecutive, time_window, count_window or slow");
  }
  if (options.consecutive) check(*options.consecutive);
  if (options.time_window) check(*options.time_window, "time_window.share", "time_window.calls_min");
  if (options.count_window) {
    check(*options.count_window, "count_window.share", "count_window.calls_min");
    require_range("count_window_calls", std::uint64_t{options.count_window_calls}, options.count_window->calls_min,
                  10'000);
  }
  if (options.slow) check(*options.slow);
  require_range("time_window_length", options.time_window_length, 1s, 1h);
  require_range("count_window_calls", std::uint64_t{options.count_window_calls}, 1, 10'000);
  require_range("count_window_age_max", options.count_window_age_max, 1s, 24h);
  require_range("open_for", options.open_for, 1ms, 1h);
  require_range("open_for_max", options.open_for_max, options.open_for, 24h);
  require_range("jitter_down", options.jitter_down, 0, 0.9);
  require_range("jitter_up", options.jitter_up, 0, 1);
  require_range("forget_openings_after", options.forget_openings_after, 1s, 24h);
  require_range("probes_max", std::uint64_t{options.probes_max}, 1, 16);
  require_range("successes_to_close", std::uint64_t{options.successes_to_close}, 1, 100);
  require_range("probe_lease", options.probe_lease, 1ms, 1h);
  require_range("waiters_max", std::uint64_t{options.waiters_max}, 1, 1000);
  if (options.ramp) {
    require_range("ramp.above_per_second", options.ramp->above_per_second, 0, 1'000'000);
    require_range("ramp.over", options.ramp->over, 1ms, 10min);
  }
}

}  // namespace belay::resilience
