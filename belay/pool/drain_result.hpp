#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "belay/core/error.hpp"
#include "belay/pool/call_site.hpp"
#include "belay/pool/slot.hpp"

namespace belay::pool {

/// How a pool's end went: see PoolBase::close().
struct DrainResult {
  /// A lease that was taken from its holder.
  struct Abandoned {
    std::string_view label;
    CallSite where;
    std::chrono::nanoseconds held{};
    SlotHandle slot;
    /// What is known of the operation that was broken off on its connection; nullopt: there was none, or the
    /// connection's end was not reached in time.
    std::optional<SendState> operation;
  };

  std::uint64_t waiters_failed = 0;
  std::uint64_t connections_forced = 0;     ///< closed without a good-bye
  std::uint64_t connections_abandoned = 0;  ///< whose closing was not confirmed in time
  std::vector<Abandoned> abandoned;         ///< in the order they were taken; at most 256, the pool's event ring

  /// Everybody got what they wanted and the server knows that we are gone.
  bool is_clean() const noexcept {
    return waiters_failed == 0 && connections_forced == 0 && connections_abandoned == 0 && abandoned.empty();
  }
};

}  // namespace belay::pool
