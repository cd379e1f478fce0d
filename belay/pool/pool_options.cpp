#include "belay/pool/pool_options.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "belay/core/duration.hpp"
#include "belay/core/error.hpp"

namespace belay::pool {

namespace {

using duration = PoolOptions::duration;
using namespace std::chrono_literals;

constexpr duration longest = std::chrono::hours(24 * 366);
constexpr std::uint32_t connections_max = 10'000;
constexpr int expiry_gaps_max = 1'000'000;  // in a lifetime: the plan keeps one bit for each

[[noreturn]] void refuse(std::string_view name, std::string const& value, std::string const& range) {
  throw Error(ErrorClass::request, SendState::never_sent,
              "pool option " + std::string(name) + " is " + value + ", it must " + range);
}

std::string text(duration value) {
  if (value < duration::zero()) return std::to_string(value.count()) + "ns";
  return Duration::from(value).to_string();
}
std::string text(std::uint64_t value) { return std::to_string(value); }
std::string text(double value) { return std::to_string(value); }

template <class Value>
void require_range(std::string_view name, Value value, Value low, Value high) {
  if (value >= low && value <= high) return;
  refuse(name, text(value), "lie between " + text(low) + " and " + text(high));
}

void require_duration(std::string_view name, duration value, duration low = 1ms, duration high = longest) {
  require_range(name, value, low, high);
}

void require_duration(std::string_view name, std::optional<duration> value, duration low = 1ms,
                      duration high = longest) {
  if (value) require_range(name, *value, low, high);
}

void require_number(std::string_view name, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  require_range<std::uint64_t>(name, value, low, high);
}

void validate_size(PoolOptions const& options) {
  require_number("max_size", options.max_size, 1, connections_max);
  require_number("max_overflow", options.max_overflow, 0, connections_max);
  if (options.hard_limit() > connections_max) {
    refuse("max_size + max_overflow", text(std::uint64_t{options.hard_limit()}),
           "not exceed " + text(std::uint64_t{connections_max}));
  }
  require_number("min_idle", options.min_idle, 0, options.max_size);
  require_number("streams_per_connection", options.streams_per_connection, 1, 64);
  require_duration("overflow_linger", options.overflow_linger);
}

void validate_waiting(PoolOptions const& options) {
  require_duration("acquire_timeout", options.acquire_timeout);
  if (options.max_waiters) require_number("max_waiters", *options.max_waiters, 1, 1'000'000);
  if (options.admission && !(*options.admission > 0 && *options.admission <= 1)) {
    refuse("admission", text(*options.admission), "lie above 0 and not exceed 1, or be absent");
  }
  require_duration("min_useful_budget", options.min_useful_budget, 0ns, 1h);
}

void validate_connecting(PoolOptions const& options) {
  require_duration("connect_timeout", options.connect_timeout);
  require_number("max_connecting", options.max_connecting, 1, 1000);
  if (!(options.connect_rate >= 0.01 && options.connect_rate <= 100'000)) {
    refuse("connect_rate", text(options.connect_rate), "lie between 0.01 and 100000 per second");
  }
  require_duration("down_after", options.down_after);
}

void validate_age(PoolOptions const& options) {
  require_duration("max_lifetime", options.max_lifetime, 1s);
  require_duration("idle_timeout", options.idle_timeout);
  if (!options.expiry_gap) return;
  if (!options.max_lifetime) refuse("expiry_gap", text(*options.expiry_gap), "be absent where max_lifetime is");
  auto const most = *options.max_lifetime / options.hard_limit();
  if (*options.expiry_gap <= duration::zero() || *options.expiry_gap > most) {
    refuse("expiry_gap", text(*options.expiry_gap),
           "be positive and not exceed max_lifetime / hard limit, here " + text(most) +
               ", or connections could not all be renewed in time");
  }
  if (auto const least = *options.max_lifetime / expiry_gaps_max; *options.expiry_gap < least) {
    refuse("expiry_gap", text(*options.expiry_gap),
           "not be less than a millionth of max_lifetime, here " + text(least));
  }
}

void validate_liveness(PoolOptions const& options) {
  require_duration("liveness_bypass", options.liveness_bypass, 0ns, 1h);
  require_duration("liveness_timeout", options.liveness_timeout);
  require_duration("keepalive", options.keepalive);
}

void validate_clean_up(PoolOptions const& options) {
  require_duration("quarantine_timeout", options.quarantine_timeout);
  require_duration("zombie_grace", options.zombie_grace, 0ns, 1h);
  require_duration("leak_warn_after", options.leak_warn_after);
  require_duration("close_timeout", options.close_timeout);
  if (!options.leak_reclaim_after) return;
  if (!options.leak_warn_after) {
    refuse("leak_reclaim_after", text(*options.leak_reclaim_after), "be absent where leak_warn_after is");
  }
  require_duration("leak_reclaim_after", *options.leak_reclaim_after, *options.leak_warn_after);
}

void validate(ConnectionSettings const& settings) {
  require_duration("tcp_keepalive_idle", settings.tcp_keepalive_idle, 1s, 2h);
  require_duration("tcp_keepalive_interval", settings.tcp_keepalive_interval, 1s, 10min);
  if (settings.tcp_keepalive_probes < 1 || settings.tcp_keepalive_probes > 20) {
    refuse("tcp_keepalive_probes", std::to_string(settings.tcp_keepalive_probes), "lie between 1 and 20");
  }
  require_duration("tcp_user_timeout", settings.tcp_user_timeout, 1s, 1h);
  require_duration("statement_timeout", settings.statement_timeout, 1ms, 24h);
  require_duration("command_timeout", settings.command_timeout, 1ms, 24h);
}

}  // namespace

std::size_t PoolOptions::waiters_limit() const noexcept {
  return max_waiters.value_or(std::max<std::size_t>(std::size_t{10} * hard_limit() * streams_per_connection, 100));
}

PoolOptions::duration PoolOptions::expiry_gap_or_derived() const noexcept {
  return expiry_gap.value_or(max_lifetime.value_or(duration::zero()) / std::max<std::uint32_t>(hard_limit(), 1));
}

void PoolOptions::validate() const {
  validate_size(*this);
  validate_waiting(*this);
  validate_connecting(*this);
  validate_age(*this);
  validate_liveness(*this);
  validate_clean_up(*this);
  pool::validate(connection);
}

namespace presets {

PoolOptions standard() { return {}; }

PoolOptions hosted_pooler() {
  PoolOptions options;
  options.max_lifetime = 90s;
  options.keepalive = 25s;
  return options;
}

PoolOptions singleton() {
  PoolOptions options;
  options.min_idle = 1;
  options.max_size = 1;
  return options;
}

PoolOptions rag() {
  PoolOptions options;
  options.min_idle = 2;
  options.max_size = 10;
  options.acquire_timeout = 30s;
  options.connection.command_timeout = 60s;
  options.connection.jit_off = true;
  return options;
}

PoolOptions enterprise() {
  PoolOptions options;
  options.max_size = 10;
  options.max_overflow = 20;
  options.max_lifetime = 90s;
  options.pre_ping = PrePing::always;
  return options;
}

PoolOptions stability() {
  PoolOptions options;
  options.max_lifetime = 3600s;
  options.acquire_timeout = 30s;
  options.connect_timeout = 10s;
  options.connection.statement_timeout = 30'000ms;
  return options;
}

}  // namespace presets

PoolOptions preset(std::string_view name) {
  constexpr std::pair<std::string_view, PoolOptions (*)()> known[] = {
      {"default", presets::standard}, {"hosted_pooler", presets::hosted_pooler}, {"singleton", presets::singleton},
      {"rag", presets::rag},          {"enterprise", presets::enterprise},       {"stability", presets::stability}};
  for (auto const& [own, make] : known) {
    if (own == name) return make();
  }
  throw Error(ErrorClass::request, SendState::never_sent,
              "there is no pool preset '" + std::string(name) +
                  "'; there are default, hosted_pooler, singleton, rag, enterprise, stability");
}

}  // namespace belay::pool
