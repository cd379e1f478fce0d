#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/core/random.hpp"
#include "belay/pool/actions.hpp"
#include "belay/pool/cancel_budget.hpp"
#include "belay/pool/deadline_heap.hpp"
#include "belay/pool/diagnosis.hpp"
#include "belay/pool/expiry_schedule.hpp"
#include "belay/pool/hold_time.hpp"
#include "belay/pool/intrusive_list.hpp"
#include "belay/pool/pool_event.hpp"
#include "belay/pool/pool_options.hpp"
#include "belay/pool/slot.hpp"
#include "belay/pool/snapshot.hpp"
#include "belay/pool/waiter_queue.hpp"
#include "belay/resilience/connect_gate.hpp"

namespace belay::pool {

/// How acquire() or accept() came out.
struct Acquired {
  enum class Outcome : std::uint8_t {
    granted,  ///< `grant` is the caller's, to be given back by release()
    waiting,  ///< the caller's Waiter will come in some Actions::resume; then accept()
    failed    ///< Waiter::refusal() says why, PoolCore::error_for() in words
  };
  Outcome outcome = Outcome::failed;
  Grant grant;
};

/// What the borrower's connection is like when it comes back: told by the protocol, not by the borrower.
enum class ReleaseCondition : std::uint8_t {
  clean,             ///< between two requests, no transaction, the session as it was
  session_changed,   ///< between two requests, no transaction
  transaction_open,  ///< between two requests, a transaction is open or failed
  mid_query,         ///< an answer, or a part of it, is still to come
  broken             ///< it cannot be used any more
};

/// What a failure says about other connections than its own. Looked up by the shell in the table of outcomes.
enum class Signal : std::uint8_t {
  nothing,
  taint,       ///< this connection must not be lent again
  transport,   ///< it is gone; two within a second make all suspect
  tls,         ///< it is gone, and all others are suspect
  role,        ///< all connections lead to the wrong node
  credentials  ///< all connections were opened with credentials that are no longer valid
};

struct Release {
  ReleaseCondition condition = ReleaseCondition::clean;
  Signal signal = Signal::nothing;
};

/// What may be left of a connection on the server when it is closed here.
enum class SessionFate : std::uint8_t {
  gone,    ///< the server ended it, or took our good-bye
  unknown  ///< it may still run a query
};

struct ConnectFailure {
  Error error;
  bool permanent = false;  ///< cannot succeed with these credentials, this name, this address
  bool tls = false;        ///< the TLS layer failed: all connections become suspect
  SessionFate fate = SessionFate::gone;
};

enum class Invalidation : std::uint8_t {
  soft,  ///< connections that are lent close when they come back
  hard   ///< what their borrowers run is cancelled as well
};

/// Those that wait when the pool is closed.
enum class WaitersAtClose : std::uint8_t { fail, serve };

struct PoolSize {
  std::uint32_t min_idle;
  std::uint32_t max_size;
  std::uint32_t max_overflow;
};

/// Decides who gets which connection, and when connections are opened, tested, cleaned and closed.
///
/// Callers are served strictly first come first served, by direct handoff; every place but an empty one counts against
/// the limit, since the server may still see it; what failed together is suspected together (generations); while the
/// endpoint fails one attempt at a time is made and nobody queues in vain; a shutdown is over by its deadline.
///
/// Pure state: no I/O, no clock, no lock, no thread, no log. Inputs take `now` and an Actions that says what is to be
/// done. `now` must not go back. Not thread-safe: one short lock around each call, nothing performed under it. It
/// allocates in the constructor, in resize() to more, in diagnose() and error_for(), and nowhere else.
///
/// Reports about a stale handle are ignored, so that late ones are harmless. After `connect` a slot is the shell's to
/// report on until closed() or connect_failed(); after an action close_* only closed() counts.
class PoolCore {
 public:
  using time_point = Deadline::time_point;
  using duration = std::chrono::nanoseconds;

