#include "belay/sqlite/watch.hpp"

#include <algorithm>

namespace belay::sqlite {

void Watch::wake_by(time_point instant) noexcept {
  auto const at = instant.time_since_epoch().count();
  if (at >= wake_at_.load(std::memory_order_acquire)) return;
  {
    std::lock_guard const lock(mutex_);
    if (at >= wake_at_.load(std::memory_order_relaxed)) return;
    wake_at_.store(at, std::memory_order_release);
  }
  wake_.notify_one();
}

void Watch::run(std::function<Next(time_point)> const& look) {
  constexpr auto never = time_point::max();
  std::unique_lock lock(mutex_);
  auto const wake_at = [&] { return time_point(Deadline::duration(wake_at_.load(std::memory_order_relaxed))); };
  while (true) {
    auto now = Deadline::clock::now();
    while (wake_at() > now) {
      if (wake_at() == never) {
        wake_.wait(lock);
      } else {
        wake_.wait_until(lock, wake_at());
      }
      now = Deadline::clock::now();
    }
    // Reset before looking: what is asked for meanwhile counts from here.
    wake_at_.store(never.time_since_epoch().count(), std::memory_order_release);
    lock.unlock();
    auto const next = look(now);
    lock.lock();
    if (next.end) return;
    auto const earliest = std::min(wake_at(), next.at);
    wake_at_.store(earliest.time_since_epoch().count(), std::memory_order_release);
  }
}

}  // namespace belay::sqlite
