#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "belay/core/random.hpp"
#include "belay/net/time_service.hpp"
#include "belay/resilience/connect_gate.hpp"
#include "belay/resilience/shared_recovery.hpp"

namespace belay::pool {

/// What a pool runs in.
struct PoolEnvironment {
  using Listener = std::function<void()>;
  /// What keeps a listener registered: whoever destroys it takes the listener away.
  using Registration = std::shared_ptr<void>;

  explicit PoolEnvironment(boost::asio::any_io_executor on) : executor(std::move(on)) {}

  /// Where the pool's timer, its events and, unless others are named, its connections live. It runs one thing at a
  /// time: an io_context with one thread, or a strand.
  boost::asio::any_io_executor executor;
  /// The connections' executors, in turn by place; each like the one above. Empty: that one.
  std::vector<boost::asio::any_io_executor> connection_executors;
  /// Made for `executor`. Null: the machine's.
  std::shared_ptr<net::TimeService> time;
  /// Of the endpoint, shared by its pools; it must stand calls from any thread. Null: one of its own, made from
  /// PoolOptions::max_connecting and connect_rate.
  std::shared_ptr<resilience::ConnectGate> gate;
  /// Registers a listener that is called when the gate's answer may have changed, from any thread, perhaps with the
  /// pool's lock held. Empty: the gate is asked again at its retry_at and at the pool's own inputs only.
  std::function<Registration(Listener)> on_permission_changed;
  /// Of the pool's own: jitter.
  Random random = Random::from_entropy();

  /// The endpoint's gate, with its listeners.
  void share(std::shared_ptr<resilience::SharedRecovery> recovery) {
    on_permission_changed = [recovery](Listener listener) {
      auto const id = recovery->add_listener(std::move(listener));
      return Registration(nullptr, [recovery, id](void*) { recovery->remove_listener(id); });
    };
    gate = std::move(recovery);
  }
};

}  // namespace belay::pool
