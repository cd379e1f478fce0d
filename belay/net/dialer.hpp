#pragma once

#include <memory>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "belay/core/deadline.hpp"
#include "belay/net/byte_stream.hpp"
#include "belay/net/socket_options.hpp"

namespace belay::net {

/// Where connections come from: the system's TCP, or a simulated network.
class Dialer {
 public:
  virtual ~Dialer() = default;

  /// Connects to one address, on the calling coroutine's executor. Ends promptly when cancelled.
  ///
  /// Throws belay::Error, never sent: transport with the system's reason as the detail "reason" and its name for it
  /// ("ECONNREFUSED") as engine code, timeout_local at the deadline, cancelled.
  virtual boost::asio::awaitable<std::unique_ptr<ByteStream>> dial(boost::asio::ip::tcp::endpoint, SocketOptions,
                                                                   Deadline) = 0;
};

/// Lives as long as the program; thread-safe.
Dialer& system_dialer() noexcept;

}  // namespace belay::net
