#pragma once

#include "belay/resilience/retry.hpp"
#include "belay/resilience/retry_budget.hpp"

namespace belay::resilience {

/// A named bundle of options that fit together; every value may be changed before use.
struct Preset {
  RetryOptions retry{};
  RetryBudgetOptions retry_budget{};
};

namespace presets {

/// The preset `default`: 1 + 4 executions, nominal pauses 0.5, 1, 2, 3 s, full jitter.
Preset standard();

/// The preset `enterprise`: the same figures with each pause drawn from the upper half of the nominal one, so that the
/// stated 3.0 s is the longest.
Preset enterprise();

}  // namespace presets

}  // namespace belay::resilience
