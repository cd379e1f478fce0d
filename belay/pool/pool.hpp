#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>

#include "belay/pool/acquire_options.hpp"
#include "belay/pool/call_site.hpp"
#include "belay/pool/connector.hpp"
#include "belay/pool/detail/ambient_task.hpp"
#include "belay/pool/detail/parked_call.hpp"
#include "belay/pool/diagnosis.hpp"
#include "belay/pool/drain_result.hpp"
#include "belay/pool/lease.hpp"
#include "belay/pool/pool_core.hpp"
#include "belay/pool/pool_environment.hpp"
#include "belay/pool/pool_event.hpp"
#include "belay/pool/pool_options.hpp"

namespace belay::pool {

/// What a Pool<C> is for any C: all but acquire().
///
/// A handle: copies share the pool, and the last one to go closes it by force, without waiting. Thread-safe.
/// Calls may come from any executor: a lease that is free is lent at once on the caller's thread; a caller who has to
/// wait is resumed by one post to its own executor.
///
/// The pool's end and its executors' end may come in any order. When an execution context that the pool runs in is
/// destroyed, its connections go with it, its waiters fail, and it is closed; when a waiting caller's is, the caller
/// leaves the queue.
class PoolBase {
 public:
  using EventHandler = std::function<void(PoolEvent const&)>;

  /// Opens min_idle connections, in the background. Without it the first acquire opens the first connection.
  void start() const;
  /// The same, and waits until one connection has proven to work. Throws what acquire() throws.
  boost::asio::awaitable<void> start(Deadline) const;

  /// None of the connections so far is lent again. Those that are lent close on return; `hard` also cancels what their
  /// borrowers run.
  void invalidate_all(GenerationReason, Invalidation) const;
  /// Nobody gets a lease until resume(); callers queue.
  void pause() const;
  void resume() const;
  /// Throws Error(request); then nothing has changed.
  void resize(PoolSize) const;
  void set_refill(Refill) const;
  void set_endpoint_health(EndpointHealth) const;
  /// The machine was suspended: idle connections must answer before they are lent.
  void suspect_idle() const;
  /// A zombie's session was seen to be gone from the server.
  void session_gone(SlotHandle) const;

  Snapshot snapshot() const;
  Diagnosis diagnose() const;
  PoolOptions options() const;

  /// Called for each event, in order, one at a time, on the pool's executor, without the pool's lock: it may call the
  /// pool. It must not throw; what it throws leaves the executor's run(). Replaces the handler before; an empty one
  /// ends it. Events from before are told as far as they are kept (EventRing::capacity).
  void on_event(EventHandler) const;

  /// Refuses new callers, fails or serves those that wait, waits for leases, then cancels, then closes by force: see
  /// PoolCore::close(). Takes at most PoolOptions::close_timeout; at an earlier deadline everything is closed by force.
  /// Calling it again waits for the same end. Throws Error(cancelled), and the pool goes on closing.
  boost::asio::awaitable<DrainResult> close(Deadline, WaitersAtClose = WaitersAtClose::fail) const;

 protected:
  PoolBase(PoolOptions const&, std::shared_ptr<Connector>, PoolEnvironment, bool (*is_right)(Connection const&));

  std::shared_ptr<detail::PoolShell> const& shell() const noexcept;

 private:
  struct Handle;
  std::shared_ptr<Handle> handle_;
};

/// A pool of connections of class C, which is derived from Connection.
///
///     pool::Pool<Wire> pool(pool::presets::standard(), connector, pool::PoolEnvironment(executor));
///     auto lease = co_await pool.acquire({.deadline = deadline, .label = "read dossier"});
///     co_await lease->query("…");     // released at the end of the scope
template <class C>
class Pool final : public PoolBase {
 public:
  /// The connector makes objects of class C; one that makes others fails to connect. Throws Error(request) for options
  /// that make no sense.
  Pool(PoolOptions const& options, std::shared_ptr<Connector> connector, PoolEnvironment environment)
      : PoolBase(options, std::move(connector), std::move(environment), &is_right) {}

  /// A lease: at once, without suspending or allocating, when nobody waits and a connection is idle and trusted; else
  /// in turn. Throws Error: timeout_local at the deadline, capacity when refused, cancelled, what connecting failed
  /// with when it cannot succeed, request when the pool is closed; its detail "reason" is the Refusal, "verdict" the
  /// Verdict.
  ///
  /// Per-operation cancellation (terminal, partial, total) is honoured at once.
  boost::asio::awaitable<Lease<C>> acquire(AcquireOptions options, CallSite where = CallSite::current()) const {
    return run_acquire(shell(), options, where);
  }
  boost::asio::awaitable<Lease<C>> acquire(Deadline deadline, CallSite where = CallSite::current()) const {
    AcquireOptions options;
    options.deadline = deadline;
    return run_acquire(shell(), options, where);
  }
  boost::asio::awaitable<Lease<C>> acquire(CallSite where = CallSite::current()) const {
    return run_acquire(shell(), AcquireOptions(), where);
  }

  /// A lease that is to be had at once, or none. Not a coroutine; callable anywhere. AcquireOptions::task is as given.
  /// Throws Error when waiting would be of no use: the pool is closed, or no connection can be made.
  std::optional<Lease<C>> try_acquire(AcquireOptions options = AcquireOptions(),
                                      CallSite where = CallSite::current()) const {
    detail::AcquireCall call(shell(), options.request(where));
    if (!call.try_enter()) return std::nullopt;
    return Lease<C>(call.take());
  }

 private:
  static bool is_right(Connection const& connection) { return dynamic_cast<C const*>(&connection) != nullptr; }

  static boost::asio::awaitable<Lease<C>> run_acquire(std::shared_ptr<detail::PoolShell> shell, AcquireOptions options,
                                                      CallSite where) {
    if (options.task == 0) options.task = detail::identify_task(co_await detail::ambient_task);
    detail::AcquireCall call(std::move(shell), options.request(where));
    if (!call.enter()) {
      call.prepare(co_await boost::asio::this_coro::executor);
      do {
        co_await call.wait();
      } while (!call.accept());
    }
    co_return Lease<C>(call.take());
  }
};

}  // namespace belay::pool
