#pragma once

#include <chrono>
#include <cstdint>

#include "belay/core/deadline.hpp"
#include "belay/testkit/applied_plan.hpp"

namespace belay::testkit {

/// Decides what the proxy's listening socket does: accept, let connections wait, or not be there.
///
/// Pure state: no I/O, no clock, no lock; the caller passes the time, never backwards, and serialises access.
class FaultGate {
 public:
  using time_point = Deadline::time_point;

  enum class Action : std::uint8_t {
    accept,  ///< take the next connection
    wait,    ///< take none before `at`: they wait in the system's queue
    close    ///< do not listen before `at`: connecting is refused
  };
  struct Step {
    Action action = Action::accept;
    time_point at = time_point::max();  ///< ask again then, whatever the action
  };

  explicit FaultGate(AppliedPlan plan) : plan_(std::move(plan)) {}

  /// The pace of accept_rate and accept_limit goes on across plans.
  void apply(AppliedPlan plan) { plan_ = std::move(plan); }

  [[nodiscard]] Step next(time_point now) const;
  /// Counts a connection that was accepted; false: it came before its time (accept_limit) and is to be reset.
  [[nodiscard]] bool admit(time_point now);

 private:
  /// The longest interval that a rule in force asks for; zero when none does.
  std::chrono::nanoseconds interval(FaultKind, time_point now) const;

  AppliedPlan plan_;
  time_point accepted_at_ = time_point::min();  ///< the last one, when its time was: the queue's pace does not drift
  time_point admitted_at_ = time_point::min();
};

}  // namespace belay::testkit
