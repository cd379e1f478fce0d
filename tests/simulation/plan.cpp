#include "plan.hpp"

#include <algorithm>
#include <array>

#include "belay/core/enum_names.hpp"

namespace belay::simulation {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t client_groups = 16;

class Draw {
 public:
  explicit Draw(Random random) : random_(random) {}

  template <class... Choices>
  auto one_of(Choices... choices) {
    std::array const all{choices...};
    return all[random_.below(all.size())];
  }
  bool one_in(std::uint64_t n) { return random_.below(n) == 0; }
  duration up_to(duration most) { return within(random_, most); }
  double share() { return random_.uniform(); }
  std::uint64_t below(std::uint64_t n) { return random_.below(n); }

 private:
  Random random_;
};

void draw_load(Plan& plan, Draw& draw) {
  plan.clients = draw.one_of(2U, 10U, 40U, 100U, 200U, 300U);
  plan.chaos_lasts = draw.one_of(10s, 30s, 60s, 120s);
  // About as many calls whatever the number of clients, so that runs take about the same time.
  auto const calls = draw.one_of(300, 800, 1500);
  plan.think_time = plan.chaos_lasts * plan.clients / calls;
  plan.call_deadline = draw.one_of(300ms, 2000ms, 10'000ms, 60'000ms);
  plan.writes = draw.one_of(0.1, 0.4);
  plan.transactions = draw.one_of(0.0, 0.2, 0.5);
  plan.idempotent = draw.one_of(0.0, 0.3, 1.0);
  plan.alters_session = draw.one_of(0.0, 0.1, 0.5);
  plan.nested = draw.one_of(0.0, 0.0, 0.05, 0.4);
  plan.holds_long = draw.one_of(0.0, 0.01, 0.1);
  plan.pinned = draw.one_of(0.0, 0.3);
  plan.closes_in_chaos = draw.one_in(4);
  if (!draw.one_in(3)) return;
  plan.step = 3ms;  // a busy executor
  plan.timers_late = 1ms;
}

void draw_faults(Plan& plan, Draw& draw) {
  auto const per_kind = draw.one_of(1U, 2U, 4U);
  for (std::size_t i = 0; i < fault_kinds; ++i) {
    if (!draw.one_in(3)) continue;  // this seed does without
    auto const kind = static_cast<FaultKind>(i);
    auto const longest = draw.one_of(500ms, 5000ms, 20000ms);
    for (auto n = draw.below(per_kind) + 1; n > 0; --n) {
      plan.faults.push_back({kind, draw.up_to(plan.chaos_lasts), draw.up_to(longest), draw.share()});
    }
  }
  // A long silence without anything else, for what the health monitor promises about it.
  if (draw.one_in(12)) plan.faults.push_back({FaultKind::black_hole, plan.chaos_lasts + 1s, 60s, 1});
}

void draw_pool(Plan& plan, Draw& draw) {
  auto& pool = plan.pool;
  plan.pools = draw.one_of(1U, 1U, 2U);
  pool.max_size = draw.one_of(1U, 2U, 5U, 10U, 20U);
  pool.max_overflow = draw.one_of(0U, 0U, 3U);
  pool.min_idle = static_cast<std::uint32_t>(draw.below(pool.max_size + 1));
  pool.streams_per_connection = draw.one_of(1U, 1U, 8U);
  if (draw.one_in(3)) pool.max_waiters = draw.one_of(3U, 30U);
  if (draw.one_in(3)) pool.admission = std::nullopt;
  pool.acquire_timeout = draw.one_of(500ms, 5000ms, 30'000ms);
  pool.connect_timeout = draw.one_of(100ms, 1000ms, 10'000ms);
  pool.down_after = draw.one_of(500ms, 5000ms);
  pool.max_lifetime = draw.one_of(2000ms, 20'000ms, 1'800'000ms);
  pool.idle_timeout = draw.one_of(300ms, 600'000ms);
  pool.overflow_linger = draw.one_of(50ms, 5000ms);
  pool.pre_ping = draw.one_of(pool::PrePing::off, pool::PrePing::smart, pool::PrePing::smart, pool::PrePing::always);
  pool.liveness_bypass = draw.one_of(0ms, 20ms, 500ms);
  pool.liveness_timeout = draw.one_of(20ms, 1000ms);
  pool.keepalive = draw.one_of(500ms, 120'000ms);
  pool.reuse = draw.one_of(pool::Reuse::lifo, pool::Reuse::round_robin);
  pool.reset = draw.one_of(pool::ResetMode::immediate, pool::ResetMode::pipelined);
  pool.cancel = draw.one_of(pool::CancelBy::in_band, pool::CancelBy::separate_socket, pool::CancelBy::nothing);
  pool.quarantine_timeout = draw.one_of(50ms, 2000ms);
  pool.zombie_grace = draw.one_of(0ms, 500ms, 5000ms);
  pool.leak_warn_after = draw.one_of(500ms, 30'000ms);
  if (draw.one_in(4)) pool.leak_reclaim_after = *pool.leak_warn_after * 2;
  pool.close_timeout = draw.one_of(200ms, 10'000ms);
  plan.recovery.max_connecting = draw.one_of(1U, 2U, 4U, 8U);
  plan.recovery.connect_rate = draw.one_of(10.0, 10.0, 100.0);
  plan.recovery.probe_delay_max = draw.one_of(1000ms, 10'000ms);
  plan.recovery.denied_for = draw.one_of(500ms, 5000ms);
  pool.max_connecting = plan.recovery.max_connecting;
  pool.connect_rate = plan.recovery.connect_rate;
}

void draw_policies(Plan& plan, Draw& draw) {
  auto& breaker = plan.breaker;
  if (draw.one_in(3)) {  // the rule alone, so that it can be recounted (B5)
    breaker.consecutive->population_min = std::nullopt;
    breaker.time_window = std::nullopt;
  } else if (draw.one_in(3)) {
    breaker.count_window.emplace();
    breaker.slow.emplace();
  }
  breaker.consecutive->failures = draw.one_of(2U, 5U, 20U);
  breaker.open_for = draw.one_of(300ms, 3000ms, 20'000ms);
  breaker.open_for_max = breaker.open_for * 4;
  breaker.probes_max = draw.one_of(1U, 1U, 2U, 4U);
  breaker.successes_to_close = draw.one_of(1U, 2U, 5U);
  breaker.probe_lease = draw.one_of(200ms, 30'000ms);
  breaker.extra_callers = draw.one_of(resilience::ExtraCallers::refuse, resilience::ExtraCallers::wait);
  breaker.ramp->above_per_second = draw.one_of(5.0, 50.0);
  if (draw.one_in(12)) breaker.mode = resilience::BreakerMode::shadow;

  plan.rate.per_second = draw.one_of(20.0, 200.0, 10'000.0);
  plan.rate.burst = draw.one_of(1U, 20U);
  plan.rate.wait_max = draw.one_of(0ms, 500ms, 30'000ms);
  plan.bulkhead.concurrent_max = draw.one_of(2U, 20U, 200U);
  plan.bulkhead.queue_max = draw.one_of(0U, 20U, 400U);
  plan.retry.retries_max = draw.one_of(0U, 2U, 4U);
  plan.retry.backoff.base = draw.one_of(10ms, 500ms);
  plan.retry.retries_capacity = draw.one_in(3);
  plan.budget.initial = draw.one_of(0U, 10U);
  plan.budget.floor_per_second = draw.one_of(0U, 1U);
  if (draw.one_in(3)) plan.policy.attempt_timeout = draw.one_of(100ms, 3000ms);
  plan.health.invalidate = draw.one_of(resilience::HealthOptions::Invalidate::at_first_failure,
                                       resilience::HealthOptions::Invalidate::when_down);
  plan.health.interval = draw.one_of(2s, 30s);
}

void draw_server(Plan& plan, Draw& draw) {
  plan.latency = draw.one_of(50us, 1000us, 20'000us);
  plan.service = draw.one_of(200us, 4000us, 30'000us);
  plan.login = draw.one_of(1ms, 20ms);
  plan.max_connections = draw.one_of(5U, 100U, 100U);
  plan.login_capacity = draw.one_of(2U, 20U);
  plan.kill_delay = draw.one_of(100ms, 400ms, 3000ms);
  if (plan.latency < 10ms) return;
  // What cannot succeed in time on a healthy network proves nothing.
  plan.pool.connect_timeout = std::max(plan.pool.connect_timeout, duration(1s));
  plan.pool.liveness_timeout = std::max(plan.pool.liveness_timeout, duration(1s));
  plan.pool.quarantine_timeout = std::max(plan.pool.quarantine_timeout, duration(2s));
  plan.pool.acquire_timeout = std::max(plan.pool.acquire_timeout, duration(5s));
}

}  // namespace

Plan Plan::from_seed(std::uint64_t seed) {
  auto const random = Random(seed).fork("plan");
  Plan plan;
  plan.seed = seed;
  // A stream for each part: one more draw in one leaves the others as they are.
  auto load = Draw(random.fork("load"));
  auto faults = Draw(random.fork("faults"));
  auto pool = Draw(random.fork("pool"));
  auto policies = Draw(random.fork("policies"));
  auto server = Draw(random.fork("server"));
  draw_load(plan, load);
  draw_faults(plan, faults);
  draw_pool(plan, pool);
  draw_policies(plan, policies);
  draw_server(plan, server);
  return plan;
}

/// Whether the connections that expire can be replaced at the rate at which they may be opened.
bool Plan::is_steady() const {
  auto const lifetime = std::chrono::duration<double>(*pool.max_lifetime).count();
  auto const expiries = pool.hard_limit() * pools / lifetime;
  constexpr double a_login = 0.2;  // seconds, on the slowest network
  return expiries < recovery.connect_rate / 4 && expiries * a_login < recovery.max_connecting / 2.0 &&
         max_connections >= 50;
}

std::vector<std::string> Plan::element_names() const {
  std::vector<std::string> names;
  for (auto const& fault : faults) {
    std::string_view kind = "fault";
    for (auto const& [name, value] : enumerators_of<FaultKind>) {
      if (value == fault.kind) kind = name;
    }
    names.push_back(std::string(kind) + " at " + std::to_string(fault.at / 1ms) + " ms for " +
                    std::to_string(fault.lasts / 1ms) + " ms");
  }
  for (std::size_t i = 0; i < client_groups; ++i) names.push_back("clients " + std::to_string(i + 1) + "/16");
  return names;
}

Plan Plan::only(testkit::Selection const& left_in) const {
  auto plan = *this;
  plan.faults.clear();
  for (std::size_t i = 0; i < faults.size(); ++i) {
    if (left_in[i]) plan.faults.push_back(faults[i]);
  }
  auto const groups = static_cast<std::uint32_t>(
      std::count(left_in.begin() + static_cast<std::ptrdiff_t>(faults.size()), left_in.end(), true));
  plan.clients = (clients * groups + client_groups - 1) / client_groups;
  return plan;
}

}  // namespace belay::simulation
