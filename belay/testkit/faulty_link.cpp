#include "belay/testkit/faulty_link.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace belay::testkit {

using std::chrono::nanoseconds;

namespace {

/// Small reads and a long delay must not make a long list of it: then the sender waits.
constexpr std::size_t pieces_max = 4096;
/// A bandwidth is spent in portions of this much time, so that a fast one needs few wake-ups.
constexpr nanoseconds portion = std::chrono::milliseconds(10);
/// A wake-up that comes late is made up for, up to this much.
constexpr nanoseconds lateness_forgiven = std::chrono::milliseconds(20);

constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

/// Saturates: a time-out of centuries is never.
FaultyLink::time_point later(FaultyLink::time_point from, nanoseconds by) noexcept {
  return by > FaultyLink::time_point::max() - from ? FaultyLink::time_point::max() : from + by;
}

nanoseconds time_for(std::uint64_t bytes, std::uint64_t bytes_per_second) noexcept {
  auto const seconds = static_cast<double>(bytes) / static_cast<double>(bytes_per_second);
  return std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(std::min(seconds, 1e9)));
}

std::string_view sender_of(Direction direction) noexcept {
  return direction == Direction::up ? "the client" : "the target";
}

}  // namespace

struct FaultyLink::Limits {
  std::uint64_t until_event = unlimited;  ///< bytes that may pass before something happens
  std::uint64_t bandwidth = unlimited;
  std::uint64_t fragment = unlimited;
  nanoseconds gap{};
  bool is_blocked = false;
  std::optional<std::string_view> half_closed_by;
};

FaultyLink::FaultyLink(std::uint64_t number, AppliedPlan plan, Random random, std::size_t buffer_bytes_max,
                       time_point now)
    : number_(number),
      plan_(std::move(plan)),
      random_(random),
      buffer_bytes_max_(buffer_bytes_max),
      opened_at_(now),
      lines_{Line(random.fork("jitter up")), Line(random.fork("jitter down"))} {
  choose_rules();
}

void FaultyLink::apply(AppliedPlan plan, time_point now) {
  plan_ = std::move(plan);
  choose_rules();
  look_at_the_time(now);
  for (auto const direction : {Direction::up, Direction::down}) {
    auto& waiting = line_of(direction);
    auto const delay = delay_of(direction, nullptr);
    for (auto& piece : waiting.pieces) piece.due = std::min(piece.due, later(piece.arrived, delay));
    if (waiting.ending) waiting.ending_due = std::min(waiting.ending_due, later(now, delay));
    waiting.paid_until = time_point{};
    waiting.next_fragment_at = time_point{};
  }
}

void FaultyLink::command(FaultKind kind, std::string_view cause) {
  if (kind == FaultKind::cut) commanded_end_ = Step{Action::cut, 0, time_point::max(), cause, false};
  if (kind == FaultKind::rst) commanded_end_ = Step{Action::reset, 0, time_point::max(), cause, false};
  if (kind == FaultKind::blackhole) commanded_blackhole_ = true;
  if (kind == FaultKind::forget && !forgotten_at_) {
    forgotten_at_ = events();
    forget_cause_ = cause;
  }
}

void FaultyLink::choose_rules() {
  auto const& rules = plan_.plan->rules();
  states_.assign(rules.size(), RuleState());
  auto const draws = random_.fork("plan " + std::to_string(plan_.generation));
  for (std::size_t i = 0; i < rules.size(); ++i) {
    auto draw = draws.fork("rule " + std::to_string(i));
    states_[i].is_chosen = rules[i].concerns(number_) && draw.uniform() < rules[i].probability;
  }
  next_change_ = time_point::min();
}

void FaultyLink::look_at_the_time(time_point now) {
  if (now < next_change_) return;
  auto const& rules = plan_.plan->rules();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    auto& state = states_[i];
    if (!state.is_chosen) continue;
    auto const occurrence = rules[i].occurrence(plan_.age(now));
    if (occurrence == state.occurrence) continue;
    state.occurrence = occurrence;
    state.passed_before = {lines_[0].passed, lines_[1].passed};
    state.events_before = events();
  }
  next_change_ = plan_.next_change(now);
}

template <class Visit>
void FaultyLink::for_each_fault(Visit visit) const {
  auto const& rules = plan_.plan->rules();
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (!states_[i].occurrence) continue;
    for (auto const& fault : rules[i].faults) visit(fault, states_[i], rules[i]);
  }
}

