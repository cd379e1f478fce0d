#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "belay/testkit/buggify.hpp"
#include "belay/testkit/sim_scheduler.hpp"

namespace belay::testkit {

/// A simulated scenario: builds its world on the scheduler and runs it. It fails by throwing. All it draws must come
/// from scheduler.random(…), all it measures from virtual time.
using Scenario = std::function<void(SimScheduler&)>;

struct SeedRunOptions {
  std::string name = {};      ///< of the scenario, for reports; not empty
  std::string test = {};      ///< "Suite.Test": how the test program is told to run it alone; empty: by its name only
  std::uint64_t seeds = 100;  ///< >= 1; the environment's BELAY_SEEDS overrides it
  std::uint64_t first_seed = 1;                 ///< BELAY_FIRST_SEED overrides it
  std::vector<std::uint64_t> regressions = {};  ///< seeds that failed once: always run, and first
  SimScheduler::Options scheduler = {};
  std::optional<Buggify::Options> buggify = Buggify::Options();  ///< nullopt: no point ever fires
  /// Asked after each run: whether it failed without throwing. For GoogleTest: testing::Test::HasFailure.
  std::function<bool()> has_failed = {};
  std::uint64_t failures_max = 1;  ///< >= 1: stops after so many
  std::ostream* report = nullptr;  ///< nullptr: standard output
};

struct SeedFailure {
  std::uint64_t seed = 0;
  std::string what;    ///< the reason, the state of the scheduler and the end of the trace
  std::string replay;  ///< the command that runs this seed again
};

struct SeedRunSummary {
  std::uint64_t seeds = 0;
  std::vector<SeedFailure> failures;
  std::chrono::nanoseconds cpu{0};          ///< of the calling thread, first runs only
  std::chrono::nanoseconds longest_cpu{0};  ///< of one run
  std::uint64_t slowest_seed = 0;
  std::chrono::nanoseconds virtual_time{0};
  std::uint64_t steps = 0;
  std::vector<Buggify::Point> points;  ///< hits and fired summed over the seeds; is_active: under one of them at least

  std::chrono::nanoseconds cpu_per_run() const noexcept;
};

/// Runs a scenario under many seeds, each twice: both runs must end with the same trace hash.
///
/// With BELAY_SEED=n in the environment, under that seed alone. A failure is reported with a line "seed: n", the
/// command that replays it, the reason and the end of the trace; the end, with a line "figure: …" of what was run and
/// the CPU time per run. Throws belay::Error(request) for nonsense in the options or the environment.
SeedRunSummary run_seeds(SeedRunOptions const&, Scenario const&);

}  // namespace belay::testkit