  /// The gate must outlive the pool. Throws Error(request) for options that make no sense.
  PoolCore(PoolOptions const&, resilience::ConnectGate&, Random, time_point now);
  ~PoolCore();
  PoolCore(PoolCore const&) = delete;
  PoolCore& operator=(PoolCore const&) = delete;

  // ── callers ────────────────────────────────────────────────────────────────────────────────────────────────────
  /// At once when nobody waits and an idle connection is trusted; otherwise in turn, or refused.
  Acquired acquire(Waiter&, time_point now, Actions&);
  /// By a resumed waiter, exactly once per resumption: takes what it was offered. It may have to go on waiting (the
  /// connection was lost in between). One that has withdrawn gets `failed` and is free to go.
  Acquired accept(Waiter&, time_point now, Actions&);
  /// The caller gives up; what it was offered goes to the next. Harmless in any state. A waiter that is_resuming()
  /// afterwards must stay until it was resumed and has called accept().
  void withdraw(Waiter&, time_point now, Actions&);
  /// Ends a lease. Returns false, and does nothing, for a lease that is over: returned before, or revoked.
  bool release(LeaseHandle, Release, time_point now, Actions&) noexcept;
  /// Whether the lease is still its holder's: not returned, not revoked because its connection is gone.
  bool holds(LeaseHandle) const noexcept;
  /// What the lease is busy with, for the diagnosis. The digest must outlive the statement and the lease.
  void statement_started(LeaseHandle, std::string_view digest, time_point now) noexcept;
  void statement_ended(LeaseHandle, time_point now) noexcept;

  // ── reports about connections ──────────────────────────────────────────────────────────────────────────────────
  void connected(SlotHandle, time_point now, Actions&);    ///< authenticated; the session's set-up begins
  void initialised(SlotHandle, time_point now, Actions&);  ///< ready for a borrower
  /// Nothing is left of it here.
  void connect_failed(SlotHandle, ConnectFailure const&, time_point now, Actions&);
  void test_passed(SlotHandle, time_point now, Actions&);
  void test_failed(SlotHandle, Signal, time_point now, Actions&);
  /// A reset, a rollback or a cancelled query came to a clean boundary.
  void cleaned(LeaseHandle, time_point now, Actions&);
  void clean_up_failed(LeaseHandle, Signal, time_point now, Actions&);
  /// The separate socket of a cancel request is closed.
  void cancel_ended(LeaseHandle, time_point now, Actions&);
  /// It broke: noticed by the read that is armed while it is idle, or at any other time. Its leases are revoked.
  void lost(SlotHandle, Signal, time_point now, Actions&);
  /// The answer to close_polite and close_force.
  void closed(SlotHandle, SessionFate, time_point now, Actions&);
  /// A zombie's session was seen to be gone from the server.
  void session_gone(SlotHandle, time_point now, Actions&);

  // ── the environment ────────────────────────────────────────────────────────────────────────────────────────────
  /// Opens min_idle connections.
  void start(time_point now, Actions&);
  /// Does what has become due. Call it at next_timer(), and when Actions::more asked for it.
  void advance(time_point now, Actions&);
  /// When advance() must be called at the latest; time_point::max(): not before another input.
  time_point next_timer() const noexcept;
  /// The gate's answer may have changed: another pool's attempt ended.
  void permission_changed(time_point now, Actions&);
  /// Makes all connections so far suspect: none of them is lent again.
  void invalidate_all(GenerationReason, Invalidation, time_point now, Actions&);
  void set_refill(Refill, time_point now, Actions&);
  void set_endpoint_health(EndpointHealth) noexcept;
  /// The machine was suspended: idle connections must answer before they are lent.
  void suspect_idle(time_point now, Actions&);
  /// While paused nobody gets a lease; callers queue.
  void pause(time_point now, Actions&);
  void resume(time_point now, Actions&);
  /// New limits; connections above them close as they become idle. Throws Error(request); then nothing has changed.
  void resize(PoolSize, time_point now, Actions&);