/// Bytes and ends that have arrived: what a peer who has forgotten the connection answers by a reset.
std::uint64_t FaultyLink::events() const noexcept { return lines_[0].arrived + lines_[1].arrived + endings_; }

std::optional<FaultyLink::Step> FaultyLink::end_of_connection() const {
  if (commanded_end_) return commanded_end_;
  if (forgotten_at_ && events() > *forgotten_at_) {
    return Step{Action::reset, 0, time_point::max(), forget_cause_, false};
  }
  std::optional<Step> end;
  for_each_fault([&](Fault const& fault, RuleState const& state, FaultRule const& rule) {
    auto const has_come = [&] {
      for (std::size_t d = 0; d < lines_.size(); ++d) {
        auto const passed = lines_[d].passed - state.passed_before[d];
        if (fault.afflicts(static_cast<Direction>(d)) && passed >= fault.bytes) return true;
      }
      return false;
    };
    bool const resets = (fault.kind == FaultKind::rst && has_come()) ||
                        (fault.kind == FaultKind::forget && events() > state.events_before);
    if (resets) {
      end = Step{Action::reset, 0, time_point::max(), rule.text, false};
    } else if (fault.kind == FaultKind::cut && !end && has_come()) {
      end = Step{Action::cut, 0, time_point::max(), rule.text, false};
    }
  });
  return end;
}

FaultyLink::Limits FaultyLink::limits_of(Direction direction) const {
  Limits limits;
  limits.is_blocked = commanded_blackhole_ || forgotten_at_;
  auto const d = static_cast<std::size_t>(direction);
  for_each_fault([&](Fault const& fault, RuleState const& state, FaultRule const& rule) {
    if (!fault.afflicts(direction)) return;
    auto const passed = lines_[d].passed - state.passed_before[d];
    auto const left = fault.bytes > passed ? fault.bytes - passed : 0;
    switch (fault.kind) {
      case FaultKind::bandwidth: limits.bandwidth = std::min(limits.bandwidth, fault.bytes); break;
      case FaultKind::fragment: limits.fragment = std::min(limits.fragment, fault.bytes); break;
      case FaultKind::gap: limits.gap = std::max(limits.gap, fault.duration); break;
      case FaultKind::cut:
      case FaultKind::rst: limits.until_event = std::min(limits.until_event, left); break;
      case FaultKind::half_close:
        limits.until_event = std::min(limits.until_event, left);
        if (left == 0) limits.half_closed_by = rule.text;
        break;
      case FaultKind::stall:
        limits.until_event = std::min(limits.until_event, left);
        if (left == 0) limits.is_blocked = true;
        break;
      case FaultKind::blackhole:
      case FaultKind::forget: limits.is_blocked = true; break;
      case FaultKind::latency:
      case FaultKind::jitter:
      case FaultKind::hold:
      case FaultKind::refuse:
      case FaultKind::accept_delay:
      case FaultKind::accept_rate:
      case FaultKind::accept_limit: break;  // they act when bytes arrive, or before there are any
    }
  });
  return limits;
}

FaultyLink::Step FaultyLink::opening(time_point now) {
  look_at_the_time(now);
  if (auto const end = end_of_connection()) return *end;
  Step step{Action::connect, 0, time_point::max(), {}};
  auto connect_at = opened_at_;
  for_each_fault([&](Fault const& fault, RuleState const&, FaultRule const& rule) {
    if (fault.kind == FaultKind::refuse) step = {Action::reset, 0, time_point::max(), rule.text};
    if (fault.kind == FaultKind::accept_delay) connect_at = std::max(connect_at, later(opened_at_, fault.duration));
    if (fault.kind == FaultKind::hold) connect_at = time_point::max();
  });
  if (step.action == Action::reset || now >= connect_at) return step;
  // A client that gives up waiting for ever is let go: the target never heard of it.
  if (connect_at == time_point::max() && line_of(Direction::up).ending) {
    return {Action::cut, 0, time_point::max(), sender_of(Direction::up), true};
  }
  return {Action::wait, 0, std::min(connect_at, next_change_), {}};
}

