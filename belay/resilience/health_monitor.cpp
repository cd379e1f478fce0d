#include "belay/resilience/health_monitor.hpp"

#include <algorithm>
#include <limits>

#include "belay/resilience/detail/instant.hpp"
#include "belay/resilience/detail/option_check.hpp"

namespace belay::resilience {

namespace {

using namespace std::chrono_literals;

HealthOptions const& checked(HealthOptions const& options) {
  auto const number = [](std::string_view name, double value, double low, double high) {
    detail::require_range("health", name, value, low, high);
  };
  auto const time = [](std::string_view name, std::chrono::nanoseconds value, std::chrono::nanoseconds low,
                       std::chrono::nanoseconds high) { detail::require_range("health", name, value, low, high); };
  time("interval", options.interval, 1s, 1h);
  number("interval_jitter", options.interval_jitter, 0, 0.5);
  time("probe_timeout", options.probe_timeout, 1ms, 1min);
  time("immediate_gap", options.immediate_gap, 100ms, options.interval);
  time("unhealthy_delay_max", options.unhealthy_delay_max, options.immediate_gap, 1h);
  number("failures_to_down", options.failures_to_down, 1, 100);
  number("successes_to_up", options.successes_to_up, 1, 100);
  number("slow_factor", options.slow_factor, 1.5, 100);
  time("slow_at_least", options.slow_at_least, 0s, 1min);
  number("samples_for_median", options.samples_for_median, 1, ProbeLatencies::kept);
  time("suspend_gap", options.suspend_gap, 100ms, 1h);
  return options;
}

bool is_verdict(ErrorClass error) { return error != ErrorClass::capacity && error != ErrorClass::cancelled; }

void count_up(std::uint32_t& counter) {
  if (counter < std::numeric_limits<std::uint32_t>::max()) ++counter;
}

std::chrono::nanoseconds part_of(std::chrono::nanoseconds time, double part) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(time.count()) * part));
}

}  // namespace

HealthMonitor::HealthMonitor(HealthOptions const& options, Random random)
    : options_(checked(options)), random_(random) {}

HealthActions HealthMonitor::tick(time_point now, std::chrono::nanoseconds since_boot) {
  HealthActions actions;
  notice_suspend(actions, now, since_boot);
  if (probe_ && probe_->deadline.expired(now)) {
    probe_.reset();
    fail(actions, {.error_class = ErrorClass::timeout_local}, now);
  }
  if (!probe_ && now >= next_probe_at_) start_probe(actions, now);
  return actions;
}

HealthMonitor::time_point HealthMonitor::next_tick_at() const noexcept {
  return probe_ ? probe_->deadline.at() : next_probe_at_;
}

HealthActions HealthMonitor::probe_succeeded(ProbeId id, std::chrono::nanoseconds latency, time_point now) {
  HealthActions actions;
  if (!ends_current(id)) return actions;
  // The median of the probes before this one: a slow one must not vouch for itself.
  bool const has_median = latencies_.size() >= options_.samples_for_median;
  bool const is_slow = has_median && latency > options_.slow_at_least &&
                       static_cast<double>(latency.count()) >
                           options_.slow_factor * static_cast<double>(latencies_.quantile(0.5)->count());
  latencies_.add(latency);
  succeed(actions, is_slow, now);
  return actions;
}

HealthActions HealthMonitor::probe_failed(ProbeId id, ProbeFailure const& failure, time_point now) {
  HealthActions actions;
  if (!ends_current(id)) return actions;
  if (is_verdict(failure.error_class)) {
    fail(actions, failure, now);
  } else {
    plan_probe(now);
  }
  return actions;
}

void HealthMonitor::probe_postponed(ProbeId id, time_point until, time_point now) {
  if (!ends_current(id)) return;
  next_probe_at_ = until == time_point::max() ? detail::later(now, options_.immediate_gap) : std::max(until, now);
}

void HealthMonitor::transport_failure_seen(time_point now) {
  if (!is_prober_at_work()) probe_soon(now);
}

HealthActions HealthMonitor::connect_succeeded(time_point now) {
  HealthActions actions;
  if (is_prober_at_work() && reason_ != HealthReason::probe_slow) succeed(actions, false, now);
  return actions;
}

HealthActions HealthMonitor::connect_failed(ProbeFailure const& failure, time_point now) {
  HealthActions actions;
  if (!is_verdict(failure.error_class)) return actions;
  if (is_prober_at_work() || (failure.connection_refused && live_slots_ == 0)) {
    fail(actions, failure, now);
  } else {
    probe_soon(now);
  }
  return actions;
}

HealthReport HealthMonitor::report() const {
  return {.state = state_,
          .reason = reason_,
          .error_class = error_class_,
          .engine_code = engine_code_,
          .since = since_,
          .last_success = last_success_,
          .latency_p50 = latencies_.quantile(0.5),
          .latency_p99 = latencies_.quantile(0.99)};
}

bool HealthMonitor::ends_current(ProbeId id) noexcept {
  if (!probe_ || probe_->id != id) return false;
  probe_.reset();
  return true;
}

