#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "belay/pool/connector.hpp"
#include "belay/pool/detail/connection_keeper.hpp"
#include "belay/pool/detail/context_link.hpp"
#include "belay/pool/detail/parked_call.hpp"
#include "belay/pool/drain_result.hpp"
#include "belay/pool/pool_core.hpp"
#include "belay/pool/pool_environment.hpp"

namespace belay::pool::detail {

/// Performs what a PoolCore decides: the part of Pool<C> that is no template.
///
/// One mutex around the core. Under it only decisions are made: no I/O, no post, no callback, no resumption, and no
/// memory is allocated but for the sentence of a refusal (PoolCore::error_for) and for views. What was decided is
/// performed after unlocking, by the thread that made the input; each action is posted to the connection's executor.
///
/// Waiters are resumed strictly in the core's order: whoever finds somebody resuming leaves its own to that thread.
/// One timer stands at the core's next_timer(), on the pool's executor. It is set anew only when that becomes earlier:
/// one that fires for nothing costs less than moving it at every lending.
///
/// Thread-safe. Nothing here throws but what says so.
class PoolShell : public std::enable_shared_from_this<PoolShell> {
 public:
  using time_point = Deadline::time_point;
  using TypeCheck = bool (*)(Connection const&);
  using EventHandler = std::function<void(PoolEvent const&)>;

  /// Throws Error(request).
  static std::shared_ptr<PoolShell> make(PoolOptions const&, std::shared_ptr<Connector>, PoolEnvironment, TypeCheck);
  PoolShell(PoolOptions const&, std::shared_ptr<Connector>, PoolEnvironment, TypeCheck);
  ~PoolShell();

  // ── callers: see AcquireCall and LeaseBase ─────────────────────────────────────────────────────────────────────
  bool acquire(AcquireCall&);
  bool accept(AcquireCall&);
  bool try_acquire(AcquireCall&);
  void leave(AcquireCall&) noexcept;
  bool withdraw(AcquireCall&, time_point now, Actions&) noexcept;
  void release(LeaseToken&, Release) noexcept;
  bool holds(LeaseHandle) const noexcept;
  void statement_started(LeaseHandle, std::string_view digest) noexcept;
  void statement_ended(LeaseHandle) noexcept;

  void prepare(ParkedCall&, boost::asio::any_io_executor);
  void park(ParkedCall&, ParkedCall::Handler);
  void cancel(ParkedCall&) noexcept;

  // ── the operator ───────────────────────────────────────────────────────────────────────────────────────────────
  /// Any input of the core that asks for nothing but its actions. Throws what it throws.
  template <class Input>
  void input(Input make) {
    Turn turn;
    decide(turn, [&](time_point now) { make(core_, now, turn.actions); });
    perform(turn);
  }
  template <class View>
  auto view(View look) const {
    auto const read = read_clock();
    std::lock_guard const lock(mutex_);
    return look(core_, std::max(last_now_, read));
  }
  void resize(PoolSize);
  void on_event(EventHandler);

  static boost::asio::awaitable<DrainResult> close(std::shared_ptr<PoolShell>, Deadline, WaitersAtClose);
  CloseCall::Outcome look(CloseCall&);
  void leave(CloseCall&) noexcept;
  /// Takes everything from everybody.
  void close_hard() noexcept;

  // ── connections: see ConnectionKeeper ──────────────────────────────────────────────────────────────────────────
  Connector& connector() const noexcept { return *connector_; }
  bool is_right(Connection const& connection) const { return is_right_(connection); }
  void signed_in(SlotHandle) noexcept;
  void opened(ConnectionKeeper&) noexcept;
  void connect_failed(ConnectionKeeper&, ConnectFailure const&) noexcept;
  void tested(SlotHandle, std::optional<Signal> failure) noexcept;
  void cleaned(LeaseHandle, std::optional<Signal> failure) noexcept;
  void cancel_ended(LeaseHandle) noexcept;
  void lost(SlotHandle, Signal) noexcept;
  void closed(ConnectionKeeper&, SessionFate, std::optional<SendState> broken_operation) noexcept;
  /// There was no memory to start it.
  void not_started(SlotAction const&) noexcept;
  Error const& out_of_memory() const noexcept { return out_of_memory_; }

  /// From the thread that destroys the context.
  void context_gone(boost::asio::execution_context const&) noexcept;

