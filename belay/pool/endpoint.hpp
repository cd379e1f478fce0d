#pragma once

#include <functional>
#include <memory>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/core/random.hpp"
#include "belay/net/time_service.hpp"
#include "belay/pool/connector.hpp"
#include "belay/pool/policy.hpp"
#include "belay/pool/policy_environment.hpp"
#include "belay/pool/policy_options.hpp"
#include "belay/pool/pool.hpp"
#include "belay/pool/pool_environment.hpp"
#include "belay/resilience/health_monitor.hpp"
#include "belay/resilience/health_report.hpp"
#include "belay/resilience/recovery.hpp"

namespace belay::pool {

namespace detail {
class EndpointShell;
}

/// What guards one endpoint, besides its pools.
struct EndpointOptions {
  resilience::RecoveryOptions recovery{};
  resilience::HealthOptions health{};
  PolicyOptions policy{};
};

/// Refuses options outside their ranges with Error(request) that names the option and the range.
void check(EndpointOptions const&);

/// What an endpoint runs in.
struct EndpointEnvironment {
  explicit EndpointEnvironment(boost::asio::any_io_executor on) : executor(std::move(on)) {}

  /// Where the monitor and its connection live, and the pools made from pool_environment(). It runs one thing at a
  /// time: an io_context with one thread, or a strand.
  boost::asio::any_io_executor executor;
  /// Made for `executor`. Null: the machine's.
  std::shared_ptr<net::TimeService> time{};
  Random random = Random::from_entropy();
  PolicyHooks hooks{};
  std::function<boost::asio::awaitable<void>(resilience::Remedy, Attempt&)> remedy{};
  /// Told each change of the endpoint's health, in order, on `executor`. It must not throw.
  std::function<void(resilience::health_action::StateChanged const&)> on_health_change{};
};

/// One endpoint: the gate through which all its pools connect, the monitor that probes it on a connection of its own,
/// the policy before its calls; and what they tell each other:
///
///     a probe failed            -> the pools' connections are not lent again (HealthOptions::invalidate)
///     the endpoint is down      -> the pools open nothing until a probe succeeds
///     it answers again          -> open breakers let probes through, the pools connect again
///     the machine was suspended -> the pools' idle connections must answer before they are lent
///     a read or write breaker is not closed -> the pools open nothing beyond min_idle
///     a pool connects, fails to, or loses a connection in use -> the monitor knows
///
/// A handle: copies share the endpoint, and the last one to go stops it without waiting. Thread-safe. It must not
/// outlive its executor's context while another thread still runs that; after the context it may end at any time.
class Endpoint {
 public:
  /// `prober` makes the monitor's connection, which no exhausted pool can delay. Throws Error(request) for options that
  /// make no sense.
  Endpoint(EndpointOptions const&, std::shared_ptr<Connector> prober, EndpointEnvironment);

  /// What a pool of this endpoint is made from: executor, time, and the gate.
  PoolEnvironment pool_environment() const;
  /// From now on the pool and the rest know of each other; the endpoint keeps a handle on it. It takes the pool's one
  /// event handler and passes the events on to `on_event`.
  void attach(PoolBase const&, PoolBase::EventHandler on_event = {}) const;

  Policy const& policy() const noexcept;
  resilience::HealthReport health() const;
  resilience::RecoverySnapshot recovery() const;

  /// Starts to probe, at once, and to move the breakers on in time. Idempotent.
  void start() const;
  /// Ends that, and closes the monitor's connection, by force at the deadline. The pools are closed by whoever has made
  /// them. Idempotent.
  boost::asio::awaitable<void> close(Deadline) const;

 private:
  struct Handle;
  std::shared_ptr<Handle> handle_;
};

}  // namespace belay::pool
