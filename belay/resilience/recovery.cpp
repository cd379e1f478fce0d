#include "belay/resilience/recovery.hpp"

#include <algorithm>
#include <limits>

#include "belay/resilience/detail/instant.hpp"
#include "belay/resilience/detail/option_check.hpp"

namespace belay::resilience {

namespace {

using namespace std::chrono_literals;

RecoveryOptions const& checked(RecoveryOptions const& options) {
  auto const number = [](std::string_view name, double value, double low, double high) {
    detail::require_range("recovery", name, value, low, high);
  };
  auto const time = [](std::string_view name, std::chrono::nanoseconds value, std::chrono::nanoseconds low,
                       std::chrono::nanoseconds high) { detail::require_range("recovery", name, value, low, high); };
  number("max_connecting", options.max_connecting, 1, 1000);
  number("connect_rate", options.connect_rate, 0.001, 100'000);
  time("steady_for", options.steady_for, 1ms, 1h);
  time("probe_delay", options.probe_delay, 1ms, 1min);
  time("probe_delay_max", options.probe_delay_max, options.probe_delay, 1h);
  time("auth_probe_delay_max", options.auth_probe_delay_max, options.probe_delay_max, 24h);
  time("denied_for", options.denied_for, 1ms, 1h);
  time("denied_for_max", options.denied_for_max, options.denied_for, 24h);
  return options;
}

bool is_verdict(ErrorClass error) { return error != ErrorClass::capacity && error != ErrorClass::cancelled; }

/// What a server's login limit looks like from outside: it says so, does not answer, or hangs up.
bool is_refusal(ErrorClass error) {
  return error == ErrorClass::overload || error == ErrorClass::timeout_local || error == ErrorClass::timeout_server ||
         error == ErrorClass::transport;
}

void count_up(std::uint32_t& counter) {
  if (counter < std::numeric_limits<std::uint32_t>::max()) ++counter;
}

}  // namespace

std::string_view name_of(RecoverySnapshot::Phase phase) noexcept {
  switch (phase) {
    case RecoverySnapshot::Phase::untried: return "untried";
    case RecoverySnapshot::Phase::steady: return "steady";
    case RecoverySnapshot::Phase::probing: return "probing";
    case RecoverySnapshot::Phase::slow_start: return "slow_start";
  }
  return "unknown";
}

Recovery::Recovery(RecoveryOptions const& options, Random random)
    : options_(checked(options)),
      random_(random.fork("probe")),
      rate_(options.connect_rate, options.max_connecting, random.fork("rate")) {}

ConnectGate::Answer Recovery::try_connect(time_point now) {
  if (in_flight_ >= allowed_) return {};
  auto const earliest = next_probe_at();
  if (now < earliest) return {std::nullopt, std::max(earliest, rate_.next_at(now))};
  if (!rate_.try_take(now)) return {std::nullopt, rate_.next_at(now)};
  ++in_flight_;
  bool const is_probe = phase_ == Phase::probing || phase_ == Phase::untried;
  return {ConnectTicket{epoch_, is_probe}, time_point::max()};
}

void Recovery::connected(ConnectTicket ticket, time_point now) {
  bool const is_current = ends_current(ticket);
  rate_.ended(is_current ? ConnectRate::Verdict::accepted : ConnectRate::Verdict::none, in_flight_, now);
  if (!is_current) return;
  if (phase_ == Phase::probing || phase_ == Phase::untried) rate_.begin_slowly(now);
  last_success_ = now;
  failures_in_a_row_ = 0;
  denials_in_a_row_ = 0;
  last_error_.reset();
  credentials_needed_ = false;
  failing_since_ = time_point::max();
  next_probe_at_ = time_point::min();
  denied_until_ = time_point::min();
  allow(allowed_ > options_.max_connecting / 2 ? options_.max_connecting : allowed_ * 2);
}

void Recovery::failed(ConnectTicket ticket, ErrorClass error, bool permanent, time_point now) {
  if (!permanent && !is_verdict(error)) return abandoned(ticket, now);
  bool const is_current = ends_current(ticket);
  bool const others_succeed = is_current && phase_ != Phase::probing && last_success_ &&
                              detail::elapsed(*last_success_, now) <= options_.steady_for;
  // While probing, the pauses are slow enough, and a server that starts up says overload too; a hang-up or a time-out
  // may be a login limit only where others succeed.
  bool const is_limit =
      phase_ != Phase::probing && (error == ErrorClass::overload || (others_succeed && is_refusal(error)));
  bool const is_refused = is_current && !permanent && is_limit;
  rate_.ended(is_refused ? ConnectRate::Verdict::refused : ConnectRate::Verdict::none, in_flight_, now);
  if (!is_current) return;
  count_up(failures_in_a_row_);
  last_error_ = error;
  if (permanent) deny(now);
  if (phase_ == Phase::probing) {
    count_up(probes_failed_);
    schedule_probe(now);
  } else if (permanent || !others_succeed) {
    begin_probing(now);
  } else {
    allow(std::max(1u, allowed_ / 2));
  }
}

void Recovery::abandoned(ConnectTicket ticket, time_point now) {
  bool const is_current = ends_current(ticket);
  rate_.ended(ConnectRate::Verdict::none, in_flight_, now);
  if (is_current && phase_ == Phase::probing) schedule_probe(now);
}

void Recovery::lost_all(time_point now) {
  if (phase_ != Phase::probing) begin_probing(now);
}

ConnectGate::time_point Recovery::next_probe_at() const { return std::max(next_probe_at_, denied_until_); }

void Recovery::credentials_renewed(time_point now) {
  credentials_needed_ = false;
  denied_until_ = time_point::min();
  next_probe_at_ = std::min(next_probe_at_, now);
}

RecoverySnapshot Recovery::snapshot() const {
  return {.phase = phase_,
          .epoch = epoch_,
          .failures_in_a_row = failures_in_a_row_,
          .last_error = last_error_,
          .failing_since = failing_since_,
          .next_probe_at = next_probe_at(),
          .denied_until = denied_until_,
          .credentials_needed = credentials_needed_,
          .in_flight = in_flight_,
          .allowed_in_flight = allowed_,
          .rate_per_second = rate_.per_second()};
}

/// Frees the ticket's place; whether its verdict counts. A ticket handed back twice must not wrap the counter and so
/// close the gate for good.
bool Recovery::ends_current(ConnectTicket ticket) {
  if (in_flight_ > 0) --in_flight_;
  return ticket.epoch == epoch_;
}

void Recovery::begin_probing(time_point now) {
  phase_ = Phase::probing;
  ++epoch_;
  allowed_ = 1;
  probes_failed_ = 0;
  failing_since_ = now;
  schedule_probe(now);
}

void Recovery::schedule_probe(time_point now) {
  auto const cap = last_error_ == ErrorClass::auth ? options_.auth_probe_delay_max : options_.probe_delay_max;
  constexpr std::uint32_t enough_to_reach_any_cap = 63;
  auto const doublings = static_cast<int>(std::min(probes_failed_, enough_to_reach_any_cap));
  auto const nominal = static_cast<double>(detail::doubled(options_.probe_delay, cap, doublings).count());
  next_probe_at_ = detail::later(now, std::chrono::nanoseconds(static_cast<std::int64_t>(random_.uniform() * nominal)));
}

void Recovery::deny(time_point now) {
  constexpr std::uint32_t enough_to_reach_any_cap = 63;
  auto const doublings = static_cast<int>(std::min(denials_in_a_row_, enough_to_reach_any_cap));
  denied_until_ = detail::later(now, detail::doubled(options_.denied_for, options_.denied_for_max, doublings));
  count_up(denials_in_a_row_);
  credentials_needed_ = true;
}

void Recovery::allow(std::uint32_t in_flight) {
  allowed_ = in_flight;
  phase_ = allowed_ == options_.max_connecting ? Phase::steady : Phase::slow_start;
}

}  // namespace belay::resilience
