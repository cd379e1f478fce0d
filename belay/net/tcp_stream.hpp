#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "belay/core/deadline.hpp"
#include "belay/net/byte_stream.hpp"

namespace belay::net {

/// Wraps a connected socket and sets TCP_NODELAY: what is written together is sent together, at once.
std::unique_ptr<ByteStream> make_tcp_stream(boost::asio::ip::tcp::socket);

/// Connects to one address, on the calling coroutine's executor.
///
/// Throws belay::Error: transport (never sent) that names the address and the system's reason, timeout_local at the
/// deadline.
boost::asio::awaitable<std::unique_ptr<ByteStream>> connect_tcp(boost::asio::ip::tcp::endpoint, Deadline);

/// Resolves a name, then tries its addresses in their order until one answers. Errors as above; the last address's
/// failure is the one that is told.
boost::asio::awaitable<std::unique_ptr<ByteStream>> connect_tcp(std::string host, std::string port, Deadline);

/// The addresses of a host, numeric or a name; `port` is a number or a service's name. Gives up at the deadline even
/// though the system's resolver cannot be interrupted: its late answer is dropped.
boost::asio::awaitable<std::vector<boost::asio::ip::tcp::endpoint>> resolve(std::string host, std::string port,
                                                                            Deadline);

/// "127.0.0.1:8000", "[::1]:8000".
std::string to_string(boost::asio::ip::tcp::endpoint const&);

}  // namespace belay::net
