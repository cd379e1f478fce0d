#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "belay/core/deadline.hpp"
#include "belay/resilience/rate_limiter.hpp"

namespace belay::resilience {

/// How a key stands with its limit, in the terms of HTTP's X-RateLimit headers.
struct RateQuota {
  bool admitted = false;
  std::uint32_t limit = 0;                 ///< X-RateLimit-Limit: the burst
  std::uint32_t remaining = 0;             ///< X-RateLimit-Remaining: admitted at once from here on
  std::chrono::nanoseconds reset{};        ///< X-RateLimit-Reset: until `remaining` is `limit` again if nobody comes
  std::chrono::nanoseconds retry_after{};  ///< Retry-After, when refused
  /// The key found no place of its own and shares one with others in the same situation.
  bool shared = false;

  explicit operator bool() const noexcept { return admitted; }
};

/// The same limit for each of many keys (a client's address, a tenant), in bounded memory.
///
/// A key is forgotten once its state equals that of a key never seen. Beyond keys_max keys (an attacker may invent
/// them) new ones of a shard share a single cell until others expire: nobody gets more than the limit, newcomers may
/// get less, and keys already known keep their own. A key that finds a place later takes the shared cell's debt along.
///
/// Thread-safe: 16 shards, each behind a mutex held for one look-up. A known key allocates nothing. About once per
/// doubling of a shard's keys, and at most every 100 ms while it is full, a call sweeps its shard: up to keys_max / 16
/// keys.
class KeyedRateLimiter {
 public:
  using time_point = Deadline::time_point;
  static constexpr std::size_t key_bytes_max = 256;
  static constexpr std::size_t shard_count = 16;

  /// keys_max: 16…10'000'000. Throws Error(request) that names an option out of its range.
  KeyedRateLimiter(RateLimit const&, std::size_t keys_max);

  /// Takes n permits of the key now, or none. Error(request) for n outside 1…burst and for a key of more than 256
  /// bytes.
  [[nodiscard]] RateQuota try_acquire(std::string_view key, time_point now, std::uint32_t n = 1);

  /// Forgets the keys whose state equals that of a new one; for a caller with a timer, since others wait for demand.
  void expire(time_point now);
  /// Keys that have a place of their own.
  std::size_t size() const;

 private:
  static constexpr std::int64_t never_used = std::numeric_limits<std::int64_t>::min();

  struct KeyHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>()(key); }
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, std::int64_t, KeyHash, std::equal_to<>> tats;
    std::int64_t shared_tat = never_used;
    std::size_t sweep_at_size = 64;
    time_point sweep_not_before = time_point::min();
  };

  /// The key's cell, made if there is room; the shared one otherwise.
  std::int64_t& cell_of(Shard&, std::string_view key, time_point now);
  void sweep(Shard&, time_point now);

  GcraRule rule_;
  std::size_t keys_per_shard_;
  std::array<Shard, shard_count> shards_;
};

}  // namespace belay::resilience
