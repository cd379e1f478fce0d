#pragma once

#include <memory>
#include <string>

#include <boost/asio/local/stream_protocol.hpp>

#include "belay/core/deadline.hpp"
#include "belay/net/byte_stream.hpp"

namespace belay::net {

/// Wraps a connected Unix-domain socket.
std::unique_ptr<ByteStream> make_unix_stream(boost::asio::local::stream_protocol::socket);

/// Connects to the socket at a path, on the calling coroutine's executor.
///
/// Throws belay::Error: request when the path is longer than the system allows (107 bytes), transport (never sent)
/// that names the path and the system's reason, timeout_local at the deadline.
boost::asio::awaitable<std::unique_ptr<ByteStream>> connect_unix(std::string path, Deadline);

}  // namespace belay::net
