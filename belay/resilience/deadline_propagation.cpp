#include "belay/resilience/deadline_propagation.hpp"

#include <algorithm>

#include "belay/resilience/detail/instant.hpp"

namespace belay::resilience {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr Deadline::duration reserve_min = 5ms;
constexpr int reserve_divisor = 20;

}  // namespace

Deadline import_remaining(std::int64_t milliseconds_left, Deadline::time_point now) noexcept {
  auto const left = std::clamp<std::int64_t>(milliseconds_left, 0, propagated_max.count());
  return Deadline::at(detail::later(now, milliseconds(left)));
}

std::optional<std::int64_t> export_remaining(Deadline deadline, Deadline::time_point now) noexcept {
  if (deadline.is_never()) return std::nullopt;
  auto const left = std::min<Deadline::duration>(detail::elapsed(now, deadline.at()), propagated_max);
  return std::chrono::floor<milliseconds>(left).count();
}

Deadline work_deadline(Deadline deadline, Fallback fallback, Deadline::time_point now) noexcept {
  if (fallback == Fallback::none || deadline.is_never()) return deadline;
  auto const left = detail::elapsed(now, deadline.at());
  auto const reserve = std::max(reserve_min, left / reserve_divisor);
  return Deadline::at(left > reserve ? deadline.at() - reserve : std::min(now, deadline.at()));
}

}  // namespace belay::resilience
