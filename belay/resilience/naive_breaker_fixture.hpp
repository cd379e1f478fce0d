#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "belay/core/deadline.hpp"
#include "belay/core/random.hpp"
#include "belay/resilience/breaker_options.hpp"
#include "belay/resilience/breaker_state.hpp"
#include "belay/resilience/latency_quantile.hpp"

namespace belay::resilience {

/// The circuit breaker's rules written down the slow way: it remembers every call and counts them anew at each
/// question. What CircuitBreaker is compared with; enforcing mode, refused extra callers, time in order.
class NaiveBreaker {
 public:
  using time_point = Deadline::time_point;
  using nanoseconds = std::chrono::nanoseconds;

  struct Permit {
    std::uint64_t epoch = 0;
    std::size_t probe = 0;
  };
  struct Answer {
    std::optional<Permit> permit;
    BreakerRefusal reason = BreakerRefusal::open;
    nanoseconds retry_after{};
  };
  struct Transition {
    BreakerState from, to;
    BreakerCause cause;
    time_point at;
  };

  NaiveBreaker(BreakerOptions const& options, Random random, time_point now)
      : options_(options), random_(random), origin_(now), latency_(now), closed_since_(now) {}

  Answer enter(time_point now, Deadline deadline) {
    advance(now);
    if (state == BreakerState::forced_closed) return {Permit{0, 0}, {}, {}};
    if (state == BreakerState::forced_open) return {{}, BreakerRefusal::forced_open, BreakerAdmission::unknown};
    if (state == BreakerState::open) return {{}, BreakerRefusal::open, open_until - now};
    if (state == BreakerState::half_open) return enter_half_open(now, deadline);
    if (ramp_until_ > now) {
      auto const third = options_.ramp->over / 3.0;
      auto const elapsed = options_.ramp->over - (ramp_until_ - now);
      int const step = elapsed < third ? 0 : elapsed < 2 * third ? 1 : 2;
      auto const percent = std::vector{10, 25, 50}[static_cast<std::size_t>(step)];
      ramp_credit_ += percent;
      if (ramp_credit_ < 100) return {{}, BreakerRefusal::ramping, options_.ramp->over * (step + 1) / 3 - elapsed};
      ramp_credit_ -= 100;
    }
    return {Permit{epoch, 0}, {}, {}};
  }

  void record(Permit permit, BreakerVerdict verdict, time_point now, nanoseconds took) {
    advance(now);
    if (permit.epoch != epoch) return;
    bool const failed = verdict == BreakerVerdict::failure || verdict == BreakerVerdict::slow;
    if (state == BreakerState::closed) {
      if (verdict == BreakerVerdict::ignored) return;
      calls_.push_back({now, failed, is_slow(verdict, took)});
      if (!failed) latency_.add(took, now);
      if (auto const cause = tripped(now)) open(*cause, now);
    } else if (state == BreakerState::half_open) {
      if (!std::erase_if(probes, [&](Probe const& probe) { return probe.id == permit.probe; })) return;
      if (verdict == BreakerVerdict::ignored) {
        last_ignored_ = now;
        if (undecided_since_ && now - *undecided_since_ >= open_for) open(BreakerCause::probes_undecided, now);
      } else if (failed || is_slow(verdict, took)) {
        open(BreakerCause::probe_failed, now);
      } else {
        undecided_since_.reset();
        if (++probe_successes == options_.successes_to_close) close(BreakerCause::probes_succeeded, now);
      }
    }
  }

  void advance(time_point now) {
    if (state == BreakerState::open && now >= open_until) half_open(BreakerCause::open_time_over, now);
    for (auto const& probe : probes) {
      if (now < probe.lease_over) continue;
      open(BreakerCause::probe_lease_over, now);
      return;
    }
  }

  time_point next_event() const {
    if (state == BreakerState::open) return open_until;
    auto earliest = time_point::max();
    for (auto const& probe : probes) earliest = std::min(earliest, probe.lease_over);
    return earliest;
  }

  void endpoint_recovered(time_point now) {
    if (state == BreakerState::open) half_open(BreakerCause::endpoint_recovered, now);
  }
  void force(BreakerState forced, time_point now) {
    if (state != forced) enter_state(forced, BreakerCause::forced, now);
  }
  void release(time_point now) {
    if (state == BreakerState::forced_open) half_open(BreakerCause::released, now);
    if (state == BreakerState::forced_closed) close(BreakerCause::released, now);
  }

  std::uint32_t failures_in_row() const {
    std::uint32_t failures = 0;
    for (auto call = calls_.rbegin(); call != calls_.rend() && call->failed; ++call) ++failures;
    return failures;
  }
  CallCounts in_time_window(time_point now) const { return counted_since(options_.time_window_length, now); }
  CallCounts in_count_window(time_point now) const {
    CallCounts counts;
    auto call = calls_.rbegin();
    for (; call != calls_.rend() && counts.total < options_.count_window_calls; ++call) {
      if (now - call->at >= options_.count_window_age_max) break;
      add(counts, *call);
    }
    return counts;
  }

  struct Probe {
    std::size_t id;
    time_point lease_over;
  };

  BreakerState state = BreakerState::closed;
  std::uint64_t epoch = 1;
  std::uint32_t openings = 0;
  time_point open_until;
  nanoseconds open_for{};
  std::vector<Probe> probes;
  std::uint32_t probe_successes = 0;
  std::vector<Transition> transitions;

