#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "belay/core/deadline.hpp"

namespace belay::pool {

/// Plans when connections expire, so that never two do within one gap: a pool renews itself steadily, however many of
/// its connections were opened in one burst.
///
/// Instants lie on a grid, one gap apart; a lifetime is at least as many gaps long as there are connections, so a free
/// one is always left within it (the pigeonhole principle) and each connection gets the latest that suits it. Pure
/// state; allocates at construction only.
class ExpirySchedule {
 public:
  using time_point = Deadline::time_point;
  using duration = std::chrono::nanoseconds;
  using Ticket = std::uint32_t;

  struct Plan {
    time_point at;
    Ticket ticket;  ///< to be given back when the connection is gone
  };

  /// `origin` is any instant: the grid's phase. At most lifetime / gap connections are planned at once; gap > 0.
  ExpirySchedule(duration lifetime, duration gap, time_point origin);

  /// The latest free instant no later than `wish`, else the earliest after it within a lifetime from now.
  /// Expires at once when every instant is taken.
  Plan plan(time_point now, time_point wish) noexcept;
  void give_back(Ticket) noexcept;

  static constexpr Ticket no_ticket = ~Ticket{0};

 private:
  bool take_if_free(std::int64_t tick) noexcept;

  duration gap_;
  time_point origin_;
  std::vector<bool> taken_;  // by the instant's number on the grid, modulo the instants in a lifetime
};

}  // namespace belay::pool
