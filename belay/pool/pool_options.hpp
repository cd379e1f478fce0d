#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace belay::pool {

/// When an idle connection's liveness is proven by a round trip before it is lent. A free look at the socket precedes
/// every lending of a connection older than `liveness_bypass`, whatever the mode.
enum class PrePing : std::uint8_t {
  off,    ///< never: the look at the socket and the idle watch are trusted
  smart,  ///< when idle for more than 30 s, or while the endpoint is not known to be up
  always  ///< before every lending of an idle connection, however recently it was used
};

/// Which idle connection is lent next.
enum class Reuse : std::uint8_t {
  lifo,        ///< the most recently used: it is warm, and the surplus grows old and closes
  round_robin  ///< the least recently used: load spreads over the addresses behind a balancer
};

/// How session state that a borrower changed is undone.
enum class ResetMode : std::uint8_t {
  immediate,  ///< on return, before the connection is lent again
  pipelined   ///< by the next borrower, in front of its first request: Grant::reset_first
};

/// How a running query is cancelled when its lease comes back in the middle of it.
enum class CancelBy : std::uint8_t {
  in_band,          ///< on the connection itself: a WebSocket's tombstone, SQLite's interrupt
  separate_socket,  ///< on a socket of its own, which counts as a connect; at most half of the pool per second
  nothing           ///< cancels are not forwarded here: the connection is closed by force instead
};

/// What the engines apply to the connections they open. The pool's core does not read it.
struct ConnectionSettings {
  using duration = std::chrono::nanoseconds;

  /// TCP keepalive: first probe after so much silence, then one per interval, dead after so many without an answer.
  duration tcp_keepalive_idle = std::chrono::seconds(15);     ///< 1 s to 2 h
  duration tcp_keepalive_interval = std::chrono::seconds(5);  ///< 1 s to 10 min
  int tcp_keepalive_probes = 3;                               ///< 1 to 20
  duration tcp_user_timeout = std::chrono::seconds(20);       ///< 1 s to 1 h: unacknowledged bytes mean a dead peer
  bool tcp_no_delay = true;
  /// The server's own limit for one statement; nullopt: whatever the server has. 1 ms to 24 h.
  std::optional<duration> statement_timeout;
  /// Our limit for one command, of whatever kind, where the caller's deadline is later. 1 ms to 24 h.
  std::optional<duration> command_timeout;
  /// PostgreSQL: start sessions with jit=off, where the way to the server allows start-up parameters.
  bool jit_off = false;
};

/// What a pool is built from. Validated by PoolCore's constructor: nonsense throws Error(request) that names the
/// option, its value and its range. "None" is nullopt, zero never means infinite, nothing is silently corrected.
///
/// Durations, where nothing else is said, lie between 1 ms and 366 days.
struct PoolOptions {
  using duration = std::chrono::nanoseconds;

  // Size, in connections.
  std::uint32_t min_idle = 2;   ///< 0 to max_size; free places kept open (of a multiplexed connection: streams)
  std::uint32_t max_size = 10;  ///< 1 to 10 000: the soft limit
  std::uint32_t max_overflow =
      0;  ///< 0 to 10 000: beyond the soft limit while callers wait; hard limit = sum <= 10 000
  duration overflow_linger = std::chrono::seconds(5);  ///< a connection above max_size closes after so long idle
  std::uint32_t streams_per_connection = 1;            ///< 1 to 64: leases that share a connection; WebSocket 64

  // Waiting.
  duration acquire_timeout = std::chrono::seconds(30);  ///< queue + connect + test + hooks; the caller's may be earlier
  std::optional<std::size_t> max_waiters;  ///< 1 to 1 000 000; nullopt: 10 x hard limit in streams, at least 100
  /// A caller is refused when the predicted wait exceeds this share of its remaining time, or leaves too little for the
  /// work: one in fifty of those that would fit into the remaining time would be cut off. (0, 1]; nullopt: by
  /// max_waiters only. Without effect until 20 hold times have been seen.
  std::optional<double> admission = 0.8;
  /// A waiter with less time left than this is failed rather than served: what it got would expire in its hands.
  /// 0 to 1 h; nullopt: the median of recent hold times, within 1 and 100 ms.
  std::optional<duration> min_useful_budget;

  // Connecting.
  duration connect_timeout = std::chrono::seconds(10);  ///< TCP + TLS + authentication + session set-up
  std::uint32_t max_connecting = 4;  ///< 1 to 1 000, per endpoint, shared by its pools: for the ConnectGate
  double connect_rate = 10;          ///< per second and endpoint, 0.01 to 100 000, burst = max_connecting: likewise
  duration down_after = std::chrono::seconds(5);  ///< with no connection for so long, waiters fail: endpoint_down

  // Age.
  std::optional<duration> max_lifetime = std::chrono::minutes(30);  ///< >= 1 s; minus uniform 0-10 %
  /// At most one planned expiry per gap. A millionth of max_lifetime to lifetime / hard limit; nullopt: the latter.
  std::optional<duration> expiry_gap;
  std::optional<duration> idle_timeout = std::chrono::minutes(10);  ///< never below min_idle

  // Liveness.
  PrePing pre_ping = PrePing::smart;
  duration liveness_bypass = std::chrono::milliseconds(500);  ///< 0 to 1 h: trusted so long after use or test
  duration liveness_timeout = std::chrono::seconds(1);  ///< of a test; at most half of the waiter's remaining time
  std::optional<duration> keepalive = std::chrono::minutes(2);  ///< +-10 %, idle only, 1 or 10 % of idle at once
  Reuse reuse = Reuse::lifo;

  // Clean-up.
  ResetMode reset = ResetMode::immediate;
  CancelBy cancel = CancelBy::in_band;
  duration quarantine_timeout = std::chrono::seconds(2);  ///< of a reset, rollback or cancelled query's end
  duration zombie_grace = std::chrono::seconds(5);        ///< 0 to 1 h: place kept after a forced close
  std::optional<duration> leak_warn_after = std::chrono::seconds(30);  ///< then after twice as long, and so on
  std::optional<duration> leak_reclaim_after;                          ///< >= leak_warn_after; nullopt: warn only
  duration close_timeout = std::chrono::seconds(10);                   ///< the whole drain at shutdown

  ConnectionSettings connection;

  std::uint32_t hard_limit() const noexcept { return max_size + max_overflow; }
  /// max_waiters or what stands for it.
  std::size_t waiters_limit() const noexcept;
  /// expiry_gap or what stands for it; meaningful with a max_lifetime only.
  duration expiry_gap_or_derived() const noexcept;
  /// Throws Error(request).
  void validate() const;
};

/// Named sets, with the figures of the documents that ask for them.
namespace presets {

PoolOptions standard();       ///< "default": 2/10 and everything as above
PoolOptions hosted_pooler();  ///< a pooler in between that drops old and silent sessions: lifetime 90 s, keepalive 25 s
PoolOptions singleton();      ///< one connection: 1/1
PoolOptions rag();            ///< 2/10, acquire 30 s, command 60 s, jit off
PoolOptions enterprise();     ///< 10 + 20 overflow, recycled after 90 s, pre-ping always
PoolOptions stability();      ///< recycled after 3600 s, acquire 30 s, connect 10 s, statement 30 000 ms

}  // namespace presets

/// The preset of that name ("default", "hosted_pooler", …). Throws Error(request) that lists the names.
PoolOptions preset(std::string_view name);

}  // namespace belay::pool
