#include "belay/pool/policy_options.hpp"

namespace belay::pool {

namespace {

void check(ClassPolicy const& policy) {
  resilience::RetryPolicy const checked(policy.retry);
  if (policy.breaker) resilience::check(*policy.breaker);
  resilience::validate(policy.call);
}

}  // namespace

std::string_view name_of(OperationClass operation) noexcept {
  switch (operation) {  // no default: the compiler reports a missing enumerator
    case OperationClass::read: return "read";
    case OperationClass::write: return "write";
    case OperationClass::connect: return "connect";
  }
  return "unknown";
}

PolicyOptions policy_options(resilience::Preset const& preset) {
  ClassPolicy policy;
  policy.retry = preset.retry;
  policy.breaker = preset.breaker;
  PolicyOptions options;
  options.read = options.write = options.connect = policy;
  options.retry_budget = preset.retry_budget;
  return options;
}

void check(PolicyOptions const& options) {
  check(options.read);
  check(options.write);
  check(options.connect);
  if (options.retry_budget) resilience::validate(*options.retry_budget);
  if (options.rate_limit) resilience::check(*options.rate_limit);
  if (options.bulkhead) resilience::check(*options.bulkhead);
}

}  // namespace belay::pool
