#include "belay/resilience/circuit_breaker.hpp"

#include <algorithm>

#include "belay/core/error.hpp"
#include "belay/resilience/detail/monotonic.hpp"

namespace belay::resilience {

using detail::time_after;
using detail::time_between;
using namespace std::chrono_literals;

namespace {

struct RampStep {
  int until_third;  ///< of the ramp's time
  std::uint32_t percent;
};
constexpr std::array ramp_steps{RampStep{1, 10}, RampStep{2, 25}, RampStep{3, 50}};

/// What a call gets whose verdict must not count: no epoch is 0.
constexpr BreakerPermit uncounted;

BreakerOptions const& checked(BreakerOptions const& options) {
  check(options);
  return options;
}

[[noreturn]] void refuse_snapshot(char const* what) {
  throw Error(ErrorClass::request, SendState::never_sent,
              std::string("the snapshot of a circuit breaker holds ") + what);
}

void check(BreakerSnapshot const& snapshot) {
  if (std::min({snapshot.remaining, snapshot.open_for, snapshot.failing_for, snapshot.ramp_remaining}) < 0ns) {
    refuse_snapshot("a negative duration");
  }
  if (name_of(snapshot.state) == "unknown") refuse_snapshot("no known state");
  if (snapshot.epoch == 0 || snapshot.epoch == UINT64_MAX) refuse_snapshot("an impossible epoch");
  if (snapshot.state == BreakerState::open && snapshot.openings == 0) refuse_snapshot("an open state without opening");
}

}  // namespace

CircuitBreaker::CircuitBreaker(BreakerOptions const& options, Random random, time_point now)
    : minute_(1min, now),
      time_window_(checked(options).time_window_length, now),
      count_window_(options.count_window ? options.count_window_calls : 1, options.count_window_age_max),
      latency_(now),
      options_(options),
      first_failure_at_(now),
      closed_since_(now),
      counting_since_(now),
      open_until_(now),
      open_for_(options.open_for),
      undecided_since_(now),
      last_ignored_at_(now),
      ramp_started_(now),
      random_(random) {}

CircuitBreaker::CircuitBreaker(BreakerOptions const& options, Random random, time_point now,
                               BreakerSnapshot const& snapshot)
    : CircuitBreaker(options, random, now) {
  check(snapshot);
  auto const shortened = [](nanoseconds wanted, nanoseconds most) { return std::min(wanted, most); };
  auto const longest_open = std::chrono::duration_cast<nanoseconds>(options_.open_for_max * (1 + options_.jitter_up));
  state_ = snapshot.state;
  epoch_ = snapshot.epoch + 1;
  openings_ = snapshot.openings;
  if (snapshot.open_for > 0ns) open_for_ = shortened(snapshot.open_for, longest_open);
  if (state_ == BreakerState::open) open_until_ = time_after(now, shortened(snapshot.remaining, longest_open));
  if (state_ == BreakerState::closed && openings_ > 0) {
    auto const forget = options_.forget_openings_after;
    closed_since_ = now - (forget - shortened(snapshot.remaining, forget));
  }
  failures_in_row_ = snapshot.failures_in_row;
  first_failure_at_ = now - shortened(snapshot.failing_for, 24h);
  probe_successes_ = std::min(snapshot.probe_successes, options_.successes_to_close - 1);
  busy_before_opening_ = snapshot.busy_before_opening;
  if (state_ == BreakerState::closed && options_.ramp && snapshot.ramp_remaining > 0ns) {
    ramping_ = true;
    ramp_started_ = now - (options_.ramp->over - shortened(snapshot.ramp_remaining, options_.ramp->over));
  }
  counters_ = snapshot.counters;
}

BreakerAdmission CircuitBreaker::try_enter_guarded(time_point now, Deadline deadline) noexcept {
  advance(now);
  switch (state_) {
    case BreakerState::closed: return admit_ramping(now);
    case BreakerState::half_open: return enter_half_open(now, deadline);
    case BreakerState::open: return refuse(BreakerRefusal::open, time_between(now, open_until_));
    case BreakerState::forced_open: return refuse(BreakerRefusal::forced_open, BreakerAdmission::unknown);
    case BreakerState::forced_closed: break;
  }
  return admit(uncounted);
}

BreakerAdmission CircuitBreaker::enter_half_open(time_point now, Deadline deadline) noexcept {
  if (probes_held_ < options_.probes_max) return admit(lend_probe(now, deadline));
  auto refusal = refuse(BreakerRefusal::probes_under_way, time_between(now, next_event()));
  if (!refusal) refusal.wait = admit_waiter();
  return refusal;
}

BreakerPermit CircuitBreaker::lend_probe(time_point now, Deadline deadline) noexcept {
  // Undecided is what happens while calls keep coming: a pause as long as the open time starts it anew.
  bool const paused = probes_held_ == 0 && time_between(last_ignored_at_, now) > open_for_;
  if (!undecided_ || paused) undecided_since_ = now;
  undecided_ = true;
  auto const call_timeout = deadline.remaining(now);
  auto const own_lease = call_timeout > 24h ? 24h : call_timeout + 1s;
  auto const lease = std::min(std::max<nanoseconds>(options_.probe_lease, own_lease), open_for_);
  auto const place = std::find_if(probes_.begin(), probes_.end(), [](Probe const& probe) { return !probe.held; });
  *place = Probe{time_after(now, lease), ++probe_serial_, true};
  ++probes_held_;
  return BreakerPermit{epoch_, static_cast<std::uint32_t>(place - probes_.begin()), probe_serial_};
}

BreakerWait CircuitBreaker::admit_waiter() noexcept {
  if (options_.extra_callers != ExtraCallers::wait || waiting_ >= options_.waiters_max) return {};
  ++waiting_;
  return BreakerWait{waiting_round_};
}

BreakerAdmission CircuitBreaker::admit_ramping(time_point now) noexcept {
  if (ramping_) {
    auto const over = options_.ramp->over;
    auto const elapsed = time_between(ramp_started_, now);
    auto const step = std::find_if(ramp_steps.begin(), ramp_steps.end(), [&](RampStep const& candidate) {
      return elapsed < over * candidate.until_third / 3;
    });
    if (step == ramp_steps.end()) {
      ramping_ = false;
    } else {
      ramp_credit_ += step->percent;
      if (ramp_credit_ < 100) return refuse(BreakerRefusal::ramping, over * step->until_third / 3 - elapsed);
      ramp_credit_ -= 100;
    }
  }
  return admit(BreakerPermit{epoch_, 0, 0});
}

BreakerAdmission CircuitBreaker::refuse(BreakerRefusal reason, nanoseconds retry_after) noexcept {
  if (options_.mode == BreakerMode::shadow) {
    // Its verdict must not count: the enforcing breaker, whose twin this is, would never have learnt it.
    ++counters_.shadow_refused;
    return admit(uncounted);
  }
  ++counters_.refused;
  BreakerAdmission admission;
  admission.reason = reason;
  admission.retry_after = retry_after;
  return admission;
}

bool CircuitBreaker::record(BreakerPermit permit, BreakerVerdict verdict, time_point now, nanoseconds took) noexcept {
  // First what is due: a lease that ended before the verdict has failed, whoever noticed first.
  if (state_ == BreakerState::half_open) advance(now);
  if (permit.epoch != epoch_) {
    ++counters_.stale;
    return false;
  }
  if (state_ == BreakerState::half_open) return record_probe(permit, verdict, now, took);
  record_closed(verdict, now, took);
  return true;
}

void CircuitBreaker::record_closed(BreakerVerdict verdict, time_point now, nanoseconds took) noexcept {
  count(verdict);
  if (verdict == BreakerVerdict::ignored) return;
  bool const failed = verdict != BreakerVerdict::success;
  bool const slow = options_.slow && is_slow(verdict, took);
  minute_.add(failed, slow, now);
  if (options_.time_window || options_.slow) time_window_.add(failed, slow, now);
  if (options_.count_window) count_window_.add(failed, slow, now);
  if (options_.slow && !failed) latency_.add(took, now);
  if (failed) {
    if (failures_in_row_ == 0) first_failure_at_ = now;
    if (failures_in_row_ < UINT32_MAX) ++failures_in_row_;
  } else {
    failures_in_row_ = 0;
  }
  apply_rules(failed, now);
}

bool CircuitBreaker::is_slow(BreakerVerdict verdict, nanoseconds took) const noexcept {
  if (verdict != BreakerVerdict::success) return verdict == BreakerVerdict::slow;
  auto const by_p99 = static_cast<double>(latency_.p99().count()) * options_.slow->p99_factor;
  return took > options_.slow->floor && static_cast<double>(took.count()) > by_p99;
}

/// Opens when a rule says so.
void CircuitBreaker::apply_rules(bool failed, time_point now) noexcept {
  auto const reached = [](std::uint32_t part, CallCounts const& all, double share, std::uint32_t calls_min) {
    return all.total >= calls_min && part >= share * all.total;
  };
  if (failed && options_.consecutive && failures_in_row_ >= options_.consecutive->failures && is_spread(now)) {
    return open(BreakerCause::consecutive_failures, now);
  }
  if (auto const& rule = options_.time_window) {
    auto const& calls = time_window_.counts();
    if (reached(calls.failures, calls, rule->share, rule->calls_min)) {
      return open(BreakerCause::failure_share_in_time, now);
    }
  }
  if (auto const& rule = options_.count_window) {
    auto const& calls = count_window_.counts();
    if (reached(calls.failures, calls, rule->share, rule->calls_min)) {
      return open(BreakerCause::failure_share_in_calls, now);
    }
  }
  if (auto const& rule = options_.slow) {
    auto const& calls = time_window_.counts();
    if (reached(calls.slow, calls, rule->share, rule->calls_min)) return open(BreakerCause::slow_share, now);
  }
}

bool CircuitBreaker::is_spread(time_point now) const noexcept {
  auto const& population_min = options_.consecutive->population_min;
  return !population_min || minute_.counts().total >= *population_min ||
         time_between(first_failure_at_, now) >= options_.consecutive->span_min;
}

bool CircuitBreaker::record_probe(BreakerPermit permit, BreakerVerdict verdict, time_point now,
                                  nanoseconds took) noexcept {
  auto& probe = probes_[permit.probe % probes_limit];
  if (!probe.held || probe.serial != permit.probe_serial) {
    ++counters_.stale;
    return false;
  }
  probe.held = false;
  --probes_held_;
  count(verdict);
  if (verdict == BreakerVerdict::ignored) {
    ignore_probe(now);
    return true;
  }
  // A slow success would close a breaker that the slow rule reopens at once.
  if (verdict != BreakerVerdict::success || (options_.slow && is_slow(verdict, took))) {
    open(BreakerCause::probe_failed, now);
    return true;
  }
  undecided_ = false;
  if (++probe_successes_ >= options_.successes_to_close) {
    close(BreakerCause::probes_succeeded, now);
  } else {
    tell_waiters(now);
  }
  return true;
}

void CircuitBreaker::ignore_probe(time_point now) noexcept {
  last_ignored_at_ = now;
  if (undecided_ && time_between(undecided_since_, now) >= open_for_) {
    open(BreakerCause::probes_undecided, now);
  } else {
    tell_waiters(now);
  }
}

void CircuitBreaker::count(BreakerVerdict verdict) noexcept {
  switch (verdict) {
    case BreakerVerdict::success: ++counters_.successes; return;
    case BreakerVerdict::failure: ++counters_.failures; return;
    case BreakerVerdict::slow: ++counters_.slow; return;
    case BreakerVerdict::ignored: ++counters_.ignored; return;
  }
}

void CircuitBreaker::stop_waiting(BreakerWait wait) noexcept {
  if (wait.round == waiting_round_ && waiting_ > 0) --waiting_;
}

void CircuitBreaker::advance(time_point now) noexcept {
  if (state_ == BreakerState::open && now >= open_until_) {
    half_open(BreakerCause::open_time_over, now);
  } else if (state_ == BreakerState::half_open && probes_held_ > 0) {
    auto const over = std::count_if(probes_.begin(), probes_.end(),
                                    [&](Probe const& probe) { return probe.held && now >= probe.lease_over_at; });
    if (over == 0) return;
    counters_.leases_over += static_cast<std::uint64_t>(over);
    open(BreakerCause::probe_lease_over, now);
  }
}

CircuitBreaker::time_point CircuitBreaker::next_event() const noexcept {
  if (state_ == BreakerState::open) return open_until_;
  auto earliest = time_point::max();
  if (state_ != BreakerState::half_open) return earliest;
  for (auto const& probe : probes_) {
    if (probe.held) earliest = std::min(earliest, probe.lease_over_at);
  }
  return earliest;
}

bool CircuitBreaker::endpoint_recovered(time_point now) noexcept {
  if (state_ != BreakerState::open) return false;
  half_open(BreakerCause::endpoint_recovered, now);
  return true;
}

void CircuitBreaker::force_open(time_point now) noexcept { force(BreakerState::forced_open, now); }

void CircuitBreaker::force_closed(time_point now) noexcept { force(BreakerState::forced_closed, now); }

void CircuitBreaker::force(BreakerState state, time_point now) noexcept {
  if (state_ != state) enter(state, BreakerCause::forced, now);
}

void CircuitBreaker::release(time_point now) noexcept {
  if (state_ == BreakerState::forced_open) half_open(BreakerCause::released, now);
  if (state_ == BreakerState::forced_closed) close(BreakerCause::released, now);
}

void CircuitBreaker::open(BreakerCause cause, time_point now) noexcept {
  if (state_ == BreakerState::closed) {
    if (time_between(closed_since_, now) >= options_.forget_openings_after) openings_ = 0;
    busy_before_opening_ = options_.ramp && calls_per_second(now) > options_.ramp->above_per_second;
  }
  if (openings_ < UINT32_MAX) ++openings_;
  ++counters_.opened;
  open_for_ = jittered_open_time();
  open_until_ = time_after(now, open_for_);
  enter(BreakerState::open, cause, now);
}

CircuitBreaker::nanoseconds CircuitBreaker::jittered_open_time() noexcept {
  auto nominal = options_.open_for;
  for (std::uint32_t doubled = 1; doubled < openings_ && nominal < options_.open_for_max; ++doubled) nominal *= 2;
  nominal = std::min(nominal, options_.open_for_max);
  auto const spread = options_.jitter_down + options_.jitter_up;
  auto const factor = 1 - options_.jitter_down + spread * random_.uniform();
  return std::chrono::duration_cast<nanoseconds>(nominal * factor);
}

void CircuitBreaker::half_open(BreakerCause cause, time_point now) noexcept {
  probe_successes_ = 0;
  undecided_ = false;
  last_ignored_at_ = now;
  enter(BreakerState::half_open, cause, now);
}

void CircuitBreaker::close(BreakerCause cause, time_point now) noexcept {
  forget_calls();
  closed_since_ = now;
  counting_since_ = now;
  ramping_ = cause == BreakerCause::probes_succeeded && busy_before_opening_;
  ramp_started_ = now;
  ramp_credit_ = 90;  // the first call passes
  enter(BreakerState::closed, cause, now);
}

void CircuitBreaker::enter(BreakerState state, BreakerCause cause, time_point now) noexcept {
  BreakerEvent event;
  event.from = state_;
  event.to = state;
  event.cause = cause;
  event.epoch = ++epoch_;
  event.openings = openings_;
  if (state == BreakerState::open) event.open_for = open_for_;
  event.at = now;
  state_ = state;
  for (auto& probe : probes_) probe.held = false;
  probes_held_ = 0;
  waiting_ = 0;
  ++waiting_round_;
  tell(event);
}

void CircuitBreaker::forget_calls() noexcept {
  minute_.clear();
  time_window_.clear();
  count_window_.clear();
  failures_in_row_ = 0;
}

/// Over the last minute, or since it closed if that is less; a burst in the first second does not make it busy.
double CircuitBreaker::calls_per_second(time_point now) const noexcept {
  auto const counted = std::clamp<nanoseconds>(time_between(counting_since_, now), 1s, 1min);
  return minute_.counts().total / std::chrono::duration<double>(counted).count();
}

void CircuitBreaker::tell_waiters(time_point now) noexcept {
  if (waiting_ == 0) return;
  waiting_ = 0;
  ++waiting_round_;
  BreakerEvent event;
  event.kind = BreakerEvent::Kind::probe_free;
  event.from = event.to = state_;
  event.epoch = epoch_;
  event.openings = openings_;
  event.at = now;
  tell(event);
}

void CircuitBreaker::tell(BreakerEvent const& event) noexcept {
  events_[(event_first_ + event_count_) % events_kept] = event;
  if (event_count_ < events_kept) {
    ++event_count_;
  } else {
    event_first_ = (event_first_ + 1) % events_kept;
    ++counters_.events_lost;
  }
}

std::optional<BreakerEvent> CircuitBreaker::next() noexcept {
  if (event_count_ == 0) return std::nullopt;
  auto const event = events_[event_first_];
  event_first_ = (event_first_ + 1) % events_kept;
  --event_count_;
  return event;
}

BreakerSnapshot CircuitBreaker::snapshot(time_point now) noexcept {
  time_window_.expire(now);
  count_window_.expire(now);
  BreakerSnapshot snapshot;
  snapshot.state = state_;
  snapshot.epoch = epoch_;
  snapshot.openings = openings_;
  snapshot.open_for = openings_ > 0 ? open_for_ : 0ns;
  if (state_ == BreakerState::open) snapshot.remaining = time_between(now, open_until_);
  if (state_ == BreakerState::closed && openings_ > 0) {
    snapshot.remaining = time_between(now, time_after(closed_since_, options_.forget_openings_after));
    if (snapshot.remaining == 0ns) {
      snapshot.openings = 0;
      snapshot.open_for = 0ns;
    }
  }
  snapshot.failures_in_row = failures_in_row_;
  if (failures_in_row_ > 0) snapshot.failing_for = time_between(first_failure_at_, now);
  if (state_ == BreakerState::half_open) snapshot.probe_successes = probe_successes_;
  snapshot.busy_before_opening = busy_before_opening_;
  if (ramping_) snapshot.ramp_remaining = time_between(now, time_after(ramp_started_, options_.ramp->over));
  snapshot.time_window = time_window_.counts();
  snapshot.count_window = count_window_.counts();
  snapshot.p99 = latency_.p99();
  snapshot.counters = counters_;
  return snapshot;
}

}  // namespace belay::resilience
