#pragma once

#include <cstdint>
#include <optional>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"

namespace belay::resilience {

/// Permission for one attempt to connect; handed back with the attempt's outcome, exactly once.
struct ConnectTicket {
  std::uint64_t epoch = 0;  ///< which stretch of steadiness or recovery it was given in
  bool is_probe = false;    ///< the one attempt that finds out whether the endpoint is back
};

/// What decides when an endpoint may be connected to, seen by a pool: one gate per endpoint, shared by all its pools
/// and its health monitor, because the server sees the sum of their attempts.
///
/// Implementations state their own thread-safety; a pool calls the gate while it decides, so a gate must not call back.
class ConnectGate {
 public:
  using time_point = Deadline::time_point;

  struct Answer {
    std::optional<ConnectTicket> ticket;
    /// Without a ticket: when to ask again. time_point::max() when only the end of another attempt can change the
    /// answer.
    time_point retry_at = time_point::max();
  };

  virtual ~ConnectGate() = default;
  virtual Answer try_connect(time_point now) = 0;
  virtual void connected(ConnectTicket, time_point now) = 0;
  /// `permanent`: the same credentials, name and address cannot succeed (wrong password, unknown database, wrong
  /// certificate name); retried after the negative cache's time only.
  virtual void failed(ConnectTicket, ErrorClass, bool permanent, time_point now) = 0;
  /// The attempt was given up without a verdict.
  virtual void abandoned(ConnectTicket, time_point now) = 0;
  /// A pool has lost its last live connection at once (a hard invalidation, a server that went away).
  virtual void lost_all(time_point now) = 0;

  /// Whether attempts are being made one at a time because the last ones failed.
  virtual bool is_recovering() const = 0;
  /// When the next probe may start; now or earlier when it may at once or is under way.
  virtual time_point next_probe_at() const = 0;
  /// Since when no attempt has succeeded; time_point::max() while steady.
  virtual time_point failing_since() const = 0;

 protected:
  ConnectGate() = default;
  ConnectGate(ConnectGate const&) = default;
  ConnectGate& operator=(ConnectGate const&) = default;
};

}  // namespace belay::resilience
