#include "endpoint.hpp"

#include <string>

namespace belay::simulation {

Endpoint::Endpoint(Plan const& the_plan, Timeline& the_timeline, Record& the_record, Coverage& the_coverage)
    : plan(the_plan),
      timeline(the_timeline),
      record(the_record),
      coverage(the_coverage),
      server(plan, timeline, record, Random(plan.seed).fork("server")),
      gate(plan.recovery, Random(plan.seed).fork("gate"), record),
      limiter(plan.rate, timeline.now(), record),
      bulkhead(plan.bulkhead, timeline, record),
      retry(plan.retry),
      budget(timeline.now(), plan.budget) {
  auto const random = Random(plan.seed);
  for (std::uint32_t i = 0; i < plan.pools; ++i) {
    pools.push_back(std::make_unique<PoolShell>(plan, i, timeline, record, server, gate, coverage, news,
                                                random.fork("pool" + std::to_string(i))));
  }
  for (std::size_t i = 0; i < operations; ++i) {
    auto const stream = random.fork("breaker" + std::to_string(i));
    breakers[i] = std::make_unique<BreakerWatch>(plan.breaker, stream, timeline, record, coverage);
    parts[i].emplace(Parts{retry, &budget, limiter, bulkhead, *breakers[i], plan.policy});
  }
}

void Endpoint::check_budget() {
  auto const seconds = std::chrono::duration<double>(timeline.now() - Timeline::start).count();
  auto const owed = plan.budget.deposit_per_call * static_cast<double>(firsts) +
                    plan.budget.floor_per_second * seconds + plan.budget.initial;
  record.require(static_cast<double>(retries) <= owed + 0.01, "R2", "more retries than the budget owes");
  auto const balance = budget.balance(timeline.now());
  record.require(balance >= 0 && balance <= budget.cap(timeline.now()) + 0.01, "R7", "a balance out of its range");
}

void Endpoint::check_truth() {
  for (auto const& each : told) {
    auto const effects = server.effects(each.unit);
    if (!each.idempotent) record.require(effects <= 1, "R3", "a unit was executed twice");
    if (each.success) record.require(effects >= 1, "R4", "a unit was acknowledged and has no effect");
    bool const is_denied = each.state == SendState::never_sent || each.state == SendState::refused;
    if (!each.success && is_denied) {
      record.require(effects == 0, "R4", "a unit that was told refused has an effect");
    }
  }
  record.require(calls == finished, "metrics", "calls begun are not calls ended");
}

}  // namespace belay::simulation
