#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "belay/core/deadline.hpp"

namespace belay::resilience {

/// How urgent a call is. `health` goes before all others; the others share by weight, so that none starves.
enum class Lane { health, high, normal, low };
inline constexpr std::size_t lane_count = 4;
std::string_view name_of(Lane) noexcept;

/// Why a bulkhead turned a call away.
enum class BulkheadRefusal {
  queue_full,
  predicted_wait,  ///< it would wait longer than its lane's share of its budget
  deadline,        ///< its time was over, or nearly, when its turn came
  shed             ///< given up for a call of a higher lane
};
std::string_view name_of(BulkheadRefusal) noexcept;

/// A call in a queue. It lives in the caller (a coroutine's frame), so queueing allocates nothing; it must stay where
/// it is, and be withdrawn or resumed before it dies.
///
///     idle ──> queued ──> offered ──> accepted
///              queued, offered ──> withdrawn            queued ──> refused
class LaneWaiter {
 public:
  enum class State { idle, queued, offered, accepted, withdrawn, refused };

  LaneWaiter() = default;
  LaneWaiter(LaneWaiter const&) = delete;
  LaneWaiter& operator=(LaneWaiter const&) = delete;

  State state() const noexcept { return state_; }
  Lane lane() const noexcept { return lane_; }
  Deadline deadline() const noexcept { return deadline_; }
  /// When it was queued.
  Deadline::time_point since() const noexcept { return since_; }
  /// Meaningful when refused.
  BulkheadRefusal reason() const noexcept { return reason_; }

 protected:
  ~LaneWaiter() = default;

 private:
  friend class Bulkhead;
  friend class WaiterList;
  LaneWaiter* before_ = nullptr;
  LaneWaiter* behind_ = nullptr;
  bool linked_ = false;
  State state_ = State::idle;
  Lane lane_ = Lane::normal;
  BulkheadRefusal reason_ = BulkheadRefusal::queue_full;
  Deadline deadline_ = Deadline::never();
  Deadline::time_point since_;
};

/// Waiters in the order of their arrival; each operation takes constant time.
class WaiterList {
 public:
  bool is_empty() const noexcept { return head_ == nullptr; }
  std::uint32_t size() const noexcept { return size_; }
  LaneWaiter* oldest() const noexcept { return head_; }
  LaneWaiter* newest() const noexcept { return tail_; }
  void append(LaneWaiter&) noexcept;
  /// The waiter must be in this list.
  void remove(LaneWaiter&) noexcept;

 private:
  LaneWaiter* head_ = nullptr;
  LaneWaiter* tail_ = nullptr;
  std::uint32_t size_ = 0;
};

/// Shares of the lanes that wait, relative to each other. 1…100 each.
struct LaneWeights {
  std::uint32_t high = 8;
  std::uint32_t normal = 4;
  std::uint32_t low = 1;
};

/// One queue per lane, first come first served within a lane. `health` is served first; among the others each service
/// moves its lane's clock on by 1 / weight and the lane whose clock is behind comes next. Hence, while a lane has a
/// waiter, another lane o is served at most ceil(weight_o / weight) + 1 times before it.
///
/// Plain state, not thread-safe, no allocation. Source: start-time fair queueing, P. Goyal, H. Vin, H. Cheng, ACM
/// SIGCOMM 1996.
class WaiterLanes {
 public:
  explicit WaiterLanes(LaneWeights) noexcept;

  bool is_empty() const noexcept { return size_ == 0; }
  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t size(Lane lane) const noexcept { return list(lane).size(); }
  LaneWaiter* newest(Lane lane) const noexcept { return list(lane).newest(); }

  void append(LaneWaiter&, Lane) noexcept;
  void remove(LaneWaiter&, Lane) noexcept;
  /// Takes out whose turn it is; there must be one.
  LaneWaiter& take_next() noexcept;

  /// How many are served before the one that stands at `position` (1: first) of the lane, by the lengths of the queues
  /// now; lanes below `lowest` count as empty.
  std::uint64_t ahead_of(Lane lane, std::uint32_t position, Lane lowest = Lane::low) const noexcept;

 private:
  WaiterList const& list(Lane lane) const noexcept { return lists_[static_cast<std::size_t>(lane)]; }

  std::array<WaiterList, lane_count> lists_;
  std::array<std::uint32_t, lane_count> weights_;
  std::array<std::uint64_t, lane_count> clocks_{};  ///< in 1 / clock_unit services of a lane of weight 1
  std::uint64_t now_ = 0;                           ///< the clock of the lane served last
  std::uint32_t size_ = 0;
};

}  // namespace belay::resilience