FaultyLink::Step FaultyLink::next(Direction direction, time_point now) {
  look_at_the_time(now);
  if (auto const end = end_of_connection()) return *end;
  auto& line = line_of(direction);
  if (line.is_closed) {
    if (line.waiting > 0) return {Action::discard, line.waiting, time_point::max(), {}};
    return {Action::wait, 0, next_change_, {}};
  }
  auto const limits = limits_of(direction);
  if (limits.half_closed_by) return {Action::finish, 0, time_point::max(), *limits.half_closed_by};
  if (limits.is_blocked) return {Action::wait, 0, next_change_, {}};
  if (line.pieces.empty()) {
    if (!line.ending) return {Action::wait, 0, next_change_, {}};
    if (now < line.ending_due) return {Action::wait, 0, std::min(line.ending_due, next_change_), {}};
    auto const action = *line.ending == Ending::reset ? Action::reset : Action::finish;
    return {action, 0, time_point::max(), sender_of(direction), true};
  }
  auto const may_pass_at = std::max({line.pieces.front().due, line.paid_until, line.next_fragment_at});
  if (now < may_pass_at) return {Action::wait, 0, std::min(may_pass_at, next_change_), {}};

  std::uint64_t due = 0;
  for (auto const& piece : line.pieces) {
    if (piece.due > now) break;
    due += piece.bytes;
  }
  auto bytes = std::min({due, limits.until_event, limits.fragment});
  if (limits.bandwidth != unlimited) {
    auto const in_a_portion = limits.bandwidth / static_cast<std::uint64_t>(std::chrono::seconds(1) / portion);
    bytes = std::min(bytes, std::max<std::uint64_t>(in_a_portion, 1));
  }
  return {Action::pass, static_cast<std::size_t>(bytes), time_point::max(), {}};
}

nanoseconds FaultyLink::delay_of(Direction direction, Random* jitter) const {
  nanoseconds delay{};
  for_each_fault([&](Fault const& fault, RuleState const&, FaultRule const&) {
    if (!fault.afflicts(direction)) return;
    if (fault.kind == FaultKind::latency) delay += fault.duration;
    if (fault.kind == FaultKind::jitter) {
      auto const most = static_cast<std::uint64_t>(fault.duration.count());
      delay += jitter ? nanoseconds(static_cast<std::int64_t>(jitter->below(most + 1))) : fault.duration;
    }
  });
  return delay;
}

void FaultyLink::arrived(Direction direction, std::size_t bytes, time_point now) {
  if (bytes == 0) return;
  look_at_the_time(now);
  auto& line = line_of(direction);
  auto due = later(now, delay_of(direction, &line.jitter));
  if (!line.pieces.empty()) due = std::max(due, line.pieces.back().due);  // a stream does not overtake itself
  line.arrived += bytes;
  line.waiting += bytes;
  if (!line.pieces.empty() && (line.pieces.back().due == due || due <= now)) {
    line.pieces.back().bytes += bytes;
  } else {
    line.pieces.push_back({bytes, now, due});
  }
}

void FaultyLink::ended(Direction direction, Ending ending, time_point now) {
  look_at_the_time(now);
  auto& line = line_of(direction);
  if (!line.ending) {
    line.ending_due = later(now, delay_of(direction, &line.jitter));
    if (!line.pieces.empty()) line.ending_due = std::max(line.ending_due, line.pieces.back().due);
  }
  if (line.ending != Ending::reset) line.ending = ending;
  ++endings_;
}

void FaultyLink::passed(Direction direction, std::size_t bytes, time_point now) {
  auto& line = line_of(direction);
  line.passed += bytes;
  line.waiting -= bytes;
  auto left = bytes;
  while (left > 0) {
    auto& front = line.pieces.front();
    auto const taken = std::min(left, front.bytes);
    front.bytes -= taken;
    left -= taken;
    if (front.bytes == 0) line.pieces.pop_front();
  }
  if (bytes == 0) return;
  auto const limits = limits_of(direction);
  if (limits.bandwidth != unlimited) {
    line.paid_until = later(std::max(line.paid_until, now - lateness_forgiven), time_for(bytes, limits.bandwidth));
  }
  line.next_fragment_at = later(now, limits.gap);
}

void FaultyLink::discarded(Direction direction, std::size_t bytes) {
  auto& line = line_of(direction);
  line.waiting -= bytes;
  if (line.waiting == 0) line.pieces.clear();
}

void FaultyLink::finished(Direction direction) { line_of(direction).is_closed = true; }

void FaultyLink::receiver_gone(Direction direction) { line_of(direction).is_closed = true; }

std::size_t FaultyLink::room(Direction direction) const noexcept {
  auto const& line = line_of(direction);
  if (line.ending || line.pieces.size() >= pieces_max) return 0;
  return buffer_bytes_max_ > line.waiting ? buffer_bytes_max_ - line.waiting : 0;
}

bool FaultyLink::is_over() const noexcept {
  return std::all_of(lines_.begin(), lines_.end(), [](Line const& l) { return l.is_closed && l.waiting == 0; });
}

}  // namespace belay::testkit
