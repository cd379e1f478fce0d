#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

#include "coverage.hpp"
#include "plan.hpp"

namespace belay::simulation {

/// Many runs, each seed twice: the second time without the wall clock's jumps, and with the same trace.
struct Campaign {
  std::uint64_t first_seed = 1;
  std::uint64_t seeds = 1;
  std::uint64_t stride = 1;           ///< every how-manieth seed: processes share a campaign
  std::uint64_t violations_most = 1;  ///< stops after so many
  bool shrinks = true;
  std::string replay;  ///< the command that runs one seed, which is appended

  struct Result {
    std::uint64_t seeds = 0;
    std::uint64_t violations = 0;
    std::uint64_t calls = 0;
    std::uint64_t failed_calls = 0;
    std::uint64_t steps = 0;
    std::chrono::nanoseconds cpu{};  ///< first runs only
    std::chrono::nanoseconds longest_cpu{};
    std::uint64_t slowest_seed = 0;
    std::chrono::nanoseconds virtual_time{};
    Coverage coverage;
  };
  /// Each failure is reported with a line "seed: n", the command that replays it, the rule, the trace's end, and the
  /// least that still fails.
  Result run(std::ostream& report) const;
};

}  // namespace belay::simulation
