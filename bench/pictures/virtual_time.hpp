#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <queue>
#include <utility>

#include "belay/core/deadline.hpp"

namespace belay::pictures {

using time_point = Deadline::time_point;
using nanoseconds = std::chrono::nanoseconds;

inline double seconds(nanoseconds span) { return std::chrono::duration<double>(span).count(); }
inline nanoseconds from_seconds(double span) { return nanoseconds(static_cast<std::int64_t>(span * 1e9)); }

/// A clock that jumps to the next thing to do. What is due at the same instant happens in the order it was asked for,
/// so that a seed decides a whole run.
class VirtualTime {
 public:
  time_point now() const { return now_; }

  void at(time_point when, std::function<void()> happens) {
    events_.push({std::max(when, now_), ++asked_, std::move(happens)});
  }
  void after(nanoseconds wait, std::function<void()> happens) { at(now_ + wait, std::move(happens)); }

  void run_until(time_point end) {
    while (!events_.empty() && events_.top().at <= end) {
      auto event = events_.top();
      events_.pop();
      now_ = event.at;
      event.happens();
    }
    now_ = std::max(now_, end);
  }

 private:
  struct Event {
    time_point at;
    std::uint64_t order;
    std::function<void()> happens;
    bool operator<(Event const& other) const { return std::pair(other.at, other.order) < std::pair(at, order); }
  };

  time_point now_ = time_point() + std::chrono::hours(2);
  std::uint64_t asked_ = 0;
  std::priority_queue<Event> events_;
};

}  // namespace belay::pictures
