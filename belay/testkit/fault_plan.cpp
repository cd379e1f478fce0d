#include "belay/testkit/fault_plan.hpp"

#include "belay/testkit/detail/fault_plan_parser.hpp"

namespace belay::testkit {

using std::chrono::nanoseconds;

std::string_view name_of(Direction direction) noexcept { return direction == Direction::up ? "up" : "down"; }

std::string_view name_of(FaultKind kind) noexcept {
  switch (kind) {  // no default: the compiler reports a missing enumerator
    case FaultKind::latency: return "latency";
    case FaultKind::jitter: return "jitter";
    case FaultKind::bandwidth: return "bandwidth";
    case FaultKind::fragment: return "fragment";
    case FaultKind::gap: return "gap";
    case FaultKind::cut: return "cut";
    case FaultKind::rst: return "rst";
    case FaultKind::half_close: return "half_close";
    case FaultKind::stall: return "stall";
    case FaultKind::blackhole: return "blackhole";
    case FaultKind::forget: return "forget";
    case FaultKind::hold: return "hold";
    case FaultKind::refuse: return "refuse";
    case FaultKind::accept_delay: return "accept_delay";
    case FaultKind::accept_rate: return "accept_rate";
    case FaultKind::accept_limit: return "accept_limit";
  }
  return "unknown";
}

std::optional<std::uint64_t> FaultRule::occurrence(nanoseconds since_plan) const noexcept {
  if (since_plan < begins_after) return std::nullopt;
  auto const since_begin = since_plan - begins_after;
  if (!lasts) return 0;
  if (!period) return since_begin < *lasts ? std::optional<std::uint64_t>(0) : std::nullopt;
  if (since_begin % *period >= *lasts) return std::nullopt;
  return static_cast<std::uint64_t>(since_begin / *period);
}

nanoseconds FaultRule::next_change(nanoseconds since_plan) const noexcept {
  if (since_plan < begins_after) return begins_after;
  auto const since_begin = since_plan - begins_after;
  if (!lasts) return nanoseconds::max();
  if (!period) return since_begin < *lasts ? begins_after + *lasts : nanoseconds::max();
  auto const begin = since_plan - since_begin % *period;  // of the running period
  auto const end = begin + *lasts;
  if (since_plan < end) return end;
  return begin > nanoseconds::max() - *period ? nanoseconds::max() : begin + *period;
}

FaultPlan FaultPlan::parse(std::string_view text) {
  FaultPlan plan;
  plan.rules_ = detail::FaultPlanParser(text).parse();
  return plan;
}

std::string FaultPlan::to_string() const {
  std::string text;
  for (auto const& rule : rules_) text += (text.empty() ? "" : "; ") + rule.text;
  return text.empty() ? "none" : text;
}

}  // namespace belay::testkit
