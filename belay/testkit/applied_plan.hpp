#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "belay/core/deadline.hpp"
#include "belay/testkit/fault_plan.hpp"

namespace belay::testkit {

/// A plan and the instant from which its times count. One object is shared by all connections of a proxy.
struct AppliedPlan {
  using time_point = Deadline::time_point;

  std::shared_ptr<FaultPlan const> plan = std::make_shared<FaultPlan const>();
  time_point since{};
  std::uint64_t generation = 0;  ///< how many plans came before: with the seed it decides whom a probability hits

  std::chrono::nanoseconds age(time_point now) const noexcept { return now - since; }
  /// The next instant at which some rule begins or ends to apply; time_point::max() when none does.
  time_point next_change(time_point now) const noexcept;
};

}  // namespace belay::testkit
