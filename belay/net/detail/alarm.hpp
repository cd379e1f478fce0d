#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include "belay/core/deadline.hpp"

namespace belay::net::detail {

/// Where one coroutine waits for an instant or for a ring, whichever comes first. Not thread-safe.
class Alarm {
 public:
  explicit Alarm(boost::asio::any_io_executor const& executor) : timer_(executor) {}

  static Deadline::time_point now() { return Deadline::clock::now(); }

  /// Returns at the instant, after a ring (also one that came before the wait), or when the coroutine is cancelled.
  boost::asio::awaitable<void> wait(Deadline until);
  void ring();

 private:
  boost::asio::steady_timer timer_;
  bool has_rung_ = false;
};

}  // namespace belay::net::detail
