#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>

#include "belay/core/deadline.hpp"
#include "belay/net/byte_stream.hpp"
#include "belay/net/resolver.hpp"

namespace belay::net {

/// Wraps a connected socket and sets TCP_NODELAY: what is written together is sent together, at once. For accepted
/// sockets; connect_tcp() sets all of SocketOptions.
std::unique_ptr<ByteStream> make_tcp_stream(boost::asio::ip::tcp::socket);

/// Connects to one address, on the calling coroutine's executor, with the default SocketOptions.
///
/// Throws belay::Error: transport (never sent) that names the address and the system's reason, timeout_local at the
/// deadline.
boost::asio::awaitable<std::unique_ptr<ByteStream>> connect_tcp(boost::asio::ip::tcp::endpoint, Deadline);

/// Resolves a name and races its addresses with the default ConnectOptions (connect.hpp). Errors as above; the sentence
/// names every address.
boost::asio::awaitable<std::unique_ptr<ByteStream>> connect_tcp(std::string host, std::string port, Deadline);

/// "127.0.0.1:8000", "[::1]:8000".
std::string to_string(boost::asio::ip::tcp::endpoint const&);

}  // namespace belay::net
