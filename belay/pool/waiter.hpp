#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <boost/describe/enum.hpp>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"
#include "belay/pool/call_site.hpp"
#include "belay/pool/deadline_heap.hpp"
#include "belay/pool/intrusive_list.hpp"

namespace belay::pool {

struct Stream;

/// What a lease takes of a connection. The same thing where a connection has one stream.
enum class LeaseKind : std::uint8_t {
  shared,    ///< one stream, nothing of the session: a query that says its namespace, database and token itself
  pinned,    ///< one stream and what belongs to it on the server: a transaction, a live query, session variables
  exclusive  ///< all streams: the connection is idle when it is given and carries nothing else meanwhile
};
BOOST_DESCRIBE_ENUM(LeaseKind, shared, pinned, exclusive)

/// Who is served first when several wait: `health` before all, the others by weight (8 : 3 : 1), first come first
/// served within each.
enum class Lane : std::uint8_t { health, interactive, batch, background };
inline constexpr std::size_t lanes = 4;

/// How long a lease is meant to be held.
enum class LeaseTerm : std::uint8_t {
  brief,   ///< a statement or a transaction: its hold time counts, holding it too long is a leak
  lasting  ///< a live query, LISTEN, a session of its own: neither measured nor warned about
};

/// Why an acquire failed.
enum class Refusal : std::uint8_t {
  none,
  closed,            ///< the pool is closed or closing
  deadline_passed,   ///< on entry: nothing was done
  queue_full,        ///< max_waiters wait already
  predicted_wait,    ///< the deadline would most likely pass in the queue
  timed_out,         ///< the deadline passed in the queue
  budget_too_small,  ///< its turn came, but too late to be of use
  endpoint_down,     ///< no connection for longer than down_after
  connect_failed     ///< connecting cannot succeed: wrong password, unknown database, wrong certificate name
};
BOOST_DESCRIBE_ENUM(Refusal, none, closed, deadline_passed, queue_full, predicted_wait, timed_out, budget_too_small,
                    endpoint_down, connect_failed)
inline constexpr std::size_t refusals = 9;

/// The most likely reason why nobody gets a connection.
enum class Verdict : std::uint8_t {
  none,                       ///< not asked, or nothing is wrong
  leak_suspected,             ///< a lease does nothing for more than 10 x p99 of the hold times
  slow_queries,               ///< statements run much longer than usual
  endpoint_down,              ///< no connection is alive and connecting fails
  connect_refused_by_server,  ///< some are alive, more are refused: too many clients, overload, credentials
  undersized,                 ///< nearly all places are lent, for normal times
  deadlock_suspected,         ///< every holder also waits for a second lease
  connecting,                 ///< connections are being opened and nothing has failed
  cleaning_up,                ///< places are kept by cancelled queries and closed sessions the server may still run
  paused                      ///< an operator holds the pool
};
BOOST_DESCRIBE_ENUM(Verdict, none, leak_suspected, slow_queries, endpoint_down, connect_refused_by_server, undersized,
                    deadlock_suspected, connecting, cleaning_up, paused)

/// What a caller wants.
struct LeaseRequest {
  Deadline deadline = Deadline::never();  ///< the pool's acquire_timeout applies as well
  LeaseKind kind = LeaseKind::shared;
  Lane lane = Lane::interactive;
  LeaseTerm term = LeaseTerm::brief;
  std::uint64_t task = 0;  ///< the ambient task that asks, by which nested acquires are found; 0: not known
  std::string_view label;  ///< for messages; must outlive the lease (a literal)
  CallSite where = CallSite::current();
};

enum class WaiterState : std::uint8_t {
  fresh,      ///< not given to the pool yet
  queued,     ///< waits for its turn
  offered,    ///< a stream is reserved for it and still the pool's; it has to accept
  accepted,   ///< it has, or had, a lease
  withdrawn,  ///< it gave up
  failed      ///< refused: see refusal()
};

/// A caller's place in the queue: a node that lives in the caller's coroutine frame, one per acquire.
///
/// It must stay where it is and outlive its place in the queue: until acquire() granted or refused, accept() said
/// granted or failed, or withdraw() returned; and while is_resuming(), until the resumption has called accept(), even
/// after a withdrawal, since some thread is on its way to resume it.
/// Guarded by whatever guards the pool, like all of its state.
class Waiter {
 public:
  explicit Waiter(LeaseRequest const& what) noexcept : request(what) {}
  Waiter(Waiter const&) = delete;
  Waiter& operator=(Waiter const&) = delete;

  WaiterState state() const noexcept { return state_; }
  Refusal refusal() const noexcept { return refusal_; }
  /// As it was when the pool refused; none when it was granted or withdrawn.
  Verdict verdict() const noexcept { return verdict_; }
  /// The failure behind the refusal: of the last attempt to connect.
  std::optional<Error> const& cause() const noexcept { return cause_; }
  /// It is in, or on its way through, a list of waiters to resume.
  bool is_resuming() const noexcept { return resuming_; }
  Deadline::time_point enqueued_at() const noexcept { return enqueued_at_; }
  /// The next of Actions::resume.
  Waiter* next_to_resume() const noexcept { return next_to_resume_; }

  LeaseRequest const request;
  void* owner = nullptr;  ///< whatever the shell needs to resume it
  std::uint32_t heap_position = not_in_heap;

 private:
  friend class WaiterQueue;
  friend class PoolCore;

  ListLink<Waiter> link_;
  Waiter* next_to_resume_ = nullptr;
  Stream* stream_ = nullptr;  ///< while offered
  Deadline deadline_ = Deadline::never();
  Deadline::time_point enqueued_at_{};
  std::uint64_t ticket_ = 0;  ///< the order of arrival
  std::uint32_t failed_tests_ = 0;
  WaiterState state_ = WaiterState::fresh;
  Refusal refusal_ = Refusal::none;
  Verdict verdict_ = Verdict::none;
  bool resuming_ = false;
  std::optional<Error> cause_;
};

}  // namespace belay::pool
