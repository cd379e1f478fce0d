#include "belay/resilience/keyed_rate_limiter.hpp"

#include <algorithm>

#include "belay/core/error.hpp"
#include "belay/resilience/detail/monotonic.hpp"
#include "belay/resilience/detail/option_range.hpp"

namespace belay::resilience {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

namespace {

std::int64_t ns_of(Deadline::time_point instant) noexcept { return nanoseconds(instant.time_since_epoch()).count(); }

std::size_t checked(std::size_t keys_max) {
  detail::require_range("rate limit keys_max", std::uint64_t{keys_max}, 16, 10'000'000);
  return keys_max;
}

}  // namespace

KeyedRateLimiter::KeyedRateLimiter(RateLimit const& limit, std::size_t keys_max)
    : rule_(limit), keys_per_shard_(checked(keys_max) / shard_count) {}

RateQuota KeyedRateLimiter::try_acquire(std::string_view key, time_point now, std::uint32_t n) {
  rule_.require_possible(n);
  if (key.size() > key_bytes_max) {
    throw Error(ErrorClass::request, SendState::never_sent,
                "the key of a rate limit has " + std::to_string(key.size()) + " bytes, at most 256 are allowed");
  }
  auto const now_ns = ns_of(now);
  // The map uses the hash's low bits: the shard takes others.
  auto& shard = shards_[(KeyHash()(key) >> 32) % shard_count];
  std::lock_guard const lock(shard.mutex);
  auto& tat = cell_of(shard, key, now);
  auto const slot = rule_.next(tat, n, now_ns, 1);
  RateQuota quota;
  quota.admitted = slot.at_ns <= now_ns;
  if (quota.admitted) {
    tat = slot.tat_ns;
  } else {
    quota.retry_after = nanoseconds(slot.at_ns - now_ns);
  }
  quota.limit = rule_.limit().burst;
  quota.remaining = rule_.remaining(tat, now_ns);
  quota.reset = nanoseconds(tat > now_ns ? tat - now_ns : 0);
  quota.shared = &tat == &shard.shared_tat;
  return quota;
}

std::int64_t& KeyedRateLimiter::cell_of(Shard& shard, std::string_view key, time_point now) {
  if (auto const known = shard.tats.find(key); known != shard.tats.end()) return known->second;
  bool const full = shard.tats.size() >= keys_per_shard_;
  if (full || shard.tats.size() >= shard.sweep_at_size) {
    if (now >= shard.sweep_not_before) sweep(shard, now);
    if (shard.tats.size() >= keys_per_shard_) return shard.shared_tat;
  }
  return shard.tats.emplace(std::string(key), shard.shared_tat).first->second;
}

void KeyedRateLimiter::sweep(Shard& shard, time_point now) {
  std::erase_if(shard.tats, [now_ns = ns_of(now)](auto const& cell) { return cell.second <= now_ns; });
  shard.sweep_at_size = std::max<std::size_t>(64, 2 * shard.tats.size());
  shard.sweep_not_before = detail::time_after(now, 100ms);
}

void KeyedRateLimiter::expire(time_point now) {
  for (auto& shard : shards_) {
    std::lock_guard const lock(shard.mutex);
    sweep(shard, now);
  }
}

std::size_t KeyedRateLimiter::size() const {
  std::size_t keys = 0;
  for (auto const& shard : shards_) {
    std::lock_guard const lock(shard.mutex);
    keys += shard.tats.size();
  }
  return keys;
}

}  // namespace belay::resilience
