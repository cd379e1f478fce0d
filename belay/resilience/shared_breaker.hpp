#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "belay/core/deadline.hpp"
#include "belay/core/random.hpp"
#include "belay/resilience/circuit_breaker.hpp"
#include "belay/resilience/policy_gates.hpp"
#include "belay/resilience/waker.hpp"

namespace belay::resilience {

/// A CircuitBreaker that calls on several threads use at once, and that wakes whoever waits for its verdict.
///
/// Thread-safe: one mutex, held for the decision only. Listeners and wakers are called after it is released. That it is
/// open can be seen without the mutex.
class SharedBreaker {
 public:
  using time_point = Deadline::time_point;
  using nanoseconds = std::chrono::nanoseconds;

  struct Permit {
    BreakerPermit permit;
    time_point since;
  };
  struct Wait {
    BreakerWait wait;
    std::uint64_t news = 0;  ///< how many events there had been
  };
  /// Told each event once and in order, by one thread at a time: whichever thread caused one, or the thread that is
  /// telling already. It must not throw, and returns quickly: it stands between a call and its result.
  using Listener = std::function<void(BreakerEvent const&)>;
  using ListenerId = std::uint64_t;

  /// Throws Error(request) that names an option out of its range.
  SharedBreaker(BreakerOptions const& options, Random random, time_point now)
      : breaker_(options, random, now), sees_slowness_(options.slow.has_value()) {}

  [[nodiscard]] BreakerAnswer<Permit, Wait> try_enter(time_point now, Deadline) noexcept;
  void record(Permit const&, BreakerSignal, time_point now) noexcept;
  /// The waker of one who may wait, called at the next event; naming it again has no effect. False when there has been
  /// an event already: ask again at once.
  [[nodiscard]] bool await_news(Wait const&, std::shared_ptr<Waker>);
  /// `waker`: as given to await_news(); null when it was not called.
  void stop_waiting(Wait const&, Waker const* waker) noexcept;

  /// Whether every call would be turned away now. One load, no lock.
  bool is_open(time_point now) const noexcept {
    return now.time_since_epoch().count() < refuses_until_.load(std::memory_order_acquire);
  }
  /// The refusal of an open breaker without its lock; counted as one. Nothing when it is not open; else when to come
  /// back, zero when only somebody's action can change the answer.
  [[nodiscard]] std::optional<nanoseconds> refuse_if_open(time_point now) noexcept;

  /// Makes the transitions that are due; next_event() says when there will be one.
  void advance(time_point now) noexcept;
  time_point next_event() const noexcept;

  // As CircuitBreaker's.
  bool endpoint_recovered(time_point now) noexcept;
  void force_open(time_point now) noexcept;
  void force_closed(time_point now) noexcept;
  void release(time_point now) noexcept;
  void set_mode(BreakerMode) noexcept;
  BreakerState state() const noexcept;
  std::uint32_t probes() const noexcept;
  std::uint32_t waiting() const noexcept;
  BreakerSnapshot snapshot(time_point now) noexcept;

  ListenerId add_listener(Listener);
  /// A thread that is telling the listeners at this moment may still call this one.
  void remove_listener(ListenerId);

 private:
  using Listeners = std::vector<std::pair<ListenerId, Listener>>;

  void show_refusal() noexcept;
  void unlock_and_tell(std::unique_lock<std::mutex>&) noexcept;

  std::atomic<time_point::rep> refuses_until_{time_point::min().time_since_epoch().count()};
  std::atomic<std::uint64_t> refused_unlocked_{0};
  mutable std::mutex mutex_;
  CircuitBreaker breaker_;
  bool sees_slowness_;
  bool is_telling_ = false;
  std::uint64_t news_ = 0;
  std::vector<std::shared_ptr<Waker>> wakers_;
  /// Replaced, never changed, so that it can be walked after unlocking.
  std::shared_ptr<Listeners const> listeners_ = std::make_shared<Listeners const>();
  ListenerId last_id_ = 0;
};

/// One call's way through a SharedBreaker: what PolicyCall wants. Null: no breaker.
class BreakerEntrance {
 public:
  using Permit = SharedBreaker::Permit;
  using Wait = SharedBreaker::Wait;

  explicit BreakerEntrance(SharedBreaker* breaker) noexcept : breaker_(breaker) {}

  BreakerAnswer<Permit, Wait> try_enter(Deadline::time_point now, Deadline deadline) noexcept {
    if (!breaker_) return {.permit = Permit()};
    auto answer = breaker_->try_enter(now, deadline);
    wait_ = answer.wait;
    return answer;
  }
  void record(Permit const& permit, BreakerSignal signal, Deadline::time_point now) noexcept {
    if (breaker_) breaker_->record(permit, signal, now);
  }
  void stop_waiting(Wait const& wait) noexcept { breaker_->stop_waiting(wait, waker_.get()); }
  bool is_open(Deadline::time_point now) const noexcept { return breaker_ && breaker_->is_open(now); }

  /// After try_enter() said that the call may wait.
  [[nodiscard]] bool await_news(std::shared_ptr<Waker> waker) {
    waker_ = std::move(waker);
    return breaker_->await_news(*wait_, waker_);
  }
  /// The breaker's own time has come, or may have.
  void advance(Deadline::time_point now) noexcept { breaker_->advance(now); }
  Deadline::time_point next_event() const noexcept { return breaker_->next_event(); }

 private:
  SharedBreaker* breaker_;
  std::optional<Wait> wait_{};
  std::shared_ptr<Waker> waker_{};
};

static_assert(BreakerGate<BreakerEntrance>);

}  // namespace belay::resilience
