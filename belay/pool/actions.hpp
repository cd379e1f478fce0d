#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>

#include "belay/core/deadline.hpp"
#include "belay/pool/slot.hpp"
#include "belay/pool/waiter.hpp"

namespace belay::pool {

/// Something the pool wants done to a connection, outside its lock. Each is answered by one report to the PoolCore.
struct SlotAction {
  enum class Kind : std::uint8_t {
    connect,       ///< open a connection: connected() and initialised(), or connect_failed()
    test,          ///< look at the socket, and where `round_trip` ask the peer: test_passed() or test_failed()
    reset,         ///< undo what the session changed: cleaned() or clean_up_failed()
    rollback,      ///< end the transaction, and reset: likewise
    quarantine,    ///< cancel what runs (where `may_cancel`) and read to its end: likewise, and cancel_ended()
    cancel,        ///< stop what the borrowers run, so that they return their leases; no report but their release()
    close_polite,  ///< say good-bye to the server, then close: closed()
    close_force,   ///< close at once, breaking off whatever is under way on it: closed()
    warn_leak      ///< `lease` is held for suspiciously long; no report
  };

  Kind kind = Kind::connect;
  bool round_trip = false;
  bool may_cancel = false;
  bool is_probe = false;  ///< of `connect`: the one that finds out whether the endpoint is back
  SlotHandle slot;
  LeaseHandle lease;         ///< of reset, rollback, quarantine, warn_leak; which stream of the connection
  std::uint32_t stream = 0;  ///< its ordinal
  std::uint64_t generation = 0;
  Deadline deadline = Deadline::never();  ///< the pool gives up then, whatever the shell does
};

/// What an input to the PoolCore asks for. An output parameter that may be used for several inputs in a row, as long as
/// there is room; it is performed without the pool's lock, in its order, resumptions last.
class Actions {
 public:
  static constexpr std::size_t capacity = 16;

  Actions() = default;
  Actions(Actions const&) = delete;
  Actions& operator=(Actions const&) = delete;

  SlotAction const* begin() const noexcept {
    return std::launder(reinterpret_cast<SlotAction const*>(storage_.data()));
  }
  SlotAction const* end() const noexcept { return begin() + count_; }
  std::size_t size() const noexcept { return count_; }
  bool empty() const noexcept { return count_ == 0; }
  bool is_full() const noexcept { return count_ == capacity; }
  void clear() noexcept {
    count_ = 0;
    resume = last_to_resume = nullptr;
    more = false;
  }

  /// There must be room.
  void add(SlotAction const& action) noexcept {
    new (storage_.data() + count_++ * sizeof(SlotAction)) SlotAction(action);
  }

  /// Waiters to resume, oldest first, chained by next_to_resume(): each then calls accept(). Read the successor before
  /// resuming one, its frame may be gone afterwards.
  Waiter* resume = nullptr;
  Waiter* last_to_resume = nullptr;
  /// There was no room for all: perform these, then call advance() with a cleared list.
  bool more = false;

 private:
  static_assert(std::is_trivially_destructible_v<SlotAction>);

  std::size_t count_ = 0;
  // Raw, because most inputs ask for nothing and would pay for its initialisation.
  alignas(SlotAction) std::array<std::byte, capacity * sizeof(SlotAction)> storage_;
};

}  // namespace belay::pool
