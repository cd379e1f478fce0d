#pragma once

#include "belay/resilience/breaker_options.hpp"
#include "belay/resilience/retry.hpp"
#include "belay/resilience/retry_budget.hpp"

namespace belay::resilience {

/// A named bundle of options that fit together; every value may be changed before use.
struct Preset {
  RetryOptions retry{};
  RetryBudgetOptions retry_budget{};
  BreakerOptions breaker{};
};

namespace presets {

/// The preset `default`: 1 + 4 executions, nominal pauses 0.5, 1, 2, 3 s, full jitter; a breaker that opens at 5
/// failures in a row, or at half of 20 calls in 30 s, for 60 s and longer each time.
Preset standard();

/// The preset `enterprise`: the same figures with each pause drawn from the upper half of the nominal one, so that the
/// stated 3.0 s is the longest; a breaker that opens at 5 failures in a row for 60 s, never less.
Preset enterprise();

}  // namespace presets

}  // namespace belay::resilience