  // ── shutdown ───────────────────────────────────────────────────────────────────────────────────────────────────
  /// Drains within close_timeout T: (1) new callers are refused, waiters failed or served; (2) until 3/4 T leases are
  /// awaited; (3) until 7/8 T what they run is cancelled and cleaned up; (4) then all is closed by force. Idempotent.
  void close(WaitersAtClose, time_point now, Actions&);
  /// Whether the drain is over: nothing is left to report on.
  bool is_closed() const noexcept { return phase_ == Phase::closed; }
  /// How it went. Operations' send states are known to their connections.
  struct Drain {
    std::uint64_t waiters_failed = 0;
    std::uint64_t leases_revoked = 0;         ///< each was also an event with label and call site
    std::uint64_t connections_forced = 0;     ///< closed without a good-bye
    std::uint64_t connections_abandoned = 0;  ///< whose closing was not confirmed in time
  };
  Drain const& drain() const noexcept { return drain_; }

  // ── views ──────────────────────────────────────────────────────────────────────────────────────────────────────
  PoolOptions const& options() const noexcept { return options_; }
  std::uint64_t generation() const noexcept { return generation_; }
  Refill refill() const noexcept { return refill_; }
  Snapshot snapshot(time_point now) const noexcept;
  Diagnosis diagnose(time_point now) const;
  /// What a failed waiter's caller is told; call it before anything else happens, it describes the pool as it is.
  Error error_for(Waiter const&, time_point now) const;
  /// The oldest event nobody has fetched.
  std::optional<PoolEvent> next_event() noexcept { return events_.pop(); }

  /// The record of a place, for checkers; null beyond the last one.
  Slot const* slot(std::uint32_t index) const noexcept { return index < slots_.size() ? &slots_[index] : nullptr; }
  WaiterQueue const& waiters() const noexcept { return queue_; }

 private:
  enum class Phase : std::uint8_t { open, serving, awaiting_leases, cancelling, forcing, closed };
  using SlotList = IntrusiveList<Slot, &Slot::link>;
  using StreamList = IntrusiveList<Stream, &Stream::link>;

  struct FailedConnect {
    std::optional<Error> error;
    time_point at{};
  };

  // Lending.
  Acquired acquire_slowly(Waiter&, time_point now, Actions&);
  Refusal admit(Waiter const&, time_point now) const noexcept;
  Acquired finish(Waiter&, time_point now, Actions&);
  Slot* pick(std::size_t load) const noexcept;
  Slot* trusted_slot(LeaseKind, time_point now) noexcept;
  Slot* untrusted_slot(LeaseKind) const noexcept;
  Stream& reserve(Slot&, LeaseKind) noexcept;
  Grant lend(Stream&, LeaseRequest const&, time_point now) noexcept;
  void offer(Waiter&, Slot&) noexcept;
  Slot& take_offer_back(Waiter&, time_point now) noexcept;
  void void_offer(Stream&) noexcept;
  void refuse(Waiter&, Refusal, Verdict, time_point now) noexcept;
  void refuse_all(Refusal, std::optional<Error> const& cause, time_point now) noexcept;
  void resume_later(Waiter&) noexcept;
  duration predicted_wait(std::size_t ahead, time_point now) const noexcept;
  duration wait_worth_it(duration remaining) const noexcept;
  duration least_useful_budget() const noexcept;
  void dispatch(time_point now) noexcept;
  void serve_waiters(time_point now) noexcept;
  void start_tests(time_point now) noexcept;
  void flush(Actions&) noexcept;

  // Returning.
  Stream const* find_stream(LeaseHandle) const noexcept;
  Stream* find_leased(LeaseHandle) noexcept;
  Stream* find_cleaning(LeaseHandle) noexcept;
  void end_lease(Stream&, time_point now) noexcept;
  void give_back(Stream&, Release, time_point now) noexcept;
  void revoke(Stream&, CloseReason, time_point now) noexcept;
  void clean_up(Stream&, PendingWork, time_point now) noexcept;
  void end_clean_up(Stream&, bool kept, time_point now) noexcept;
  bool may_cancel(Stream&, time_point now) noexcept;
  void return_cancel_ticket(Stream&, time_point now) noexcept;
  void free_stream(Stream&) noexcept;
  StreamList& list_of(Stream const&) noexcept;

