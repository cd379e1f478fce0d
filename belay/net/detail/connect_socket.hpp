#pragma once

#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include "belay/core/deadline.hpp"
#include "belay/core/error.hpp"

namespace belay::net::detail {

/// The deadline has passed: timeout_local. `what` is the attempt as it is told: "connect to 127.0.0.1:8000".
Error late_error(std::string const& what);

/// What a failure to reach somebody means: cancelled, or transport with the system's reason, which is also the detail
/// "reason", and the system's name for it as engine code. No code stands for "no address".
Error connect_error(boost::system::error_code, std::string const& what);

/// Connects a socket within a deadline. Closing the socket is what interrupts it, so `socket` is of no use after a
/// failure. `name` is the address as it is told in the Error.
template <class Socket>
boost::asio::awaitable<void> connect_socket(Socket& socket, typename Socket::endpoint_type endpoint, std::string name,
                                            Deadline deadline) {
  struct Attempt {
    Socket& socket;
    bool is_late;
  };
  auto const attempt = std::make_shared<Attempt>(Attempt{socket, deadline.expired()});
  boost::system::error_code error;
  if (!attempt->is_late) {
    boost::asio::steady_timer timer(socket.get_executor(), deadline.at());
    // Weak: the timer may have fired and its handler be queued when the connection is already made and we are gone.
    timer.async_wait([running = std::weak_ptr<Attempt>(attempt)](boost::system::error_code stopped) {
      auto const late = running.lock();
      if (stopped || !late) return;
      late->is_late = true;
      late->socket.close(stopped);
    });
    co_await socket.async_connect(endpoint, boost::asio::redirect_error(boost::asio::use_awaitable, error));
  }
  if (attempt->is_late) throw late_error("connect to " + name);
  if (error) throw connect_error(error, "connect to " + name);
}

}  // namespace belay::net::detail
