#pragma once

#include <chrono>
#include <optional>

#include <boost/asio/ip/tcp.hpp>

namespace belay::net {

/// What the kernel does for a connection. With the defaults a peer that is gone without a word (power cut, black hole)
/// is noticed within 20 s, in use or idle; without them a connection may hang for hours.
///
/// Checked where it is given: a value out of range is Error(request).
struct SocketOptions {
  /// SO_KEEPALIVE and its figures: when an idle peer is asked for a sign of life.
  struct KeepAlive {
    std::chrono::seconds idle = std::chrono::seconds(15);     ///< before the first question. 1 s…9 h
    std::chrono::seconds interval = std::chrono::seconds(5);  ///< between two questions. 1 s…9 h
    int probes = 3;                                           ///< unanswered ones that end the connection. 1…127
  };

  /// TCP_NODELAY: what is written together is sent together, at once.
  bool no_delay = true;
  std::optional<KeepAlive> keep_alive = KeepAlive();  ///< nullopt: an idle connection is never asked
  /// TCP_USER_TIMEOUT: how long sent data may stay unacknowledged before the connection is given up. It also bounds the
  /// questions of keep_alive. 1 s…24 h; nullopt: the kernel's own patience, a quarter of an hour by default.
  std::optional<std::chrono::milliseconds> user_timeout = std::chrono::seconds(20);
};

/// Error(request) that names the first option out of its range, and the range.
void validate(SocketOptions const&);

/// Sets them all on an open socket. Throws boost::system::system_error when the system refuses one.
void apply(SocketOptions const&, boost::asio::ip::tcp::socket&);

}  // namespace belay::net
