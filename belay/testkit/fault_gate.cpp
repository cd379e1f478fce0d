#include "belay/testkit/fault_gate.hpp"

#include <algorithm>

namespace belay::testkit {

namespace {

/// When the next connection may come after one at `last`; `last` is time_point::min() when there was none.
FaultGate::time_point next_after(FaultGate::time_point last, std::chrono::nanoseconds interval) {
  return last == FaultGate::time_point::min() ? last : last + interval;
}

}  // namespace

std::chrono::nanoseconds FaultGate::interval(FaultKind kind, time_point now) const {
  std::chrono::nanoseconds longest{};
  for (auto const& rule : plan_.plan->rules()) {
    if (!rule.occurrence(plan_.age(now))) continue;
    for (auto const& fault : rule.faults) {
      if (fault.kind == kind) longest = std::max(longest, fault.duration);
    }
  }
  return longest;
}

FaultGate::Step FaultGate::next(time_point now) const {
  Step step{Action::accept, plan_.next_change(now)};
  auto const pace = interval(FaultKind::accept_rate, now);
  if (pace > std::chrono::nanoseconds::zero() && now < next_after(accepted_at_, pace)) {
    step = {Action::wait, std::min(step.at, next_after(accepted_at_, pace))};
  }
  for (auto const& rule : plan_.plan->rules()) {
    if (!rule.concerns_all() || !rule.occurrence(plan_.age(now))) continue;  // the others reset what was accepted
    for (auto const& fault : rule.faults) {
      if (fault.kind == FaultKind::refuse) return {Action::close, plan_.next_change(now)};
    }
  }
  return step;
}

bool FaultGate::admit(time_point now) {
  auto const pace = interval(FaultKind::accept_rate, now);
  auto const due = next_after(accepted_at_, pace);
  // Taken at the due time rather than late, unless the queue was empty meanwhile.
  accepted_at_ = pace > std::chrono::nanoseconds::zero() && due > now - pace && due <= now ? due : now;
  auto const limit = interval(FaultKind::accept_limit, now);
  if (limit > std::chrono::nanoseconds::zero() && now < next_after(admitted_at_, limit)) return false;
  admitted_at_ = now;
  return true;
}

}  // namespace belay::testkit