  // Connections.
  Slot* find(SlotHandle) noexcept;
  bool is_lendable(Slot const&, time_point now) const noexcept;
  CloseReason reason_to_close(Slot const&, time_point now) const noexcept;
  void settle(Slot&, time_point now) noexcept;
  void touch(Slot&, time_point now) noexcept;
  void prove(Slot&, time_point now) noexcept;
  void set_state(Slot&, SlotState) noexcept;
  void update_state(Slot&) noexcept;
  void make_available(Slot&) noexcept;
  void make_unavailable(Slot&) noexcept;
  void want(Slot&, PendingWork) noexcept;
  void want_nothing(Slot&) noexcept;
  void want(Stream&, PendingWork) noexcept;
  void want_nothing(Stream&) noexcept;
  SlotAction action_for(Slot const&) const noexcept;
  SlotAction action_for(Stream const&) const noexcept;
  void start_test(Slot&, bool for_waiter, bool round_trip, time_point deadline) noexcept;
  void end_test(Slot&) noexcept;
  void fail_test(Slot&, Signal, time_point now) noexcept;
  bool needs_round_trip(Slot const&, time_point now) const noexcept;
  void create(time_point now) noexcept;
  bool wants_connection(time_point now) const noexcept;
  bool is_worth_another(time_point now) const noexcept;
  std::size_t wanted_for_waiters() const noexcept;
  std::size_t wanted_for_idle() const noexcept;
  std::size_t wanted_as_probe() const noexcept;
  void drop_unneeded_connects(time_point now) noexcept;
  void start_connect(resilience::ConnectTicket, time_point now) noexcept;
  void note_failed_connect(Slot&, Error const&, bool permanent, time_point now) noexcept;
  void close_idle(Slot&, CloseReason, time_point now) noexcept;
  void drop(Slot&, CloseReason, time_point now) noexcept;
  void begin_close(Slot&, bool by_force, CloseReason, time_point now) noexcept;
  void become_zombie(Slot&, time_point now) noexcept;
  void become_empty(Slot&) noexcept;
  void plan_expiry(Slot&, time_point now, time_point wish) noexcept;
  void plan_expiries_anew(time_point now);
  void add_places();

  // Generations and the endpoint.
  void heed(Signal, std::uint64_t generation, time_point now) noexcept;
  void bump(GenerationReason, Invalidation, time_point now) noexcept;
  time_point down_at() const noexcept;
  bool is_down(time_point now) const noexcept { return now >= down_at(); }
  void check_down(time_point now) noexcept;

  // Time.
  void expire_waiters(time_point now) noexcept;
  void expire_clean_ups(time_point now) noexcept;
  void slot_due(Slot&, time_point now) noexcept;
  time_point due(Slot const&) const noexcept;
  time_point trim_at() const noexcept;
  void trim_idle(time_point now) noexcept;
  void close_surplus(time_point now) noexcept;
  void watch_leases(time_point now, Actions&) noexcept;
  bool warn(Stream&, time_point now, Actions&) noexcept;
  void reclaim(Stream&, time_point now) noexcept;

  // Shutdown.
  void advance_shutdown(time_point now) noexcept;
  void enter(Phase, time_point until, time_point now) noexcept;
  void await_leases(time_point now) noexcept;
  void cancel_leases(time_point now) noexcept;
  void force_all(time_point now) noexcept;
  void finish_shutdown(time_point now) noexcept;

