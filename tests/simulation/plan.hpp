#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <boost/describe/enum.hpp>

#include "belay/pool/pool_options.hpp"
#include "belay/resilience/breaker_options.hpp"
#include "belay/resilience/bulkhead.hpp"
#include "belay/resilience/health_monitor.hpp"
#include "belay/resilience/policy_core.hpp"
#include "belay/resilience/rate_limiter.hpp"
#include "belay/resilience/recovery.hpp"
#include "belay/resilience/retry.hpp"
#include "belay/testkit/shrinker.hpp"
#include "timeline.hpp"

namespace belay::simulation {

/// Something that goes wrong, or that somebody does, at one moment of a run.
enum class FaultKind : std::uint8_t {
  kill,          ///< the server dies: all sessions end, connections are refused until it is back
  freeze,        ///< the server stands still and answers later
  black_hole,    ///< nothing arrives, in neither direction, and nobody is told
  refuse,        ///< connections are refused, those that exist go on
  read_only,     ///< the server refuses writes
  slow,          ///< each statement takes much longer
  few_logins,    ///< it logs in only few at a time, and refuses the others
  bad_password,  ///< it rejects the credentials
  cut,           ///< some connections are reset
  delay,         ///< messages take much longer
  conflicts,     ///< writes lose against others
  errors,        ///< statements fail, in all ways an answer can tell
  lost_answers,  ///< the server commits and drops the connection before it answers
  suspend,       ///< the machine sleeps: the clock since boot goes on alone
  wall_jump,     ///< the wall clock jumps
  pause,         ///< the operator pauses a pool
  resize,        ///< the operator changes a pool's limits
  invalidate,    ///< the operator invalidates all connections
  force_open,    ///< the operator opens a breaker
  force_closed,  ///< the operator closes a breaker
  hurry,         ///< callers cancel what they began
  stale_reports  ///< reports about connections come once more, late
};
BOOST_DESCRIBE_ENUM(FaultKind, kill, freeze, black_hole, refuse, read_only, slow, few_logins, bad_password, cut, delay,
                    conflicts, errors, lost_answers, suspend, wall_jump, pause, resize, invalidate, force_open,
                    force_closed, hurry, stale_reports)
inline constexpr std::size_t fault_kinds = 22;

struct Fault {
  FaultKind kind = FaultKind::kill;
  duration at{};
  duration lasts{};
  double size = 0;  ///< 0 to 1; what it means depends on the kind
};

/// All about one run, drawn from its seed: each kind of fault is on or off (swarm testing), options lie anywhere in
/// what a sane operator may choose, and beyond.
struct Plan {
  std::uint64_t seed = 1;
  std::uint32_t clients = 20;
  duration chaos_lasts = std::chrono::seconds(30);
  duration think_time = std::chrono::milliseconds(500);
  duration call_deadline = std::chrono::seconds(10);
  std::vector<Fault> faults;
  bool moves_wall_clock = true;  ///< not drawn: whether wall_jump faults do anything (P20)

  double writes = 0.3;        ///< share of units that are single writes
  double transactions = 0.2;  ///< share that are transactions
  double idempotent = 0.3;    ///< share of writing units declared so
  double alters_session = 0.05;
  double nested = 0;  ///< share of lease holders that want a second lease
  double holds_long = 0;
  double pinned = 0.1;
  duration step = std::chrono::microseconds(5);  ///< how late the executor may resume a waiter
  duration timers_late{};                        ///< how late its timers are
  bool closes_in_chaos = false;

  std::uint32_t pools = 1;
  pool::PoolOptions pool;
  resilience::RecoveryOptions recovery;
  resilience::BreakerOptions breaker;
  resilience::RateLimit rate;
  resilience::BulkheadOptions bulkhead;
  resilience::RetryOptions retry;
  resilience::RetryBudgetOptions budget;
  resilience::PolicyOptions policy;
  resilience::HealthOptions health;

  duration latency = std::chrono::microseconds(300);
  duration service = std::chrono::milliseconds(2);
  duration login = std::chrono::milliseconds(5);
  std::uint32_t max_connections = 100;
  std::uint32_t login_capacity = 20;              ///< at once
  duration kill_delay = std::chrono::seconds(1);  ///< until the server notices that a client has gone

  static Plan from_seed(std::uint64_t seed);
  bool is_steady() const;

  /// What may be left out without making another run of it: the faults, then the clients by sixteenths.
  std::vector<std::string> element_names() const;
  Plan only(testkit::Selection const& left_in) const;
};

}  // namespace belay::simulation
