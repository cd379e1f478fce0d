#pragma once

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "belay/core/await_safe.hpp"
#include "belay/core/deadline.hpp"
#include "belay/net/address_race.hpp"
#include "belay/net/byte_stream.hpp"
#include "belay/net/dialer.hpp"
#include "belay/net/family_memory.hpp"
#include "belay/net/resolver.hpp"
#include "belay/net/socket_options.hpp"

namespace belay::net {

/// How a host is reached. What it points to is not owned and must outlive the connect.
struct ConnectOptions {
  RaceOptions race;
  SocketOptions socket;
  Resolver* resolver = &system_resolver();
  Dialer* dialer = &system_dialer();
  FamilyMemory* memory = nullptr;  ///< of the endpoint; nullptr: nothing is remembered from one connect to the next
};

/// A connection and the address that it goes to.
struct TcpConnection {
  std::unique_ptr<ByteStream> stream;
  boost::asio::ip::tcp::endpoint address;
};

/// What must succeed on a connected stream before an address counts as good, TLS and the protocol's login say: returns
/// the stream to use, which wraps the one given, or throws, and the next address is tried. An Error keeps its class; a
/// system_error is taken for transport. Anything else ends the connect.
///
/// May run for two addresses at once (RaceOptions::hello_patience): what it keeps, it keeps in its own frame. Must end
/// promptly when cancelled.
using Hello = std::function<boost::asio::awaitable<std::unique_ptr<ByteStream>>(
    std::unique_ptr<ByteStream>, boost::asio::ip::tcp::endpoint, Deadline)>;

/// Resolves a name and connects to whichever of its addresses is good first (AddressRace), on the calling coroutine's
/// executor, which must run on one thread at a time. No attempt is left running when it ends.
///
/// Throws belay::Error, never sent: that of the resolver, or AddressRace::failure(), which names every address; request
/// when an option is out of its range.
boost::asio::awaitable<TcpConnection> connect_tcp(std::string host, std::string port, ConnectOptions, Deadline);

/// The same with a hello. A named lambda, or one that owns nothing: see AwaitSafe.
boost::asio::awaitable<TcpConnection> connect_tcp_with_hello(std::string host, std::string port, ConnectOptions, Hello,
                                                             Deadline);
template <AwaitSafe F>
boost::asio::awaitable<TcpConnection> connect_tcp(std::string host, std::string port, ConnectOptions options, F&& hello,
                                                  Deadline deadline) {
  return connect_tcp_with_hello(std::move(host), std::move(port), options, Hello(std::forward<F>(hello)), deadline);
}

// Both are written as temporaries inside co_await expressions.
static_assert(std::is_trivially_destructible_v<ConnectOptions>);

}  // namespace belay::net
