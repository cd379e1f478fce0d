#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <boost/asio/any_io_executor.hpp>

#include "belay/net/byte_stream.hpp"

namespace belay::net {

/// Two streams in memory, each the peer of the other: a connection without a socket, for tests and simulations.
///
/// Each direction holds at most `capacity` bytes (> 0); a write waits while it is full. What a socket's kernel does is
/// imitated: a shut-down direction is read to its end and then gives eof; closing one end makes the other's reads give
/// eof after what is buffered, and its writes fail with broken_pipe. Nothing depends on time: the same calls complete
/// in the same order, each by a post to the executor.
///
/// Both ends belong to the one executor, which must run on one thread at a time.
std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>> make_memory_streams(boost::asio::any_io_executor,
                                                                                        std::size_t capacity = 65536);

}  // namespace belay::net
