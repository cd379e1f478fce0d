#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "belay/core/random.hpp"
#include "belay/pool/pool_options.hpp"

namespace belay::pool {

/// What one simulated run is like; everything is drawn from the seed, so that each run stresses something else.
struct DriverPlan {
  using duration = std::chrono::nanoseconds;

  std::uint64_t seed = 1;
  PoolOptions options;
  int clients = 20;
  duration chaos_lasts = std::chrono::seconds(4);
  double cancels = 0;        ///< share of acquires the caller gives up
  double dirty_returns = 0;  ///< share of leases that come back not clean
  double hangs = 0;          ///< share of works on a connection that are never answered
  double failures = 0;       ///< share of them that fail
  double nested = 0;         ///< share of holders that ask for a second lease
  double late_reports = 0;   ///< share of reports that are made once more, later
  duration between_disturbances = std::chrono::milliseconds(200);
  bool closes_in_chaos = false;

  static DriverPlan from_seed(std::uint64_t seed);
};

inline DriverPlan DriverPlan::from_seed(std::uint64_t seed) {
  using namespace std::chrono_literals;
  auto random = Random(seed).fork("plan");
  auto const one_of = [&](auto... values) {
    std::array const choices{values...};
    return choices[random.below(choices.size())];
  };
  DriverPlan plan;
  plan.seed = seed;
  plan.clients = one_of(1, 3, 10, 20, 40, 200);
  plan.cancels = one_of(0.0, 0.1, 0.5);
  plan.dirty_returns = one_of(0.0, 0.05, 0.4);
  plan.hangs = one_of(0.0, 0.01, 0.1);
  plan.failures = one_of(0.0, 0.02, 0.3);
  plan.nested = one_of(0.0, 0.0, 0.1, 0.5);
  plan.late_reports = one_of(0.0, 0.2);
  plan.between_disturbances = one_of(50ms, 300ms, 2000ms);
  plan.closes_in_chaos = random.below(4) == 0;
  plan.chaos_lasts = plan.clients == 200 ? 300ms : plan.clients == 40 ? 800ms : one_of(1000ms, 3000ms);
  auto& options = plan.options;
  options.max_size = one_of(1U, 2U, 4U, 10U);
  options.max_overflow = one_of(0U, 0U, 3U);
  options.min_idle = static_cast<std::uint32_t>(random.below(options.max_size + 1));
  options.streams_per_connection = one_of(1U, 1U, 1U, 4U, 64U);
  options.max_waiters = one_of(5U, 100U, 1000U);
  if (random.below(3) == 0) options.admission = std::nullopt;
  options.connect_timeout = one_of(30ms, 200ms);
  options.max_connecting = one_of(1U, 4U);
  options.down_after = one_of(200ms, 5000ms);
  options.max_lifetime = one_of(1000ms, 10'000ms, 1'800'000ms);
  options.idle_timeout = one_of(100ms, 600'000ms);
  options.overflow_linger = one_of(50ms, 5000ms);
  options.pre_ping = one_of(PrePing::off, PrePing::smart, PrePing::always);
  options.liveness_bypass = one_of(0ms, 5ms, 500ms);
  options.liveness_timeout = one_of(5ms, 1000ms);
  options.keepalive = one_of(50ms, 120'000ms);
  options.reuse = one_of(Reuse::lifo, Reuse::round_robin);
  options.reset = one_of(ResetMode::immediate, ResetMode::pipelined);
  options.cancel = one_of(CancelBy::in_band, CancelBy::separate_socket, CancelBy::nothing);
  options.quarantine_timeout = one_of(20ms, 2000ms);
  options.zombie_grace = one_of(0ms, 50ms, 5000ms);
  options.leak_warn_after = one_of(100ms, 30'000ms);
  if (random.below(4) == 0) options.leak_reclaim_after = *options.leak_warn_after * 2;
  options.close_timeout = one_of(50ms, 10'000ms);
  return plan;
}

}  // namespace belay::pool
