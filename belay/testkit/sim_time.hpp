#pragma once

#include <chrono>

#include "belay/core/clock.hpp"
#include "belay/net/time_service.hpp"
#include "belay/testkit/sim_scheduler.hpp"

namespace belay::testkit {

/// The clocks of a simulated machine: now() is the scheduler's virtual time, the other two go with it and can be moved
/// on their own. Moving them is no event of the trace: a run must not notice.
///
/// Not thread-safe, like the scheduler. Several clocks on one scheduler are several machines.
class SimClock final : public Clock {
 public:
  explicit SimClock(SimScheduler& scheduler) noexcept : scheduler_(&scheduler) {}

  time_point now() const noexcept override { return scheduler_->now(); }
  std::chrono::nanoseconds since_boot() const noexcept override { return scheduler_->elapsed() + suspended_; }
  /// Begins at 2024-01-01T00:00:00Z.
  Datetime wall() const override;

  /// Somebody sets the calendar, forwards or backwards.
  void jump_wall(std::chrono::seconds by) noexcept { jumped_ += by; }
  /// The calendar goes `rate` times as fast as time from here on: 1 is right, 0 stands still, -1 goes backwards.
  void set_wall_rate(double rate) noexcept;
  /// The machine sleeps: boot time and the calendar go on, the monotonic clock does not notice.
  void suspend(std::chrono::nanoseconds) noexcept;

 private:
  SimScheduler* scheduler_;
  std::chrono::nanoseconds suspended_{0};
  std::chrono::seconds jumped_{0};              ///< in seconds: ten years of jumps must not overflow
  std::chrono::nanoseconds wall_at_change_{0};  ///< what the calendar had gone when its rate was last set
  std::chrono::nanoseconds changed_at_{0};
  double wall_rate_ = 1;
};

/// Waits in virtual time. As deterministic as the scheduler: timers of one instant fire in an order that the seed
/// draws.
class SimTime final : public net::TimeService {
 public:
  struct Options {
    /// A wait may end so much too late, uniformly drawn: what a busy machine does. >= 0.
    std::chrono::nanoseconds late_by_at_most{0};
  };

  /// With a SimClock of its own.
  explicit SimTime(SimScheduler& scheduler) : SimTime(scheduler, Options()) {}
  /// Throws belay::Error(request) for a negative option.
  SimTime(SimScheduler&, Options);

  SimClock const& clock() const noexcept override { return clock_; }
  SimClock& clock() noexcept { return clock_; }

 private:
  void start_wait(time_point, WaitHandler) override;

  SimScheduler* scheduler_;
  SimClock clock_;
  Options options_;
  Random random_;
};

}  // namespace belay::testkit
