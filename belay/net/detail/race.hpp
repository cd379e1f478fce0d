#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include "belay/core/deadline.hpp"

namespace belay::net::detail {

/// One completion that an operation, its deadline and the caller's cancellation race for: the first wins, the others
/// find it done. For operations that cannot be interrupted themselves, on cold paths.
///
/// Completes with (error_code, Result); asio::error::timed_out stands for the deadline. Lives as long as somebody who
/// may still settle it. Not thread-safe: everything happens on the executor.
template <class Result>
class Race : public std::enable_shared_from_this<Race<Result>> {
 public:
  using Handler = boost::asio::any_completion_handler<void(boost::system::error_code, Result)>;

  Race(boost::asio::any_io_executor const& executor, Handler handler) : timer_(executor) {
    handler_.emplace(std::move(handler));
  }

  void start(Deadline deadline) {
    auto slot = boost::asio::get_associated_cancellation_slot(*handler_);
    if (slot.is_connected()) {
      slot.assign([race = this->weak_from_this()](boost::asio::cancellation_type) {
        if (auto const running = race.lock()) running->settle(boost::asio::error::operation_aborted, Result());
      });
    }
    if (deadline.is_never()) return;
    timer_.expires_at(deadline.at());
    timer_.async_wait([race = this->shared_from_this()](boost::system::error_code error) {
      if (!error) race->settle(boost::asio::error::timed_out, Result());
    });
  }

  void settle(boost::system::error_code error, Result result) {
    if (!handler_) return;
    auto handler = std::move(*handler_);
    handler_.reset();
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.clear();
    timer_.cancel();
    boost::asio::post(timer_.get_executor(), boost::asio::append(std::move(handler), error, std::move(result)));
  }

 private:
  boost::asio::steady_timer timer_;
  std::optional<Handler> handler_;
};

}  // namespace belay::net::detail
