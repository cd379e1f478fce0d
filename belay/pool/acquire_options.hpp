#pragma once

#include <cstdint>
#include <string_view>

#include "belay/core/deadline.hpp"
#include "belay/pool/call_site.hpp"
#include "belay/pool/waiter.hpp"

namespace belay::pool {

/// What a caller wants of a pool. Safe to write inside a co_await expression: `co_await pool.acquire({.label = "x"})`.
struct AcquireOptions {
  Deadline deadline = Deadline::never();  ///< the pool's acquire_timeout applies as well
  LeaseKind kind = LeaseKind::shared;
  Lane lane = Lane::interactive;
  LeaseTerm term = LeaseTerm::brief;
  std::string_view label = {};  ///< for messages and events; must outlive the lease and them (a literal)
  /// Who asks, so that nested acquires are found: a task that holds a lease and waits for another. 0: the Asio
  /// coroutine thread that awaits, which is one co_spawn() and all it awaits directly; what runs under a co_spawn() of
  /// its own (with_deadline, a parallel group) is another, and names its parent's number here.
  std::uint64_t task = 0;

  LeaseRequest request(CallSite where) const noexcept { return {deadline, kind, lane, term, task, label, where}; }
};

}  // namespace belay::pool
