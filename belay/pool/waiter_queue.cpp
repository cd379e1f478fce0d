#include "belay/pool/waiter_queue.hpp"

#include <algorithm>

namespace belay::pool {

namespace {

constexpr std::size_t health_lane = 0;
// What one service costs a lane: the inverse of its weight, 8 : 3 : 1. `health` goes first whatever it costs.
constexpr std::array<std::uint64_t, lanes> stride = {0, 3, 8, 24};

}  // namespace

std::size_t WaiterQueue::ahead_of(Lane lane) const noexcept {
  std::size_t waiters = 0;
  for (std::size_t i = 0; i <= static_cast<std::size_t>(lane); ++i) waiters += lanes_[i].waiters.size();
  return waiters;
}

WaiterQueue::time_point WaiterQueue::oldest() const noexcept {
  auto oldest = time_point::max();
  for (auto const& lane : lanes_) {
    if (!lane.waiters.empty()) oldest = std::min(oldest, lane.waiters.front()->enqueued_at_);
  }
  return oldest;
}

void WaiterQueue::push(Waiter& waiter) noexcept {
  auto& lane = lane_of(waiter);
  count_in(waiter, lane);
  lane.waiters.push_back(waiter);
}

void WaiterQueue::put_back(Waiter& waiter) noexcept {
  auto& lane = lane_of(waiter);
  count_in(waiter, lane);
  auto* position = lane.waiters.front();
  while (position != nullptr && position->ticket_ < waiter.ticket_) position = List::next(*position);
  lane.waiters.insert_before(position, waiter);
}

Waiter* WaiterQueue::head() const noexcept {
  return size_ == 0 ? nullptr : lanes_[index_of_next_lane()].waiters.front();
}

void WaiterQueue::pop_served(Waiter& head) noexcept {
  auto& lane = lane_of(head);
  turn_ = std::max(turn_, lane.turn);
  lane.turn += stride[static_cast<std::size_t>(head.request.lane)];
  remove(head);
}

void WaiterQueue::remove(Waiter& waiter) noexcept {
  lane_of(waiter).waiters.remove(waiter);
  --size_;
  if (waiter.request.kind == LeaseKind::exclusive) --exclusive_;
}

WaiterQueue::LaneQueue& WaiterQueue::lane_of(Waiter const& waiter) noexcept {
  return lanes_[static_cast<std::size_t>(waiter.request.lane)];
}

void WaiterQueue::count_in(Waiter const& waiter, LaneQueue& lane) noexcept {
  // A lane that was empty has no claim to the turns it did not need.
  if (lane.waiters.empty()) lane.turn = std::max(lane.turn, turn_);
  ++size_;
  if (waiter.request.kind == LeaseKind::exclusive) ++exclusive_;
}

std::size_t WaiterQueue::index_of_next_lane() const noexcept {
  if (!lanes_[health_lane].waiters.empty()) return health_lane;
  std::size_t next = 0;
  for (std::size_t i = 1; i < lanes; ++i) {
    if (lanes_[i].waiters.empty()) continue;
    if (next == 0 || lanes_[i].turn < lanes_[next].turn) next = i;
  }
  return next;
}

}  // namespace belay::pool
