#include "belay/resilience/waiter_lanes.hpp"

#include <algorithm>

namespace belay::resilience {

namespace {

constexpr std::array all_lanes{Lane::health, Lane::high, Lane::normal, Lane::low};
// Divisible by 1…10 and many more: at a million services a second the clocks last for a century.
constexpr std::uint64_t clock_unit = 5040;

constexpr std::size_t index_of(Lane lane) noexcept { return static_cast<std::size_t>(lane); }

}  // namespace

std::string_view name_of(Lane lane) noexcept {
  switch (lane) {
    case Lane::health: return "health";
    case Lane::high: return "high";
    case Lane::normal: return "normal";
    case Lane::low: return "low";
  }
  return "unknown";
}

std::string_view name_of(BulkheadRefusal reason) noexcept {
  switch (reason) {
    case BulkheadRefusal::queue_full: return "queue_full";
    case BulkheadRefusal::predicted_wait: return "predicted_wait";
    case BulkheadRefusal::deadline: return "deadline";
    case BulkheadRefusal::shed: return "shed";
  }
  return "unknown";
}

void WaiterList::append(LaneWaiter& waiter) noexcept {
  waiter.before_ = tail_;
  waiter.behind_ = nullptr;
  waiter.linked_ = true;
  (tail_ ? tail_->behind_ : head_) = &waiter;
  tail_ = &waiter;
  ++size_;
}

void WaiterList::remove(LaneWaiter& waiter) noexcept {
  (waiter.before_ ? waiter.before_->behind_ : head_) = waiter.behind_;
  (waiter.behind_ ? waiter.behind_->before_ : tail_) = waiter.before_;
  waiter.before_ = waiter.behind_ = nullptr;
  waiter.linked_ = false;
  --size_;
}

WaiterLanes::WaiterLanes(LaneWeights weights) noexcept : weights_{1, weights.high, weights.normal, weights.low} {}

void WaiterLanes::append(LaneWaiter& waiter, Lane lane) noexcept {
  auto const index = index_of(lane);
  // A lane that was empty has no claim to the past.
  if (lists_[index].is_empty()) clocks_[index] = std::max(clocks_[index], now_);
  lists_[index].append(waiter);
  ++size_;
}

void WaiterLanes::remove(LaneWaiter& waiter, Lane lane) noexcept {
  lists_[index_of(lane)].remove(waiter);
  --size_;
}

LaneWaiter& WaiterLanes::take_next() noexcept {
  auto chosen = index_of(Lane::health);
  if (lists_[chosen].is_empty()) {
    bool found = false;
    for (auto const lane : {Lane::high, Lane::normal, Lane::low}) {
      auto const index = index_of(lane);
      if (lists_[index].is_empty() || (found && clocks_[index] >= clocks_[chosen])) continue;
      chosen = index;
      found = true;
    }
    now_ = clocks_[chosen];
    clocks_[chosen] += clock_unit / weights_[chosen];
  }
  auto& waiter = *lists_[chosen].oldest();
  lists_[chosen].remove(waiter);
  --size_;
  return waiter;
}

std::uint64_t WaiterLanes::ahead_of(Lane lane, std::uint32_t position, Lane lowest) const noexcept {
  std::uint64_t ahead = position - 1;
  for (auto const other : all_lanes) {
    if (other == lane || other > lowest) continue;
    std::uint64_t const waiting = size(other);
    if (other == Lane::health) {
      ahead += waiting;
    } else if (lane != Lane::health) {
      auto const weight = std::uint64_t{weights_[index_of(lane)]};
      auto const turns = (std::uint64_t{position} * weights_[index_of(other)] + weight - 1) / weight;
      ahead += std::min(waiting, turns);
    }
  }
  return ahead;
}

}  // namespace belay::resilience
