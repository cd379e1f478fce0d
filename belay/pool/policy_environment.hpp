#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include <boost/asio/awaitable.hpp>

#include "belay/core/error.hpp"
#include "belay/core/random.hpp"
#include "belay/net/time_service.hpp"
#include "belay/pool/attempt.hpp"
#include "belay/resilience/breaker_state.hpp"
#include "belay/resilience/policy_failure.hpp"

namespace belay::pool {

/// An attempt has ended.
struct AttemptEnd {
  struct Failure {
    ErrorClass error_class;
    SendState send_state;
  };

  OperationClass operation;
  unsigned number;                 ///< 1-based
  std::chrono::nanoseconds took;   ///< the remedy before it included
  std::optional<Failure> failure;  ///< nullopt: it succeeded
};

/// A failed attempt will be repeated.
struct RetryPlan {
  OperationClass operation;
  unsigned failed_attempt;  ///< its number, 1-based
  ErrorClass error_class;   ///< of its failure
  std::chrono::nanoseconds pause;
  resilience::Remedy remedy;
};

/// A call was turned away before its first attempt.
struct CallRefusal {
  OperationClass operation;
  resilience::RefusedBy layer;
  std::optional<std::chrono::nanoseconds> retry_after;  ///< if known
};

/// A breaker went from one state to another.
struct BreakerChange {
  OperationClass operation;
  resilience::BreakerEvent event;
};

/// Who wants to know what a policy does. Each is called on the thread that runs the call, between two of its steps: it
/// returns quickly and does not throw. An empty one is not called.
struct PolicyHooks {
  std::function<void(Attempt const&)> before_attempt{};
  std::function<void(AttemptEnd const&)> after_attempt{};
  std::function<void(RetryPlan const&)> on_retry{};
  std::function<void(CallRefusal const&)> on_refusal{};
  std::function<void(BreakerChange const&)> on_breaker_change{};  ///< in order, one at a time
};

/// What a policy works with.
struct PolicyEnvironment {
  /// Null: the machine's. If set, all callers run on the executor that it was made for.
  std::shared_ptr<net::TimeService> time{};
  /// Of the policy's own: pauses, and how long breakers stay open.
  Random random = Random::from_entropy();
  PolicyHooks hooks{};
  /// Renews credentials or resolves the endpoint's name again, before the attempt that needs it and within its
  /// deadline. If it throws, that attempt has failed with what it threw. Empty: the body sees Attempt::remedy.
  std::function<boost::asio::awaitable<void>(resilience::Remedy, Attempt&)> remedy{};
};

}  // namespace belay::pool
