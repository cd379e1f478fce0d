#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "belay/core/deadline.hpp"
#include "belay/pool/deadline_heap.hpp"
#include "belay/pool/intrusive_list.hpp"
#include "belay/pool/waiter.hpp"

namespace belay::pool {

/// Those who wait for a lease: strictly first come, first served within a lane; the lanes by weight.
///
/// Deadlines are kept beside the order, so that the earliest is known at once. The nodes belong to the callers.
class WaiterQueue {
 public:
  using time_point = Deadline::time_point;

  /// Room for the deadlines of so many waiters, offered ones included.
  void reserve(std::size_t waiters) { deadlines_.reserve(waiters); }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  std::size_t exclusive() const noexcept { return exclusive_; }
  /// Waiters that would be served before a newcomer of that lane.
  std::size_t ahead_of(Lane) const noexcept;
  /// When the one that waits longest came; time_point::max() when nobody waits.
  time_point oldest() const noexcept;

  /// Behind all others of its lane.
  void push(Waiter&) noexcept;
  /// To where it was: it had been offered a stream that is gone. Before all of its lane that came later.
  void put_back(Waiter&) noexcept;
  /// Whose turn it is; null when nobody waits. Stays the same until the head is popped or removed, or another lane's
  /// waiter comes that precedes it.
  Waiter* head() const noexcept;
  /// Takes the head out because it is served: its lane has had its turn.
  void pop_served(Waiter& head) noexcept;
  /// Takes it out from wherever it is.
  void remove(Waiter&) noexcept;

  /// Waiting or offered, by deadline.
  void watch(Waiter& waiter, time_point deadline) noexcept { deadlines_.set(waiter, deadline); }
  void unwatch(Waiter& waiter) noexcept { deadlines_.remove(waiter); }
  time_point earliest_deadline() const noexcept { return deadlines_.earliest(); }
  Waiter* first_to_expire() const noexcept { return deadlines_.front(); }

  /// All that wait, lane by lane.
  template <class Visit>
  void for_each(Visit visit) const {
    for (auto const& lane : lanes_) {
      for (auto* waiter = lane.waiters.front(); waiter != nullptr; waiter = next(*waiter)) visit(*waiter);
    }
  }

 private:
  using List = IntrusiveList<Waiter, &Waiter::link_>;
  struct LaneQueue {
    List waiters;
    std::uint64_t turn = 0;  ///< stride scheduling: the lane with the smallest goes first
  };

  static Waiter* next(Waiter const& waiter) noexcept { return List::next(waiter); }
  LaneQueue& lane_of(Waiter const&) noexcept;
  void count_in(Waiter const&, LaneQueue&) noexcept;
  std::size_t index_of_next_lane() const noexcept;

  std::array<LaneQueue, lanes> lanes_;
  DeadlineHeap<Waiter> deadlines_;
  std::size_t size_ = 0;
  std::size_t exclusive_ = 0;
  std::uint64_t turn_ = 0;  ///< of the lane served last
};

}  // namespace belay::pool
