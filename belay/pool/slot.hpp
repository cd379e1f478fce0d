#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include <boost/describe/enum.hpp>

#include "belay/core/deadline.hpp"
#include "belay/pool/call_site.hpp"
#include "belay/pool/deadline_heap.hpp"
#include "belay/pool/expiry_schedule.hpp"
#include "belay/pool/intrusive_list.hpp"
#include "belay/pool/waiter.hpp"
#include "belay/resilience/connect_gate.hpp"

namespace belay::pool {

/// What a connection's place is doing. Everything except `empty` counts against the hard limit.
///
///     empty ─> connecting ─> initialising ─> idle <─> testing
///                                            idle <─> leased ─> resetting | quarantined ─> idle
///     any of them ─> closing ─> zombie ─> empty
///
/// A connection with several streams is `leased` while any is lent, else what most of its last streams are:
/// `resetting`, `quarantined`, `idle`; and `testing` while it is tested, whatever its streams do.
enum class SlotState : std::uint8_t {
  empty,
  connecting,    ///< transport, TLS, authentication
  initialising,  ///< the session's set-up
  idle,
  testing,
  leased,
  resetting,    ///< session state or a transaction is undone
  quarantined,  ///< a cancelled query's end is awaited
  closing,
  zombie  ///< closed by force: the server may still work for it
};
BOOST_DESCRIBE_ENUM(SlotState, empty, connecting, initialising, idle, testing, leased, resetting, quarantined, closing,
                    zombie)
inline constexpr std::size_t slot_states = 10;

/// Why a connection was closed.
enum class CloseReason : std::uint8_t {
  none,
  expired,             ///< max_lifetime
  idle_timeout,        ///< surplus above min_idle
  overflow,            ///< above max_size
  resized,             ///< above a limit that was lowered
  invalidated,         ///< of an older generation
  tainted,             ///< its borrower said not to use it again
  broken,              ///< it broke while lent
  lost,                ///< it broke while idle
  test_failed,         ///< no answer to a liveness test
  clean_up_failed,     ///< reset, rollback or cancel did not reach a clean boundary in time
  connect_failed,      ///< it never was
  connect_not_needed,  ///< the demand was gone before it was ready
  leak_reclaimed,
  shutdown
};
BOOST_DESCRIBE_ENUM(CloseReason, none, expired, idle_timeout, overflow, resized, invalidated, tainted, broken, lost,
                    test_failed, clean_up_failed, connect_failed, connect_not_needed, leak_reclaimed, shutdown)
inline constexpr std::size_t close_reasons = 15;

/// A connection. Of a place that has meanwhile been given to another connection it is stale, which the pool notices.
struct SlotHandle {
  std::uint32_t index = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t version = 0;
  friend bool operator==(SlotHandle, SlotHandle) = default;
};

/// One lending of one stream of a connection; stale once it is over.
struct LeaseHandle {
  std::uint32_t index = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t version = 0;
  friend bool operator==(LeaseHandle, LeaseHandle) = default;
};

/// What is to be performed on a connection or stream, once per stay in a state.
enum class PendingWork : std::uint8_t {
  nothing,
  connect,
  look,        ///< free liveness check
  round_trip,  ///< liveness check by a round trip
  reset,
  rollback,
  quarantine,
  cancel,
  close_polite,
  close_force
};

/// LeaseHandle::index of a connection's stream: 64 of them per place.
constexpr std::uint32_t lease_index(std::uint32_t slot, std::uint32_t ordinal) noexcept { return slot << 6U | ordinal; }
constexpr std::uint32_t slot_of_lease(std::uint32_t index) noexcept { return index >> 6U; }
constexpr std::uint32_t ordinal_of_lease(std::uint32_t index) noexcept { return index & 63U; }

struct Slot;

/// One place for a lease on a connection. The pool's own record.
struct Stream {
  enum class State : std::uint8_t {
    free,
    offered,  ///< reserved for a waiter, the pool's still
    leased,
    returning,  ///< its lease is over and its fate is being decided, within one input
    resetting,  ///< after its lease, like the next
    quarantined
  };

  Slot* slot = nullptr;
  std::uint32_t index = 0;
  std::uint32_t version = 0;
  State state = State::free;
  std::uint8_t ordinal = 0;  ///< within its connection
  LeaseKind kind = LeaseKind::shared;
  LeaseTerm term = LeaseTerm::brief;
  bool in_statement = false;
  bool is_overdue = false;  ///< in the list of leases that were warned about
  PendingWork pending = PendingWork::nothing;
  bool may_cancel = false;   ///< of `quarantine`
  bool reset_first = false;  ///< the next borrower resets the session
  ListLink<Stream> link;     ///< leases by age, or clean-ups by deadline
  ListLink<Stream> work_link;
  Waiter* waiter = nullptr;             ///< while offered
  Deadline::time_point since{};         ///< start of the lease, deadline of the clean-up
  Deadline::time_point active_at{};     ///< start or end of the last statement
  Deadline::time_point next_warning{};  ///< while overdue
  std::uint64_t task = 0;
  std::string_view label;
  std::string_view statement;
  CallSite where;
  std::optional<resilience::ConnectTicket> cancel_ticket;

  LeaseHandle handle() const noexcept { return {index, version}; }
};

/// One place for a connection. The pool's own record.
struct Slot {
  std::uint32_t index = 0;
  std::uint32_t version = 0;
  SlotState state = SlotState::empty;
  std::uint8_t load = 0;           ///< streams that are not free
  std::uint8_t lent = 0;           ///< of them: offered or leased
  std::uint8_t quarantined = 0;    ///< of them
  std::uint64_t free_streams = 0;  ///< one bit each
  bool is_available = false;       ///< in a list of connections with free streams
  bool is_suspect = false;         ///< must answer a round trip before it is lent
  bool is_test_for_waiter = false;
  bool is_forced = false;                      ///< of `closing`
  CloseReason retirement = CloseReason::none;  ///< it is to close as soon as nothing uses it
  PendingWork pending = PendingWork::nothing;
  CloseReason close_reason = CloseReason::none;
  ListLink<Slot> link;  ///< free connections by load, or empty places
  ListLink<Slot> work_link;
  Deadline::time_point trusted_until{};  ///< may be lent without a look
  Deadline::time_point expires_at = Deadline::time_point::max();
  std::uint64_t generation = 0;
  std::uint32_t heap_position = not_in_heap;
  ExpirySchedule::Ticket expiry_ticket = ExpirySchedule::no_ticket;
  Deadline::time_point proven_at{};   ///< last use or successful test
  Deadline::time_point idle_since{};  ///< last use
  Deadline::time_point keepalive_at = Deadline::time_point::max();
  Deadline::duration keepalive_interval{};  ///< with its jitter
  Deadline::time_point opened_at{};         ///< start of the connect, then when it became ready
  Deadline::time_point work_until{};        ///< deadline of what is pending or under way
  std::optional<resilience::ConnectTicket> ticket;
  std::unique_ptr<Stream[]> streams;

  SlotHandle handle() const noexcept { return {index, version}; }
  bool is_live() const noexcept { return state >= SlotState::idle && state <= SlotState::quarantined; }
};

/// What tells one lending from the next.
struct Grant {
  LeaseHandle lease;
  SlotHandle slot;
  std::uint32_t stream = 0;      ///< ordinal within the connection
  std::uint64_t generation = 0;  ///< of the connection
  bool reset_first = false;      ///< the session must be reset before, or with, the first request
};

}  // namespace belay::pool
