// Fault plans: an accepted one reads back as itself from its own text, its rules answer for any time, and nothing but
// a refusal comes out of the rest.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "belay/core/error.hpp"
#include "belay/testkit/fault_plan.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using belay::testkit::FaultPlan;
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  try {
    auto const plan = FaultPlan::parse(text);
    auto const written = plan.to_string();
    if (FaultPlan::parse(written).to_string() != written) std::abort();
    if (FaultPlan::parse(written).rules().size() != plan.rules().size()) std::abort();
    for (auto const& rule : plan.rules()) {
      auto at = std::chrono::nanoseconds::zero();
      for (int change = 0; change < 8 && at != std::chrono::nanoseconds::max(); ++change) {
        auto const next = rule.next_change(at);
        if (next <= at) std::abort();
        at = next;
      }
    }
  } catch (belay::Error const& error) {
    if (error.error_class() != belay::ErrorClass::request) std::abort();
  }
  return 0;
}
