#pragma once

#include <functional>
#include <string_view>

#include "belay/pool/policy_environment.hpp"
#include "belay/pool/pool_event.hpp"
#include "belay/resilience/health_monitor.hpp"

namespace belay::sqlite {

/// Who wants to know what happens to a client, for logs and metrics. Each is called without locks and must not throw;
/// an empty one is not called. It keeps no handle on the client: the last one must not go on the client's own thread.
struct Observer {
  /// On the threads of the calls, between two of their steps. Only with Options::endpoint.
  pool::PolicyHooks policy{};
  /// In order, on the client's own thread. Only with Options::endpoint.
  std::function<void(resilience::health_action::StateChanged const&)> on_health_change{};
  /// Of the side "reads" or "writes"; in order for each, on the client's own thread.
  std::function<void(std::string_view side, pool::PoolEvent const&)> on_pool_event{};
};

}  // namespace belay::sqlite
