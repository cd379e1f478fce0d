#pragma once

#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "belay/core/deadline.hpp"

namespace belay::net {

/// Where the addresses of a host come from: the system's resolver, or a test's.
class Resolver {
 public:
  virtual ~Resolver() = default;

  /// The addresses in the order they should be preferred, at least one; `host` is numeric or a name, `port` a number or
  /// a service's name. On the calling coroutine's executor.
  ///
  /// Throws belay::Error, never sent: transport when there is no address or no answer, timeout_local at the deadline,
  /// cancelled.
  virtual boost::asio::awaitable<std::vector<boost::asio::ip::tcp::endpoint>> resolve(std::string host,
                                                                                      std::string port, Deadline) = 0;
};

/// getaddrinfo(3), which honours /etc/hosts and orders by RFC 6724. Gives up at the deadline even though the call
/// cannot be interrupted: its late answer is dropped. Lives as long as the program; thread-safe.
Resolver& system_resolver() noexcept;

/// The same as a function.
boost::asio::awaitable<std::vector<boost::asio::ip::tcp::endpoint>> resolve(std::string host, std::string port,
                                                                            Deadline);

}  // namespace belay::net