void HealthMonitor::start_probe(HealthActions& actions, time_point now) {
  probe_started_at_ = now;
  probe_ = Probe{++last_id_, Deadline::at(detail::later(now, options_.probe_timeout))};
  actions.add(health_action::StartProbe{probe_->id, probe_->deadline});
}

void HealthMonitor::notice_suspend(HealthActions& actions, time_point now, std::chrono::nanoseconds since_boot) {
  auto const difference = since_boot - now.time_since_epoch();
  if (!suspended_before_ || difference < *suspended_before_) suspended_before_ = difference;
  auto const suspended_for = difference - *suspended_before_;
  if (suspended_for <= options_.suspend_gap) return;
  suspended_before_ = difference;
  actions.add(health_action::SuspectIdle{suspended_for});
  probe_soon(now);
}

void HealthMonitor::succeed(HealthActions& actions, bool is_slow, time_point now) {
  last_success_ = now;
  bool const failed_before = failures_in_a_row_ > 0;
  failures_in_a_row_ = 0;
  run_is_invalidated_ = false;
  count_up(successes_in_a_row_);
  if (is_slow) {
    quick_successes_in_a_row_ = 0;
  } else {
    count_up(quick_successes_in_a_row_);
  }
  if (failed_before) actions.add(health_action::EndpointRecovered{});

  bool const is_up = state_ == HealthState::unknown ? !is_slow : quick_successes_in_a_row_ >= options_.successes_to_up;
  if (is_up) {
    enter(actions, HealthState::up, HealthReason::none, now);
  } else if (is_slow && (state_ != HealthState::down || successes_in_a_row_ >= options_.successes_to_up)) {
    enter(actions, HealthState::degraded, HealthReason::probe_slow, now);
  }
  plan_probe(now);
}

void HealthMonitor::fail(HealthActions& actions, ProbeFailure const& failure, time_point now) {
  successes_in_a_row_ = 0;
  quick_successes_in_a_row_ = 0;
  count_up(failures_in_a_row_);
  error_class_ = failure.error_class;
  engine_code_ = failure.engine_code;

  bool const is_refused = failure.connection_refused && live_slots_ == 0;
  bool const is_down = is_refused || failures_in_a_row_ >= options_.failures_to_down || state_ == HealthState::down;
  invalidate_if_due(actions, is_down);
  auto const reason = is_refused ? HealthReason::connection_refused : HealthReason::probe_failed;
  enter(actions, is_down ? HealthState::down : HealthState::degraded, reason, now);
  plan_probe(now);
}

void HealthMonitor::invalidate_if_due(HealthActions& actions, bool goes_down) {
  bool const is_first = options_.invalidate == HealthOptions::Invalidate::at_first_failure && !episode_is_invalidated_;
  bool const falls = goes_down && state_ != HealthState::down && !run_is_invalidated_;
  if (!is_first && !falls) return;
  run_is_invalidated_ = true;
  episode_is_invalidated_ = true;
  actions.add(health_action::InvalidatePool{*error_class_});
}

bool HealthMonitor::is_prober_at_work() const noexcept {
  return state_ == HealthState::degraded || state_ == HealthState::down;
}

void HealthMonitor::enter(HealthActions& actions, HealthState state, HealthReason reason, time_point now) {
  reason_ = reason;
  if (state == HealthState::up || reason == HealthReason::probe_slow) {
    error_class_.reset();
    engine_code_.clear();
  }
  if (state == HealthState::up) episode_is_invalidated_ = false;
  if (state == state_) return;
  auto const before = std::exchange(state_, state);
  since_ = now;
  if (state == HealthState::down) actions.add(health_action::StopRefill{});
  if (before == HealthState::down) actions.add(health_action::ResumeRefill{});
  actions.add(health_action::StateChanged{before, state, reason, error_class_, engine_code_, now});
}

void HealthMonitor::plan_probe(time_point now) {
  if (!is_prober_at_work()) {
    if (suspected_at_ > probe_started_at_) {  // the probe that has just ended may have been answered before
      next_probe_at_ = detail::later(probe_started_at_, options_.immediate_gap);
      return;
    }
    auto const swing = options_.interval_jitter * (2 * random_.uniform() - 1);
    next_probe_at_ = detail::later(now, part_of(options_.interval, 1 + swing));
    return;
  }
  constexpr std::uint32_t enough_to_reach_any_maximum = 63;
  auto const failures = std::min(std::max(failures_in_a_row_, 1u), enough_to_reach_any_maximum);
  auto const longest =
      detail::doubled(options_.immediate_gap, options_.unhealthy_delay_max, static_cast<int>(failures) - 1);
  next_probe_at_ = detail::later(now, part_of(longest, 0.5 + random_.uniform() / 2));
}

void HealthMonitor::probe_soon(time_point now) {
  suspected_at_ = now;
  auto const earliest = probe_started_at_ == time_point::min()
                            ? now
                            : std::max(now, detail::later(probe_started_at_, options_.immediate_gap));
  next_probe_at_ = std::min(next_probe_at_, earliest);
}

}  // namespace belay::resilience
