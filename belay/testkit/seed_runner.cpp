#include "belay/testkit/seed_runner.hpp"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <iostream>
#include <map>
#include <string_view>
#include <utility>

#include "belay/core/error.hpp"

namespace belay::testkit {

namespace {

using std::chrono::nanoseconds;

[[noreturn]] void refuse(std::string const& what) {
  throw Error(ErrorClass::request, SendState::never_sent, "run_seeds: " + what);
}

std::optional<std::uint64_t> environment(char const* name) {
  char const* const value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  std::string_view const text(value);
  std::uint64_t number = 0;
  auto const read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
    refuse(std::string(name) + " must be a whole number of at most 64 bits, not '" + value + "'");
  }
  return number;
}

std::vector<std::uint64_t> seeds_to_run(SeedRunOptions const& options) {
  if (auto const only = environment("BELAY_SEED")) return {*only};
  auto seeds = options.regressions;
  auto const count = environment("BELAY_SEEDS").value_or(options.seeds);
  auto const first = environment("BELAY_FIRST_SEED").value_or(options.first_seed);
  if (count < 1) refuse("at least one seed must be run");
  for (std::uint64_t i = 0; i < count; ++i) seeds.push_back(first + i);
  return seeds;
}

nanoseconds cpu_time() noexcept {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec);
}

struct OneRun {
  std::uint64_t hash = 0;
  std::uint64_t steps = 0;
  nanoseconds virtual_time{0};
  std::optional<std::string> failure;
  std::vector<Buggify::Point> points;
};

OneRun run_once(std::uint64_t seed, SeedRunOptions const& options, Scenario const& scenario) {
  OneRun run;
  SimScheduler world(seed, options.scheduler);
  std::optional<Buggify> buggify;
  std::optional<Buggify::Installed> installed;
  if (options.buggify) {
    buggify.emplace(world.random("buggify"), *options.buggify);
    installed.emplace(&*buggify);
  }
  try {
    scenario(world);
    if (options.has_failed && options.has_failed()) run.failure = "a check failed\n" + world.describe();
  } catch (SimulationFailure const& failure) {
    run.failure = failure.what();  // describes the world itself
  } catch (std::exception const& error) {
    run.failure = error.what() + ("\n" + world.describe());
  }
  run.hash = world.trace_hash();
  run.steps = world.steps();
  run.virtual_time = world.elapsed();
  if (buggify) run.points = buggify->points();
  return run;
}

std::string replay_command(std::uint64_t seed, SeedRunOptions const& options) {
  auto command = "BELAY_SEED=" + std::to_string(seed) + " " + program_invocation_name;
  if (!options.test.empty()) command += " --gtest_filter=" + options.test;
  return command;
}

void add_points(std::map<std::string, Buggify::Point>& sum, std::vector<Buggify::Point> const& points) {
  for (auto const& point : points) {
    auto& total = sum.try_emplace(point.name, Buggify::Point{point.name}).first->second;
    total.is_active = total.is_active || point.is_active;
    total.hits += point.hits;
    total.fired += point.fired;
  }
}

std::string milliseconds(nanoseconds time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", static_cast<double>(time.count()) / 1e6);
  return text;
}

}  // namespace

nanoseconds SeedRunSummary::cpu_per_run() const noexcept {
  return seeds == 0 ? nanoseconds::zero() : cpu / static_cast<std::int64_t>(seeds);
}

SeedRunSummary run_seeds(SeedRunOptions const& options, Scenario const& scenario) {
  if (options.name.empty()) refuse("the scenario must have a name");
  if (options.failures_max < 1) refuse("failures_max must be at least 1");
  auto& report = options.report != nullptr ? *options.report : std::cout;
  SeedRunSummary summary;
  std::map<std::string, Buggify::Point> points;
  for (auto const seed : seeds_to_run(options)) {
    auto const begin = cpu_time();
    auto run = run_once(seed, options, scenario);
    auto const cpu = cpu_time() - begin;
    if (!run.failure) {
      auto const again = run_once(seed, options, scenario);
      if (again.failure) run.failure = "only the second run of the same seed fails: " + *again.failure;
      if (again.hash != run.hash) {
        run.failure = "two runs of the same seed differ: " + std::to_string(run.steps) + " steps, hash " +
                      std::to_string(run.hash) + "; then " + std::to_string(again.steps) + " steps, hash " +
                      std::to_string(again.hash) + (again.failure ? "\n" + *again.failure : std::string());
      }
    }
    ++summary.seeds;
    summary.cpu += cpu;
    summary.steps += run.steps;
    summary.virtual_time += run.virtual_time;
    add_points(points, run.points);
    if (cpu > summary.longest_cpu) {
      summary.longest_cpu = cpu;
      summary.slowest_seed = seed;
    }
    if (!run.failure) continue;
    SeedFailure failure{seed, *std::move(run.failure), replay_command(seed, options)};
    report << options.name << " failed\nseed: " << seed << "\nreplay: " << failure.replay << "\n"
           << failure.what << "\n";
    summary.failures.push_back(std::move(failure));
    if (summary.failures.size() >= options.failures_max) break;
  }
  for (auto& [name, point] : points) summary.points.push_back(std::move(point));
  report << "figure: scenario=" << options.name << " seeds=" << summary.seeds << " failures=" << summary.failures.size()
         << " cpu_ms_per_run=" << milliseconds(summary.cpu_per_run())
         << " cpu_ms_longest=" << milliseconds(summary.longest_cpu) << " slowest_seed=" << summary.slowest_seed
         << " virtual_s=" << std::chrono::duration_cast<std::chrono::seconds>(summary.virtual_time).count()
         << " steps=" << summary.steps << std::endl;
  return summary;
}

}  // namespace belay::testkit
