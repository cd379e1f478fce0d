#include "gates.hpp"

#include <algorithm>
#include <utility>

namespace belay::simulation {

using namespace belay::resilience;
using namespace std::chrono_literals;

// ── rate limiter ─────────────────────────────────────────────────────────────────────────────────────────────────────

LimiterAnswer LimiterWatch::reserve(Reservation& reservation, time_point now, Deadline deadline) {
  auto const before = limiter_.tat_ns();
  reservation = limiter_.reserve(now, deadline);
  if (reservation) {
    promised(reservation);
    return {.at = reservation.at};
  }
  record_.require(limiter_.tat_ns() == before, "L2", "a refused reservation changed the state");
  return {.retry_after = reservation.wait};
}

/// One that was the latest has never been.
void LimiterWatch::give_back(Reservation& reservation, time_point now) {
  if (!limiter_.cancel(reservation, now)) return;
  auto const found = before_.find(reservation.tat_after_ns);
  if (found == before_.end()) return record_.violate("L1", "a reservation was given back that nobody had");
  level_ = found->second;
  before_.erase(found);
}

/// L1: in any window w at most rate * w + burst, which is a leaky bucket that never overflows.
void LimiterWatch::promised(Reservation const& reservation) {
  auto const& limit = limiter_.limit();
  before_[reservation.tat_after_ns] = level_;
  if (before_.size() > 2000) before_.erase(before_.begin());
  auto const at = std::max(reservation.at, level_.filled_at);
  auto const leaked = std::chrono::duration<double>(at - level_.filled_at).count() * limit.per_second;
  level_ = {std::max(0.0, level_.used - leaked) + 1, at};
  record_.require(level_.used <= limit.burst + 0.01, "L1", "more calls than rate x time + burst");
}

// ── bulkhead ─────────────────────────────────────────────────────────────────────────────────────────────────────────

BulkheadAnswer BulkheadWatch::enter(Ticket& ticket, time_point now, Deadline deadline) {
  ticket.turn = turn_;
  auto const entry = bulkhead_.enter(ticket, Lane::normal, deadline, now);
  ticket.permit = entry.permit;
  if (entry.kind == BulkheadEntry::Kind::admitted) ++inside_;
  wake(now);
  switch (entry.kind) {
    case BulkheadEntry::Kind::admitted: return {};
    case BulkheadEntry::Kind::queued: return {.kind = BulkheadAnswer::Kind::queued};
    case BulkheadEntry::Kind::refused: break;
  }
  return {.kind = BulkheadAnswer::Kind::refused, .retry_after = entry.predicted_wait};
}

BulkheadAnswer BulkheadWatch::accept(Ticket& ticket, time_point now) {
  if (auto const permit = bulkhead_.accept(ticket, now)) {
    ticket.permit = *permit;
    ++inside_;
    wake(now);
    return {};
  }
  bool const is_refused = ticket.state() == LaneWaiter::State::refused;
  return {.kind = is_refused ? BulkheadAnswer::Kind::refused : BulkheadAnswer::Kind::queued};
}

void BulkheadWatch::leave(Ticket& ticket, CallEnd const& end, time_point now) {
  auto outcome = HoldOutcome::done;
  if (end.failure || end.attempts > 1) outcome = HoldOutcome::ignored;
  if (end.failure == ErrorClass::overload) outcome = HoldOutcome::overloaded;
  bulkhead_.leave(ticket.permit, outcome, now);
  --inside_;
  wake(now);
}

void BulkheadWatch::withdraw(Ticket& ticket, time_point now) {
  bulkhead_.withdraw(ticket);
  wake(now);
}

void BulkheadWatch::wake(time_point now) {
  while (auto* const waiter = bulkhead_.next(now)) {
    auto* const turn = static_cast<Ticket*>(waiter)->turn;
    (*turn)();
  }
  record_.require(inside_ <= bulkhead_.in_use() && bulkhead_.in_use() <= bulkhead_.limit(), "L4",
                  "more calls inside than the limit");
  record_.require(bulkhead_.waiting() == 0 || bulkhead_.in_use() == bulkhead_.limit(), "L4",
                  "a call waits while a place is free");
}

void BulkheadWatch::check_end() {
  record_.require(bulkhead_.in_use() == 0 && bulkhead_.waiting() == 0 && inside_ == 0, "P19",
                  "a place in the bulkhead is left");
}

// ── breaker ──────────────────────────────────────────────────────────────────────────────────────────────────────────

namespace {

bool is_legal(BreakerState from, BreakerState to) {
  switch (to) {
    case BreakerState::forced_open:
    case BreakerState::forced_closed: return from != to;
    case BreakerState::open: return from == BreakerState::closed || from == BreakerState::half_open;
    case BreakerState::half_open: return from == BreakerState::open || from == BreakerState::forced_open;
    case BreakerState::closed: return from == BreakerState::half_open || from == BreakerState::forced_closed;
  }
  return false;
}

}  // namespace

BreakerWatch::BreakerWatch(BreakerOptions const& options, Random random, Timeline& timeline, Record& record,
                           Coverage& coverage)
    : options_(options),
      breaker_(options, random, timeline.now()),
      timeline_(timeline),
      record_(record),
      coverage_(coverage) {}

void BreakerWatch::cover(BreakerInput input) {
  coverage_.breaker.record(static_cast<std::size_t>(breaker_.state()), static_cast<std::size_t>(input));
}

/// B7: each transition leaves one event, in order, along the graph.
void BreakerWatch::after(time_point now) {
  bool has_news = false;
  bool has_changed = false;
  while (auto const event = breaker_.next()) {
    has_news = true;
    if (event->kind != BreakerEvent::Kind::transition) continue;
    record_.note("breaker", static_cast<std::uint64_t>(event->from), static_cast<std::uint64_t>(event->to));
    record_.require(event->from == state_ && is_legal(event->from, event->to), "B7", "an illegal transition");
    record_.require(event->epoch == epoch_ + 1, "B7", "a transition without its event");
    if (event->to == BreakerState::open) {
      auto const doubled =
          std::min(options_.open_for_max, options_.open_for * (1U << std::min(event->openings - 1, 9U)));
      auto const nominal = static_cast<double>(doubled.count());
      auto const actual = static_cast<double>(event->open_for.count());
      record_.require(
          actual >= nominal * (1 - options_.jitter_down) - 1 && actual <= nominal * (1 + options_.jitter_up) + 1, "B8",
          "an open time outside its jitter");
      open_for_ = event->open_for;
      failures_in_row_ = 0;
    }
    if (event->to == BreakerState::half_open) progress_at_ = now;
    if (event->to == BreakerState::closed) failures_in_row_ = 0;
    state_ = event->to;
    epoch_ = event->epoch;
    probes_ = 0;
    has_changed = true;
  }
  record_.require(state_ == breaker_.state() && epoch_ == breaker_.epoch(), "B7", "a state that no event told of");
  if (has_news && news) news();
  if (has_changed && changed) changed();
}

BreakerAnswer<BreakerWatch::Permit, BreakerWatch::Wait> BreakerWatch::try_enter(time_point now, Deadline deadline) {
  advance();
  cover(BreakerInput::enter);
  check_wedge(now);
  auto const answer = breaker_.try_enter(now, deadline);
  bool const enforces = options_.mode == BreakerMode::enforcing;
  if (answer) {
    ++out_;
    bool const is_open = state_ == BreakerState::open || state_ == BreakerState::forced_open;
    record_.require(!is_open || !enforces, "B1", "a call passed an open breaker");
    if (state_ == BreakerState::half_open && answer.permit.epoch == epoch_) {
      record_.require(++probes_ <= options_.probes_max, "B2", "more probes at once than allowed");
    }
  } else {
    record_.require(enforces, "B9", "a breaker in shadow mode refused");
  }
  after(now);
  if (answer) return {.permit = Permit{answer.permit, now}};
  return {.wait = answer.wait ? std::optional(answer.wait) : std::nullopt, .retry_after = answer.retry_after};
}

/// B4: while calls keep coming, half open decides something within a lease and the time it was open.
void BreakerWatch::check_wedge(time_point now) {
  if (state_ != BreakerState::half_open) return;
  // A pause as long as the open time starts it anew.
  if (now - asked_at_ > std::min<duration>(open_for_ / 2, 100ms)) progress_at_ = now;
  asked_at_ = now;
  auto const lease = std::min<duration>(std::max<duration>(options_.probe_lease, 61s),
                                        std::max<duration>(open_for_, options_.open_for));
  record_.require(now - progress_at_ <= lease + std::max<duration>(open_for_, options_.open_for) * 2, "B4",
                  "half open for longer than a probe's lease and the open time");
}

void BreakerWatch::count_in_a_row(BreakerVerdict verdict) {
  if (verdict == BreakerVerdict::ignored) return;
  failures_in_row_ = verdict == BreakerVerdict::success ? 0 : failures_in_row_ + 1;
}

void BreakerWatch::record(Permit permit, BreakerSignal signal, time_point now) {
  advance();
  --out_;
  auto verdict = BreakerVerdict::ignored;
  auto input = BreakerInput::ignored;
  switch (signal) {
    case BreakerSignal::success:
    case BreakerSignal::slow_answer: verdict = BreakerVerdict::success, input = BreakerInput::success; break;
    case BreakerSignal::failure: verdict = BreakerVerdict::failure, input = BreakerInput::failure; break;
    case BreakerSignal::slow_failure: verdict = BreakerVerdict::slow, input = BreakerInput::slow; break;
    case BreakerSignal::ignored: break;
  }
  bool const is_stale = permit.permit.epoch != epoch_;
  cover(is_stale ? BreakerInput::stale : input);
  auto const before = state_;
  bool const counts = breaker_.record(permit.permit, verdict, now, now - permit.since);
  if (is_stale) {
    record_.require(!counts && breaker_.epoch() == epoch_, "B3", "a verdict of an old epoch changed the state");
  } else if (before == BreakerState::half_open) {
    if (counts && probes_ > 0) --probes_;
    if (counts && verdict == BreakerVerdict::success) progress_at_ = now;
  } else if (before == BreakerState::closed) {
    count_in_a_row(verdict);
    bool const recounts = options_.consecutive && !options_.consecutive->population_min && !options_.time_window &&
                          !options_.count_window && !options_.slow;
    if (recounts) {  // B5
      bool const should_open = failures_in_row_ == options_.consecutive->failures;
      record_.require((breaker_.state() == BreakerState::open) == should_open, "B5",
                      "it does not trip at exactly n failures in a row");
    }
  }
  after(now);
}

void BreakerWatch::stop_waiting(Wait wait) {
  cover(BreakerInput::stop_waiting);
  breaker_.stop_waiting(wait);
  after(timeline_.now());
}

bool BreakerWatch::is_open(time_point now) const {
  return breaker_.state() == BreakerState::forced_open ||
         (breaker_.state() == BreakerState::open && now < breaker_.open_until());
}

void BreakerWatch::advance() {
  auto const now = timeline_.now();
  if (breaker_.next_event() <= now) cover(BreakerInput::timer);
  breaker_.advance(now);
  record_.require(breaker_.next_event() > now, "B7", "advance() makes no progress");
  after(now);
}

void BreakerWatch::endpoint_recovered() {
  cover(BreakerInput::recovered);
  breaker_.endpoint_recovered(timeline_.now());
  after(timeline_.now());
}

void BreakerWatch::force_open() {
  cover(BreakerInput::force_open);
  breaker_.force_open(timeline_.now());
  after(timeline_.now());
}

void BreakerWatch::force_closed() {
  cover(BreakerInput::force_closed);
  breaker_.force_closed(timeline_.now());
  after(timeline_.now());
}

void BreakerWatch::release() {
  cover(BreakerInput::release);
  breaker_.release(timeline_.now());
  after(timeline_.now());
}

void BreakerWatch::check_end() {
  auto const snapshot = breaker_.snapshot(timeline_.now());
  auto const& counters = snapshot.counters;
  auto const verdicts = counters.successes + counters.failures + counters.slow + counters.ignored + counters.stale;
  // A call that a shadow breaker would have refused counts as admitted too.
  record_.require(out_ == 0, "P19", "a breaker's permit is left");
  record_.require(counters.admitted == verdicts, "metrics", "a breaker's verdicts do not add up to its admissions");
  record_.require(counters.events_lost == 0, "B7", "events were lost");
}

}  // namespace belay::simulation
