#include "belay/resilience/retry_budget.hpp"

#include <cmath>

#include "belay/core/error.hpp"
#include "belay/resilience/detail/option_check.hpp"

namespace belay::resilience {

void validate(RetryBudgetOptions const& options) {
  constexpr auto owner = "retry budget";
  detail::require_range(owner, "deposit_per_call", options.deposit_per_call, 0, 1);
  if (auto const thousandths = options.deposit_per_call * 1000;
      std::abs(thousandths - std::round(thousandths)) > 1e-6) {
    throw Error(ErrorClass::request, SendState::never_sent,
                "retry budget option deposit_per_call is " + std::to_string(options.deposit_per_call) +
                    ", it must be a whole number of thousandths");
  }
  detail::require_range(owner, "floor_per_second", options.floor_per_second, 0, 1000);
  detail::require_range(owner, "cap_min", options.cap_min, 1, 60'000);
  detail::require_range(owner, "initial", options.initial, 0, options.cap_min);
}

template class BasicRetryBudget<std::atomic>;

}  // namespace belay::resilience
