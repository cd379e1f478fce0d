#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/net/byte_stream.hpp"
#include "belay/testkit/sim_link.hpp"
#include "belay/testkit/sim_scheduler.hpp"

namespace belay::testkit {

namespace detail {
class SimNetworkState;
struct SimListenerState;
}  // namespace detail

/// Takes the connections of one address. Closing it (or its destructor) refuses newcomers and resets those not yet
/// accepted; connections that were accepted live on.
class SimListener {
 public:
  explicit SimListener(std::shared_ptr<detail::SimListenerState>);
  SimListener(SimListener&&) noexcept = default;
  SimListener& operator=(SimListener&&) = delete;
  ~SimListener();

  Address address() const noexcept;
  /// Throws boost::system::system_error(operation_aborted) once it is closed. Several may wait.
  boost::asio::awaitable<std::unique_ptr<net::ByteStream>> accept();
  void close() noexcept;

 private:
  std::shared_ptr<detail::SimListenerState> state_;
};

/// Hosts and the links between them, on a simulated scheduler: connections are ByteStreams.
///
/// What TCP does is imitated where a client can tell: latency and bandwidth, flow control, half-closing, resets on
/// data for a closed end, SYNs sent again after 1, 3, 7 … s, data held back by a partition and delivered after it heals
/// (the sender keeps sending), a backlog that drops SYNs when it is full. Every fault can be planned for a connection,
/// set for a link, or applied at any moment, so that a scenario schedules it by SimScheduler::schedule_at or draws it.
///
/// Not thread-safe; may be destroyed before or after its streams, but before the scheduler.
class SimNetwork {
 public:
  /// Throws belay::Error(request) for options out of range.
  explicit SimNetwork(SimScheduler&, LinkOptions defaults = LinkOptions());
  ~SimNetwork();
  SimNetwork(SimNetwork const&) = delete;
  SimNetwork& operator=(SimNetwork const&) = delete;

  /// Throws belay::Error(request) when the address is taken. `backlog`: connected and not yet accepted, >= 1.
  SimListener listen(Address, std::size_t backlog = 128);

  /// As net::connect_tcp: throws belay::Error: transport (never sent) that names the address and the reason,
  /// timeout_local at the deadline, cancelled.
  boost::asio::awaitable<std::unique_ptr<net::ByteStream>> connect(Host from, Address to, Deadline);
  /// Both ends of a connection, the client's first, without a listener and without waiting.
  std::pair<std::unique_ptr<net::ByteStream>, std::unique_ptr<net::ByteStream>> make_pair(
      Host from, Address to, ConnectionFaults faults = ConnectionFaults());

  // Faults. Links apply to segments sent from then on.

  void set_link(Host from, Host to, LinkOptions);
  void set_links_between(Host, Host, LinkOptions);
  /// Nothing passes in this direction until it is healed; what is sent meanwhile arrives afterwards.
  void partition(Host from, Host to);
  void partition_both_ways(Host, Host);
  void heal(Host from, Host to);
  void heal_both_ways(Host, Host);
  void heal_all();

  /// What newcomers to this address meet, whatever listens there; accept undoes it.
  void set_arrival(Address, Arrival);
  /// Asked once for each connect(); an empty function plans nothing.
  void set_plan(FaultPlan);

  struct Connection {
    std::uint64_t id = 0;
    Host from;
    Address to;
    std::uint64_t sent_to_server = 0;  ///< bytes that arrived
    std::uint64_t sent_to_client = 0;
  };
  /// Those with at least one end open, in the order they were made.
  std::vector<Connection> connections() const;
  /// Nothing happens when the connection is gone.
  void end(std::uint64_t id, Ending);
  void end_all(Address to, Ending);
  /// From now: `after_bytes` counts what is sent from here on.
  void cut(std::uint64_t id, Flow, Cut);

  struct Counts {
    std::uint64_t attempts = 0;     ///< connect() calls that began
    std::uint64_t established = 0;  ///< without make_pair()
    std::uint64_t refused = 0;
    std::uint64_t syns = 0;  ///< sent again ones included
    std::uint64_t resets = 0;
    std::uint64_t ended = 0;     ///< by a Cut, ends_after, end() or end_all()
    std::uint64_t segments = 0;  ///< that arrived
    std::uint64_t bytes = 0;
    std::uint64_t open = 0;  ///< connections with at least one end open, now
  };
  Counts counts() const noexcept;

 private:
  std::shared_ptr<detail::SimNetworkState> state_;
};

}  // namespace belay::testkit