 private:
  /// One input, and what is to be done after it.
  struct Turn {
    Actions actions;
    bool may_have_events = true;
    bool resumes = false;  ///< this thread resumes whoever is to be resumed
    bool arms = false;
    bool delivers = false;
    bool closes_overdue = false;
  };
  /// A place for a connection, as the core has it.
  struct Place {
    std::shared_ptr<ConnectionKeeper> keeper;
    SlotHandle closed;               ///< it was closed before it was opened
    bool has_overdue_close = false;  ///< there was no memory to close it
    SlotHandle broken;               ///< the connection broken_operation is about
    std::optional<SendState> broken_operation;
  };
  using Calls = IntrusiveList<ParkedCall, &ParkedCall::link_>;
  using Closers = IntrusiveList<CloseCall, &CloseCall::closer_link_>;

  template <class Decision>
  void decide(Turn& turn, Decision decision) {
    auto const read = read_clock();
    std::lock_guard const lock(mutex_);
    last_now_ = std::max(last_now_, read);
    decision(last_now_);
    settle(turn);
  }
  void settle(Turn&) noexcept;
  void perform(Turn&) noexcept;
  /// The core wants time never to go back; threads read the clock before they have the lock.
  time_point read_clock() const noexcept {
    return is_abandoned_.load(std::memory_order_relaxed) ? time_point::min() : clock_->now();
  }
  bool conclude(AcquireCall&, Acquired const&, std::optional<Error>& failure, time_point now) noexcept;
  Error failure_of(AcquireCall const&, time_point now) noexcept;

  // Waiters.
  void adopt_resumptions(Actions&) noexcept;
  void resume_later(ParkedCall&) noexcept;
  void forget(ParkedCall&) noexcept;
  void resume_callers() noexcept;
  void resume(ParkedCall&);
  std::shared_ptr<ContextLink> find_link(boost::asio::execution_context const&) const noexcept;

  // Actions.
  void hand_over(SlotAction const&) noexcept;
  void open(SlotAction const&) noexcept;
  std::shared_ptr<ConnectionKeeper> keeper_of(SlotHandle) const noexcept;
  void closed_unopened(SlotHandle) noexcept;
  void pass_on(std::shared_ptr<ConnectionKeeper> const&, SlotAction const&);
  void hand_over_overdue() noexcept;

  // Time and events, on the pool's executor.
  time_point next_wake() const noexcept;
  void arm() noexcept;
  void wake() noexcept;
  void deliver_events();
  void note_revoked(PoolEvent const&);
  bool must_deliver() const noexcept;
  void turn_away_waiters(time_point now, Actions&) noexcept;
  void destroy_parked(boost::asio::execution_context const&) noexcept;
  void abandon(boost::asio::execution_context const&, bool is_timer_gone) noexcept;
  DrainResult drain_result() const;
  void listen_to_gate();

  std::shared_ptr<Connector> const connector_;
  TypeCheck const is_right_;
  Error const out_of_memory_;
  boost::asio::any_io_executor const executor_;
  std::vector<boost::asio::any_io_executor> const connection_executors_;
  std::shared_ptr<resilience::ConnectGate> gate_;
  std::function<PoolEnvironment::Registration(PoolEnvironment::Listener)> on_permission_changed_;
  std::shared_ptr<net::TimeService> time_;
  Clock const* const clock_;
  std::shared_ptr<ContextLink> context_;
  std::atomic<bool> is_abandoned_{false};  ///< a context of its own is gone
  std::atomic<bool> is_permission_news_posted_{false};

  mutable std::mutex mutex_;
  // Guarded by it:
  PoolCore core_;
  time_point last_now_;
  std::deque<Place> places_;
  Calls parked_;
  Calls to_resume_;
  Calls posted_;
  bool is_resuming_ = false;  ///< some thread is at it
  Closers closers_;
  std::vector<std::shared_ptr<ContextLink>> links_;  ///< to contexts the pool or its callers live in
  time_point armed_at_ = time_point::max();
  bool is_arm_posted_ = false;
  bool is_delivery_posted_ = false;
  time_point close_began_at_ = time_point::max();
  bool is_drained_ = false;  ///< closed, and all events told
  bool has_overdue_closes_ = false;
  std::shared_ptr<EventHandler const> event_handler_;
  PoolEnvironment::Registration registration_;

  // On the pool's executor only:
  std::shared_ptr<boost::asio::cancellation_signal> wait_;

  mutable std::mutex drain_mutex_;
  std::vector<DrainResult::Abandoned> revoked_;  ///< guarded by it
};

}  // namespace belay::pool::detail
