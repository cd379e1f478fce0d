#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client.hpp"
#include "coverage.hpp"
#include "endpoint.hpp"
#include "health_shell.hpp"

namespace belay::simulation {

/// What came of one run.
struct Outcome {
  std::vector<Violation> violations;
  std::uint64_t trace_hash = 0;
  std::string tail;
  std::uint64_t steps = 0;
  std::uint64_t calls = 0;
  std::uint64_t failed = 0;  ///< of the calls
  duration virtual_time{};
};

/// One run: clients, policies, pools, health monitor, a network, a server, and what goes wrong, all decided by the
/// plan. Afterwards the server is healthy and everything must come to rest; then everything is shut down.
class World {
 public:
  World(Plan const&, Coverage&);
  World(World const&) = delete;

  Outcome run();

 private:
  void run_until(time_point end);
  void begin(Fault const&);
  void end(Fault const&);
  void begin_invalidation(Fault const&);
  void update_trouble();
  void update_refill();
  void calm_down();
  void rest();
  void ask_patiently();
  void close_all();
  void check_end();
  bool everybody_is_idle() const;
  PoolShell& some_pool() { return *endpoint_.pools[random_.below(endpoint_.pools.size())]; }
  BreakerWatch& some_breaker() { return *endpoint_.breakers[random_.below(Endpoint::operations)]; }

  Plan const& plan_;
  Coverage& coverage_;
  Timeline timeline_;
  Record record_;
  Random random_;
  Endpoint endpoint_;
  HealthShell health_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::array<std::uint32_t, fault_kinds> active_{};
  duration suspended_{};
  std::int64_t wall_jumps_ = 0;
};

}  // namespace belay::simulation
