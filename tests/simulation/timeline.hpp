#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "belay/core/deadline.hpp"
#include "belay/core/random.hpp"

namespace belay::simulation {

using time_point = Deadline::time_point;
using duration = std::chrono::nanoseconds;

/// Virtual time: a heap of events. Those of one instant happen in an order that the seed decides, because no real
/// executor promises one. Time moves only when nothing is left at the present instant.
class Timeline {
 public:
  static constexpr time_point start{std::chrono::hours(1)};

  explicit Timeline(Random random) : random_(random) {}

  time_point now() const noexcept { return now_; }
  std::uint64_t steps() const noexcept { return steps_; }
  /// When the next event happens; time_point::max() when there is none.
  time_point next_at() const noexcept { return events_.empty() ? time_point::max() : events_.front().at; }
  void move_to(time_point instant) noexcept { now_ = std::max(now_, instant); }

  void at(time_point instant, std::function<void()> happens) {
    events_.push_back({std::max(instant, now_), random_.next(), std::move(happens)});
    std::push_heap(events_.begin(), events_.end());
  }
  void in(duration wait, std::function<void()> happens) { at(now_ + wait, std::move(happens)); }

  /// There must be one.
  void run_next() {
    std::pop_heap(events_.begin(), events_.end());
    auto event = std::move(events_.back());
    events_.pop_back();
    move_to(event.at);
    ++steps_;
    event.happens();
  }

 private:
  struct Event {
    time_point at;
    std::uint64_t tie;
    std::function<void()> happens;
    bool operator<(Event const& other) const { return std::pair(other.at, other.tie) < std::pair(at, tie); }
  };

  Random random_;
  time_point now_ = start;
  std::uint64_t steps_ = 0;
  std::vector<Event> events_;
};

/// A uniform part of `most`.
inline duration within(Random& random, duration most) {
  return duration(static_cast<duration::rep>(random.below(static_cast<std::uint64_t>(most.count()) + 1)));
}
inline bool chance(Random& random, double share) { return share > 0 && random.uniform() < share; }

}  // namespace belay::simulation
