#include "belay/resilience/policy_core.hpp"

#include "belay/resilience/detail/option_check.hpp"

namespace belay::resilience {

void validate(PolicyOptions const& options) {
  using namespace std::chrono_literals;
  if (options.attempt_timeout) detail::require_range("policy", "attempt_timeout", *options.attempt_timeout, 1ms, 24h);
}

}  // namespace belay::resilience
