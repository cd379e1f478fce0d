#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "belay/core/deadline.hpp"
#include "belay/resilience/detail/instant.hpp"

namespace belay::resilience {

/// Calls as a circuit breaker counts them.
struct CallCounts {
  std::uint32_t total = 0;
  std::uint32_t failures = 0;
  std::uint32_t slow = 0;

  friend bool operator==(CallCounts const&, CallCounts const&) = default;
};

/// The calls of the last while, in 10 buckets on a fixed grid: what is counted at an instant is the current bucket and
/// the nine before it. A full bucket stops counting at 2^32 - 1 calls over all.
///
/// Plain state, not thread-safe, no allocation. An instant before the current bucket counts into it.
class TimeWindow {
 public:
  using time_point = Deadline::time_point;
  static constexpr std::size_t bucket_count = 10;

  /// The grid starts at `origin`. length: >= 10 ns.
  TimeWindow(std::chrono::nanoseconds length, time_point origin) noexcept;

  void add(bool failure, bool slow, time_point now) noexcept {
    if (now >= ends_at_) expire(now);
    if (counts_.total == UINT32_MAX) return;
    count(counts_, failure, slow);
    count(buckets_[current_], failure, slow);
  }
  /// Drops what is too old at `now`, without a call.
  void expire(time_point now) noexcept;
  void clear() noexcept;

  /// As of the last add() or expire().
  CallCounts const& counts() const noexcept { return counts_; }

 private:
  static void count(CallCounts& counts, bool failure, bool slow) noexcept {
    ++counts.total;
    if (failure) ++counts.failures;
    if (slow) ++counts.slow;
  }

  std::chrono::nanoseconds width_;
  time_point ends_at_;  ///< of the current bucket
  std::size_t current_ = 0;
  CallCounts counts_;
  std::array<CallCounts, bucket_count> buckets_{};
};

/// The last n calls, without those older than a limit. Memory is taken at construction only. Not thread-safe.
class CountWindow {
 public:
  using time_point = Deadline::time_point;

  /// calls: >= 1; age_max: > 0.
  CountWindow(std::size_t calls, std::chrono::nanoseconds age_max);

  void add(bool failure, bool slow, time_point now) noexcept {
    if (counts_.total > 0 && now >= calls_[oldest_].over_at) expire(now);
    // No remainder: a division would cost as much as all the rest.
    auto newest = oldest_ + counts_.total;
    if (newest >= calls_.size()) newest -= calls_.size();
    auto& call = calls_[newest];
    if (counts_.total == calls_.size()) {  // the newest takes the oldest one's place
      if (call.failure) --counts_.failures;
      if (call.slow) --counts_.slow;
      oldest_ = after(oldest_);
    } else {
      ++counts_.total;
    }
    if (failure) ++counts_.failures;
    if (slow) ++counts_.slow;
    call.over_at = detail::later(now, age_max_);
    call.failure = failure;
    call.slow = slow;
  }
  void expire(time_point now) noexcept;
  void clear() noexcept;
  CallCounts const& counts() const noexcept { return counts_; }

 private:
  struct Call {
    time_point over_at;  ///< when it is too old
    bool failure = false;
    bool slow = false;
  };
  std::size_t after(std::size_t place) const noexcept { return place + 1 == calls_.size() ? 0 : place + 1; }

  std::chrono::nanoseconds age_max_;
  std::vector<Call> calls_;  ///< a ring; the oldest stands at oldest_
  std::size_t oldest_ = 0;
  CallCounts counts_;
};

}  // namespace belay::resilience