 private:
  struct Call {
    time_point at;
    bool failed;
    bool slow;
  };

  Answer enter_half_open(time_point now, Deadline deadline) {
    if (probes.size() >= options_.probes_max) {
      return {{}, BreakerRefusal::probes_under_way, next_event() - now};
    }
    bool const paused = probes.empty() && now - last_ignored_ > open_for;
    if (!undecided_since_ || paused) undecided_since_ = now;
    auto const own = std::min<nanoseconds>(deadline.remaining(now), std::chrono::hours(24)) + std::chrono::seconds(1);
    probes.push_back({++last_probe_, now + std::min(std::max(options_.probe_lease, own), open_for)});
    return {Permit{epoch, last_probe_}, {}, {}};
  }

  bool is_slow(BreakerVerdict verdict, nanoseconds took) const {
    if (!options_.slow) return false;
    if (verdict == BreakerVerdict::slow) return true;
    auto const p99 = static_cast<double>(latency_.p99().count()) * options_.slow->p99_factor;
    return verdict == BreakerVerdict::success && took > options_.slow->floor && static_cast<double>(took.count()) > p99;
  }

  std::optional<BreakerCause> tripped(time_point now) const {
    auto const share = [](std::uint32_t part, std::uint32_t total) {
      return total == 0 ? 0 : static_cast<double>(part) / total;
    };
    if (options_.consecutive && failures_in_row() >= options_.consecutive->failures) {
      auto const& rule = *options_.consecutive;
      bool const crowded =
          !rule.population_min || counted_since(std::chrono::minutes(1), now).total >= *rule.population_min;
      auto const first = calls_[calls_.size() - failures_in_row()].at;
      if (crowded || now - first >= rule.span_min) return BreakerCause::consecutive_failures;
    }
    auto const in_time = in_time_window(now);
    auto const in_count = in_count_window(now);
    if (auto const& rule = options_.time_window) {
      if (in_time.total >= rule->calls_min && share(in_time.failures, in_time.total) >= rule->share)
        return BreakerCause::failure_share_in_time;
    }
    if (auto const& rule = options_.count_window) {
      if (in_count.total >= rule->calls_min && share(in_count.failures, in_count.total) >= rule->share)
        return BreakerCause::failure_share_in_calls;
    }
    if (auto const& rule = options_.slow) {
      if (in_time.total >= rule->calls_min && share(in_time.slow, in_time.total) >= rule->share)
        return BreakerCause::slow_share;
    }
    return std::nullopt;
  }

  /// Of the last `length`, on a grid of tenths that starts at the breaker's construction.
  CallCounts counted_since(nanoseconds length, time_point now) const {
    auto const bucket = [&](time_point at) { return (at - origin_) / (length / 10); };
    CallCounts counts;
    for (auto const& call : calls_) {
      if (bucket(call.at) > bucket(now) - 10) add(counts, call);
    }
    return counts;
  }
  static void add(CallCounts& counts, Call const& call) {
    ++counts.total;
    if (call.failed) ++counts.failures;
    if (call.slow) ++counts.slow;
  }

  void open(BreakerCause cause, time_point now) {
    if (state == BreakerState::closed) {
      if (now - closed_since_ >= options_.forget_openings_after) openings = 0;
      auto const counted =
          std::clamp<nanoseconds>(now - closed_since_, std::chrono::seconds(1), std::chrono::minutes(1));
      auto const calls = counted_since(std::chrono::minutes(1), now).total;
      was_busy_ =
          options_.ramp && calls / std::chrono::duration<double>(counted).count() > options_.ramp->above_per_second;
    }
    ++openings;
    nanoseconds nominal = options_.open_for;
    for (std::uint32_t i = 1; i < openings && nominal < options_.open_for_max; ++i) nominal *= 2;
    nominal = std::min(nominal, options_.open_for_max);
    auto const low = 1 - options_.jitter_down;
    open_for = std::chrono::duration_cast<nanoseconds>(
        nominal * (low + (options_.jitter_down + options_.jitter_up) * random_.uniform()));
    open_until = now + open_for;
    enter_state(BreakerState::open, cause, now);
  }
  void half_open(BreakerCause cause, time_point now) {
    if (open_for == nanoseconds::zero()) open_for = options_.open_for;
    probe_successes = 0;
    undecided_since_.reset();
    last_ignored_ = now;
    enter_state(BreakerState::half_open, cause, now);
  }
  void close(BreakerCause cause, time_point now) {
    calls_.clear();
    closed_since_ = now;
    if (cause == BreakerCause::probes_succeeded && was_busy_) ramp_until_ = now + options_.ramp->over;
    if (cause == BreakerCause::released) ramp_until_ = now;
    ramp_credit_ = 90;
    enter_state(BreakerState::closed, cause, now);
  }
  void enter_state(BreakerState to, BreakerCause cause, time_point now) {
    transitions.push_back({state, to, cause, now});
    state = to;
    ++epoch;
    probes.clear();
  }

  BreakerOptions options_;
  Random random_;
  time_point origin_;
  LatencyQuantile latency_;
  std::vector<Call> calls_;  ///< since it closed
  time_point closed_since_;
  bool was_busy_ = false;
  time_point ramp_until_;
  int ramp_credit_ = 0;
  std::size_t last_probe_ = 0;
  std::optional<time_point> undecided_since_;
  time_point last_ignored_;
};

}  // namespace belay::resilience
