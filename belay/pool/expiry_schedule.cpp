#include "belay/pool/expiry_schedule.hpp"

#include <algorithm>
#include <cstddef>

namespace belay::pool {

ExpirySchedule::ExpirySchedule(duration lifetime, duration gap, time_point origin)
    : gap_(gap), origin_(origin), taken_(static_cast<std::size_t>(std::max<std::int64_t>(lifetime / gap, 1))) {}

ExpirySchedule::Plan ExpirySchedule::plan(time_point now, time_point wish) noexcept {
  auto const instants = static_cast<std::int64_t>(taken_.size());
  auto const floor_tick = [this](time_point at) {
    auto const ticks = (at - origin_) / gap_;
    return (at - origin_) % gap_ < duration::zero() ? ticks - 1 : ticks;
  };
  auto const first = floor_tick(now) + 1;  // the first instant after now
  auto const last = first + instants - 1;
  auto const wished = std::clamp(floor_tick(wish), first - 1, last);

  auto const planned = [&](std::int64_t tick) {
    return Plan{origin_ + tick * gap_, static_cast<Ticket>((tick % instants + instants) % instants)};
  };
  for (auto tick = wished; tick >= first; --tick) {
    if (take_if_free(tick)) return planned(tick);
  }
  for (auto tick = wished + 1; tick <= last; ++tick) {
    if (take_if_free(tick)) return planned(tick);
  }
  return {now, no_ticket};
}

bool ExpirySchedule::take_if_free(std::int64_t tick) noexcept {
  auto const instants = static_cast<std::int64_t>(taken_.size());
  auto const cell = static_cast<std::size_t>((tick % instants + instants) % instants);
  if (taken_[cell]) return false;
  taken_[cell] = true;
  return true;
}

void ExpirySchedule::give_back(Ticket ticket) noexcept {
  if (ticket != no_ticket) taken_[ticket] = false;
}

}  // namespace belay::pool
