#include "belay/testkit/applied_plan.hpp"

#include <algorithm>

namespace belay::testkit {

AppliedPlan::time_point AppliedPlan::next_change(time_point now) const noexcept {
  auto earliest = time_point::max();
  for (auto const& rule : plan->rules()) {
    auto const change = rule.next_change(age(now));
    if (change < time_point::max() - since) earliest = std::min(earliest, since + change);
  }
  return earliest;
}

}  // namespace belay::testkit
