#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <boost/describe/enum.hpp>

#include "belay/core/deadline.hpp"
#include "belay/pool/slot.hpp"
#include "belay/pool/waiter.hpp"

namespace belay::pool {

/// What may be opened.
enum class Refill : std::uint8_t {
  normal,         ///< for waiters, and up to min_idle
  min_idle_only,  ///< the breaker is open: up to min_idle, none for waiters
  none            ///< the endpoint is down: nothing
};
BOOST_DESCRIBE_ENUM(Refill, normal, min_idle_only, none)

enum class EndpointHealth : std::uint8_t { up, degraded, down };
BOOST_DESCRIBE_ENUM(EndpointHealth, up, degraded, down)

/// The pool at one moment, for reports and metrics. A plain copy.
struct Snapshot {
  std::array<std::uint32_t, slot_states> slots{};  ///< by SlotState
  std::uint32_t max_size = 0;
  std::uint32_t hard_limit = 0;
  std::uint32_t streams_per_connection = 1;
  std::uint32_t min_idle = 0;
  std::uint64_t generation = 0;

  std::size_t waiting = 0;
  std::size_t waiters_limit = 0;
  std::chrono::nanoseconds oldest_wait{};
  std::size_t leases = 0;  ///< outstanding

  std::uint64_t leases_given = 0;      ///< since the start; = returned + destroyed + outstanding
  std::uint64_t leases_returned = 0;   ///< back to a connection that was kept, or is being cleaned
  std::uint64_t leases_destroyed = 0;  ///< with their connection, or taken away
  std::uint64_t granted_at_once = 0;
  std::uint64_t withdrawn = 0;
  std::array<std::uint64_t, refusals> refused{};  ///< by Refusal
  std::uint64_t connects_started = 0;
  std::uint64_t connects_succeeded = 0;
  std::uint64_t connects_failed = 0;
  std::uint64_t tests_failed = 0;
  std::array<std::uint64_t, close_reasons> closed{};  ///< by CloseReason
  std::uint64_t leak_warnings = 0;
  std::uint64_t generations_bumped = 0;
  std::uint64_t events_dropped = 0;

  std::chrono::nanoseconds hold_mean{};
  std::chrono::nanoseconds hold_p50{};
  std::chrono::nanoseconds hold_p99{};
  Refill refill = Refill::normal;
  EndpointHealth health = EndpointHealth::up;
  bool is_paused = false;
  bool is_recovering = false;
  bool is_down = false;
  bool is_closing = false;

  std::uint32_t in(SlotState state) const noexcept { return slots[static_cast<std::size_t>(state)]; }
  /// Connections that serve or can serve.
  std::uint32_t live() const noexcept {
    return in(SlotState::idle) + in(SlotState::testing) + in(SlotState::leased) + in(SlotState::resetting) +
           in(SlotState::quarantined);
  }
  /// Places that count against the hard limit.
  std::uint32_t taken() const noexcept {
    return live() + in(SlotState::connecting) + in(SlotState::initialising) + in(SlotState::closing) +
           in(SlotState::zombie);
  }
};

}  // namespace belay::pool
