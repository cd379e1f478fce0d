#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <boost/describe/enum.hpp>

#include "belay/core/deadline.hpp"
#include "belay/pool/call_site.hpp"
#include "belay/pool/slot.hpp"
#include "belay/pool/waiter.hpp"

namespace belay::pool {

/// Why all connections so far became suspect.
enum class GenerationReason : std::uint8_t {
  none,
  transport_failures,  ///< two within a second
  tests_failed,        ///< two for one waiter
  tls_failure,
  role,         ///< the node is not, or no longer, the writable one
  credentials,  ///< they changed
  address,      ///< the name now means other addresses
  health,       ///< the monitor found the endpoint down
  operator_request
};
BOOST_DESCRIBE_ENUM(GenerationReason, none, transport_failures, tests_failed, tls_failure, role, credentials, address,
                    health, operator_request)

/// Something worth a log line or a metric. Which fields mean something is said at each kind.
struct PoolEvent {
  enum class Kind : std::uint8_t {
    connection_opened,      ///< slot, duration: from the start of the connect until ready
    connect_failed,         ///< slot, error_class, duration
    connection_closed,      ///< slot, close_reason, duration: its age
    generation_bumped,      ///< reason, number: the new generation
    waiter_refused,         ///< refusal, label, where, duration: how long it waited
    transaction_left_open,  ///< lease, label, where
    clean_up_ended,         ///< slot, number: 1 when the connection was kept, 0 when not; duration
    leak_warning,           ///< lease, label, where, duration: how long it is held
    lease_revoked,          ///< lease, label, where, duration, close_reason
    endpoint_down,          ///< duration: for how long there has been no connection
    endpoint_back,          ///< likewise
    shutdown_phase          ///< number: 1 to 4, 5 when it is over
  };

  BOOST_DESCRIBE_NESTED_ENUM(Kind, connection_opened, connect_failed, connection_closed, generation_bumped,
                             waiter_refused, transaction_left_open, clean_up_ended, leak_warning, lease_revoked,
                             endpoint_down, endpoint_back, shutdown_phase)

  Kind kind = Kind::connection_opened;
  Refusal refusal = Refusal::none;
  CloseReason close_reason = CloseReason::none;
  GenerationReason reason = GenerationReason::none;
  std::optional<ErrorClass> error_class;
  Deadline::time_point at{};
  SlotHandle slot;
  LeaseHandle lease;
  Deadline::duration duration{};
  std::uint64_t number = 0;
  std::string_view label;
  CallSite where;
};

/// The last events, oldest first. Those that nobody fetched in time are dropped, the oldest first, and counted.
class EventRing {
 public:
  static constexpr std::size_t capacity = 256;

  void push(PoolEvent const& event) noexcept {
    if (size_ == capacity) {
      first_ = (first_ + 1) % capacity;
      --size_;
      ++dropped_;
    }
    events_[(first_ + size_++) % capacity] = event;
  }

  /// Takes the oldest.
  std::optional<PoolEvent> pop() noexcept {
    if (size_ == 0) return std::nullopt;
    auto const& event = events_[first_];
    first_ = (first_ + 1) % capacity;
    --size_;
    return event;
  }

  std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  std::array<PoolEvent, capacity> events_{};
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace belay::pool
