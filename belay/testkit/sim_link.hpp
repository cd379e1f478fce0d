#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "belay/core/random.hpp"

namespace belay::testkit {

using Host = boost::asio::ip::address;
using Address = boost::asio::ip::tcp::endpoint;

/// How bytes travel from one host to another: one direction.
struct LinkOptions {
  std::chrono::nanoseconds latency = std::chrono::microseconds(250);  ///< one way, >= 0
  std::chrono::nanoseconds jitter{0};  ///< added to each segment, uniform up to this, >= 0; order is kept
  std::optional<std::uint64_t> bytes_per_second = std::nullopt;  ///< >= 1; none: no limit
  /// >= 1: writes are cut into segments of so many bytes, and a read returns at most one; none: as written and as
  /// asked.
  std::optional<std::size_t> segment_bytes = std::nullopt;
  std::size_t buffer_bytes = 65536;  ///< sent and not yet read, >= 1: a write waits while it is full
  /// > 0: what keepalive and TCP_USER_TIMEOUT do: an end that has been cut off for so long fails with timed_out.
  /// None: a dead peer is never noticed.
  std::optional<std::chrono::nanoseconds> dead_peer_after = std::nullopt;
};

/// Throws belay::Error(request) that names the option which is out of its range.
void check(LinkOptions const&);

/// How a connection comes to an unnatural end.
enum class Ending {
  close,      ///< both ends read eof, as when a middlebox or a dying process closes in good order
  reset,      ///< RST: both ends fail with connection_reset; what had not arrived is lost
  black_hole  ///< nothing passes any more, either way, and nobody is told
};

/// What happens to somebody who connects.
enum class Arrival {
  accept,             ///< a listener takes it; without one it is refused
  refuse,             ///< connection_refused, after one round trip
  black_hole,         ///< no answer: the attempt goes on until its deadline
  unreachable,        ///< host_unreachable, at once
  accept_then_close,  ///< connected, then closed without a byte
  accept_then_reset   ///< connected, then reset
};

/// The direction of bytes in a connection.
enum class Flow { to_server, to_client };

/// Lets exactly so many bytes of one direction through; when the last of them arrives, the connection ends.
struct Cut {
  std::uint64_t after_bytes = 0;
  Ending ending = Ending::reset;
};

/// What is wrong with one connection. By default nothing.
struct ConnectionFaults {
  Arrival arrival = Arrival::accept;
  std::optional<Cut> cut_to_server = std::nullopt;
  std::optional<Cut> cut_to_client = std::nullopt;
  std::optional<LinkOptions> link = std::nullopt;  ///< for both directions, instead of the links' own
  /// Ends the connection at this age, > 0.
  std::optional<std::chrono::nanoseconds> ends_after = std::nullopt;
  Ending ending = Ending::reset;  ///< how, for ends_after
};

/// One call of connect(), for which faults may be planned.
struct ConnectAttempt {
  std::uint64_t number = 0;  ///< counts all attempts of the network, from 1
  Host from;
  Address to;
};

using FaultPlan = std::function<ConnectionFaults(ConnectAttempt const&)>;

/// Probabilities in [0, 1], each drawn for itself; the first arrival that is drawn holds.
struct FaultRates {
  double refuse = 0;
  double black_hole = 0;
  double accept_then_close = 0;
  double accept_then_reset = 0;
  double cut = 0;       ///< one direction, after 0 … cut_within_bytes bytes, with an ending drawn among the three
  double fragment = 0;  ///< segments of 1 … 8 bytes
  double end = 0;       ///< at an age of up to end_within
  std::uint64_t cut_within_bytes = 4096;                           ///< >= 1
  std::chrono::nanoseconds end_within = std::chrono::seconds(60);  ///< > 0
};

/// A plan that draws the faults of each connection. Throws belay::Error(request) for a rate out of its range.
FaultPlan seeded_faults(Random, FaultRates, LinkOptions link = LinkOptions());

}  // namespace belay::testkit
