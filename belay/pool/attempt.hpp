#pragma once

#include <chrono>
#include <optional>

#include "belay/core/deadline.hpp"
#include "belay/pool/policy_options.hpp"
#include "belay/resilience/call_context.hpp"
#include "belay/resilience/phase_times.hpp"
#include "belay/resilience/retry.hpp"
#include "belay/resilience/waiter_lanes.hpp"

namespace belay::pool {

/// What a caller wants of a policy. Safe to write inside a co_await expression:
/// `co_await policy.run({.operation = OperationClass::write}, body)`.
struct CallOptions {
  OperationClass operation = OperationClass::read;
  /// Deadline, idempotency, and the marks of the layers above: an engine's client takes one from its caller, and what
  /// runs inside an attempt passes Attempt::context on.
  resilience::CallContext context{};
  resilience::Lane lane = resilience::Lane::normal;  ///< in the bulkhead
};

/// One try of a call. The body that makes it ends by `deadline` (nothing else will end it), promptly when it is
/// cancelled, and fails by throwing belay::Error with the send state that its transport knows.
///
/// Whatever it calls that may retry or wait gets `context`: it carries the attempt's deadline and says that this layer
/// retries already, so that a policy further in makes one attempt only. It is an argument, not something ambient: a
/// client hands it on as `pool.acquire({.deadline = attempt.deadline})` and `inner.run({.context = attempt.context},
/// …)`.
struct Attempt {
  OperationClass operation = OperationClass::read;
  unsigned number = 1;  ///< 1-based
  Deadline deadline = Deadline::never();
  resilience::CallContext context{};
  /// What has been done before this attempt, if the policy has a hook for it; else what the body does first.
  resilience::Remedy remedy = resilience::Remedy::none;

  // What the body may tell besides its error.

  /// The server asked not to be called again before this time. > 0.
  std::optional<std::chrono::nanoseconds> pushback{};
  bool is_tls_failure = false;  ///< the TLS layer failed
  /// Where the call's time goes; the body enters connect, test and query. Never null while the attempt runs.
  resilience::PhaseTimes* phases = nullptr;
};

}  // namespace belay::pool
