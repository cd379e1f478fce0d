#pragma once

#include <memory>
#include <optional>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>

#include "belay/core/deadline.hpp"
#include "belay/pool/connection.hpp"
#include "belay/pool/intrusive_list.hpp"
#include "belay/pool/waiter.hpp"

namespace belay::pool::detail {

class ConnectionKeeper;
class ContextLink;
class PoolShell;

/// A coroutine that waits for the pool, as a node in its own frame: nothing is allocated for it but the completion
/// handler's place, which Asio recycles.
///
/// Its life: prepare(), then any number of wait(); each ends when the pool resumes the call, by posting the handler to
/// the caller's executor. A frame that is destroyed while it waits takes the call out of the pool.
class ParkedCall {
 public:
  using Handler = boost::asio::any_completion_handler<void()>;

  ParkedCall(ParkedCall const&) = delete;
  ParkedCall& operator=(ParkedCall const&) = delete;

  /// Before the first wait(), on the caller's executor.
  void prepare(boost::asio::any_io_executor);

  /// Completes when the pool has something to say; at once when it already has.
  auto wait() {
    return boost::asio::async_initiate<boost::asio::deferred_t const, void()>(
        [this](auto handler) { park(Handler(std::move(handler))); }, boost::asio::deferred);
  }

 protected:
  explicit ParkedCall(std::shared_ptr<PoolShell> shell) noexcept : shell_(std::move(shell)) {}
  ~ParkedCall() = default;  // a derived class leaves the pool's lists in its own

  std::shared_ptr<PoolShell> shell_;
  bool is_cancelled_ = false;  ///< by the caller's cancellation slot

 private:
  friend class PoolShell;
  enum class Place : std::uint8_t {
    nowhere,
    parked,
    resuming,  ///< in the queue of those to be resumed, whether it waits already or not
    posted     ///< on its way to its executor
  };

  void park(Handler);
  /// The caller's cancellation, on its executor, with the pool's lock held: to be resumed?
  virtual bool cancel(Deadline::time_point now, Actions&) noexcept = 0;

  // Guarded by the pool's lock.
  ListLink<ParkedCall> link_;
  Place place_ = Place::nowhere;
  bool is_woken_ = false;           ///< it was resumed before it waited
  std::optional<Handler> handler_;  ///< Boost 1.81: emplaced only, never assigned
  std::shared_ptr<ContextLink> context_;
  boost::asio::any_io_executor executor_;
};

/// What a lease holds.
struct LeaseToken {
  std::shared_ptr<ConnectionKeeper> keeper;
  Connection* connection = nullptr;
  Grant grant;
};

/// One acquire.
class AcquireCall final : public ParkedCall {
 public:
  AcquireCall(std::shared_ptr<PoolShell> shell, LeaseRequest const& request) noexcept
      : ParkedCall(std::move(shell)), waiter_(request) {
    waiter_.owner = this;
  }
  ~AcquireCall() {
    if (is_in_pool_) leave();
  }

  /// True when it has a lease, false when it must wait(). Throws Error.
  bool enter();
  /// The same after wait() has completed.
  bool accept();
  /// enter() for who does not want to wait: false when there is none to be had at once. Throws Error when there will be
  /// none later either.
  bool try_enter();
  LeaseToken take() noexcept { return std::move(token_); }

 private:
  friend class PoolShell;

  void leave() noexcept;
  bool cancel(Deadline::time_point now, Actions&) noexcept override;

  Waiter waiter_;
  bool is_in_pool_ = false;
  bool is_turned_away_ = false;  ///< the pool was closed at once
  LeaseToken token_;
};

/// One close(): waits until the drain is over, at most until its deadline.
class CloseCall final : public ParkedCall {
 public:
  CloseCall(std::shared_ptr<PoolShell> shell, Deadline deadline) noexcept
      : ParkedCall(std::move(shell)), deadline_(deadline) {}
  ~CloseCall() {
    if (is_in_pool_) leave();
  }

  enum class Outcome : std::uint8_t { must_wait, closed, deadline_passed };
  /// Before each wait(). Throws Error(cancelled).
  Outcome look();

 private:
  friend class PoolShell;

  void leave() noexcept;
  bool cancel(Deadline::time_point now, Actions&) noexcept override;

  Deadline deadline_;
  ListLink<CloseCall> closer_link_;
  bool is_in_pool_ = false;
};

}  // namespace belay::pool::detail
