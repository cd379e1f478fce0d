#include "belay/net/detail/alarm.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

namespace belay::net::detail {

namespace asio = boost::asio;

asio::awaitable<void> Alarm::wait(Deadline until) {
  if (!has_rung_) {
    timer_.expires_at(until.at());
    boost::system::error_code ignored;  // the caller looks at what has changed, whatever woke it
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  has_rung_ = false;
}

void Alarm::ring() {
  has_rung_ = true;
  timer_.cancel();
}

}  // namespace belay::net::detail