  // Views.
  std::uint32_t in(SlotState state) const noexcept { return counts_[static_cast<std::size_t>(state)]; }
  std::uint32_t live() const noexcept;
  std::uint32_t opening() const noexcept { return in(SlotState::connecting) + in(SlotState::initialising); }
  std::uint32_t in_service() const noexcept { return taken_ - in(SlotState::closing)-in(SlotState::zombie); }
  std::size_t spare_streams() const noexcept {
    return available_streams_ + std::size_t{in(SlotState::testing)} * width_;
  }
  Verdict judge(time_point now, Waiter const* refused) const noexcept;
  bool every_holder_waits(Waiter const* refused) const noexcept;
  bool is_waiting(std::uint64_t task, Waiter const* refused) const noexcept;
  bool has_leak(time_point now) const noexcept;
  bool are_statements_slow(time_point now) const noexcept;
  void note(PoolEvent::Kind, Stream const&, time_point now, duration, CloseReason = CloseReason::none,
            std::uint64_t number = 0) noexcept;
  template <class Visit>
  void for_each_lease(Visit visit) const;

  PoolOptions options_;
  std::uint32_t width_;  ///< streams per connection
  resilience::ConnectGate& gate_;
  Random random_;

  // What a lending in the common case touches comes first.
  Phase phase_ = Phase::open;
  bool paused_ = false;
  duration trust_;                 ///< how long a connection may be lent without a look, after it was proven to work
  std::uint64_t free_loads_ = 0;   ///< one bit for each non-empty list of free_
  std::array<SlotList, 64> free_;  ///< connections with free streams, by load; the most recently used first
  WaiterQueue queue_;
  std::uint64_t generation_ = 1;
  std::uint32_t taken_ = 0;  ///< places that are not empty
  std::array<std::uint32_t, slot_states> counts_{};
  std::size_t available_streams_ = 0;  ///< of the connections in free_
  StreamList leases_;                  ///< brief ones nobody was warned about, the oldest first
  std::size_t lease_count_ = 0;
  std::uint64_t leases_given_ = 0;
  std::uint64_t leases_returned_ = 0;
  std::uint64_t granted_at_once_ = 0;
  HoldTime hold_;
  DeadlineHeap<Slot> timers_;  ///< no later than due(); looked at again when it comes
  std::deque<Slot> slots_;     ///< never shrinks; elements stay where they are

  SlotList empty_;
  IntrusiveList<Slot, &Slot::work_link> slot_work_;
  IntrusiveList<Stream, &Stream::work_link> stream_work_;
  StreamList overdue_;   ///< leases that were warned about
  StreamList lasting_;   ///< leases that are not watched
  StreamList cleaning_;  ///< by deadline
  Waiter* resuming_ = nullptr;
  Waiter* last_resuming_ = nullptr;
  std::uint64_t tickets_ = 0;
  std::uint32_t keepalives_ = 0;
  std::uint32_t resetting_streams_ = 0;
  std::optional<ExpirySchedule> expiry_;
  CancelBudget cancels_;
  HoldTime connect_time_;
  time_point ask_gate_at_ = time_point::max();
  time_point next_look_at_overdue_ = time_point::max();

  Refill refill_ = Refill::normal;
  time_point refill_stopped_at_ = time_point::max();
  EndpointHealth health_ = EndpointHealth::up;
  std::optional<time_point> last_transport_failure_;  ///< of this generation
  time_point no_live_since_;
  bool is_down_announced_ = false;
  Error connect_timed_out_;
  std::array<FailedConnect, 3> failed_connects_;  ///< the newest first
  bool last_connect_failed_ = false;

  time_point phase_until_ = time_point::max();
  time_point close_until_ = time_point::max();
  Drain drain_;

  EventRing events_;
  std::uint64_t leases_destroyed_ = 0;
  std::uint64_t withdrawn_ = 0;
  std::array<std::uint64_t, refusals> refused_{};
  std::uint64_t connects_started_ = 0;
  std::uint64_t connects_succeeded_ = 0;
  std::uint64_t connects_failed_ = 0;
  std::uint64_t tests_failed_ = 0;
  std::array<std::uint64_t, close_reasons> closed_{};
  std::uint64_t leak_warnings_ = 0;
  std::uint64_t generations_bumped_ = 0;
};

}  // namespace belay::pool
