#include "campaign.hpp"

#include <algorithm>
#include <ctime>
#include <ostream>

#include "belay/testkit/shrinker.hpp"
#include "world.hpp"

namespace belay::simulation {

namespace {

std::chrono::nanoseconds cpu_time() noexcept {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

std::string least_that_fails(Plan const& plan, std::string const& rule) {
  auto const names = plan.element_names();
  auto const fails = [&](testkit::Selection const& left_in) {
    Coverage unused;
    auto const smaller = plan.only(left_in);
    auto const outcome = World(smaller, unused).run();
    return !outcome.violations.empty() && outcome.violations.front().rule == rule;
  };
  return testkit::shrink(names.size(), fails, 150).describe(names);
}

}  // namespace

Campaign::Result Campaign::run(std::ostream& report) const {
  Result result;
  for (std::uint64_t i = 0; i < seeds; i += stride) {
    auto plan = Plan::from_seed(first_seed + i);
    auto const began = cpu_time();
    auto outcome = World(plan, result.coverage).run();
    auto const cpu = cpu_time() - began;
    bool const is_clean = outcome.violations.empty();
    if (is_clean) {
      Coverage unused;
      plan.moves_wall_clock = false;
      auto const again = World(plan, unused).run();
      if (again.trace_hash != outcome.trace_hash) {
        outcome.violations.push_back({"P20", "the same seed runs otherwise without jumps of the wall clock"});
      }
    }
    ++result.seeds;
    result.calls += outcome.calls;
    result.failed_calls += outcome.failed;
    result.steps += outcome.steps;
    result.cpu += cpu;
    result.virtual_time += outcome.virtual_time;
    if (cpu > result.longest_cpu) {
      result.longest_cpu = cpu;
      result.slowest_seed = plan.seed;
    }
    if (outcome.violations.empty()) continue;
    auto const& violation = outcome.violations.front();
    report << "violation: " << violation.rule << ": " << violation.how << "\nseed: " << plan.seed
           << "\nreplay: " << replay << plan.seed << "\n"
           << outcome.tail;
    if (is_clean) {
      report << "(no trace: only the repetition differs)\n";
    } else if (shrinks) {
      report << least_that_fails(plan, violation.rule) << "\n";
    }
    report.flush();
    if (++result.violations >= violations_most) break;
  }
  return result;
}

}  // namespace belay::simulation
