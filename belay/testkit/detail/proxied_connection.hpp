#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "belay/testkit/detail/proxy_ledger.hpp"
#include "belay/testkit/faulty_link.hpp"

namespace belay::testkit::detail {

/// The two sockets of one connection, and the bytes between them: performs what its FaultyLink decides.
///
/// Reads and writes are attempted, never left pending: a pending write could send bytes after the rule that forbids
/// them has begun. Everything happens on the executor of the client's socket, a strand.
class ProxiedConnection : public std::enable_shared_from_this<ProxiedConnection> {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Endpoints = std::vector<boost::asio::ip::tcp::endpoint>;
  using time_point = FaultyLink::time_point;

  /// What all connections of a proxy share.
  struct Surroundings {
    Endpoints target;
    std::chrono::nanoseconds connect_timeout;
    std::shared_ptr<ProxyLedger> ledger;
  };

  /// on_end is called once, when the sockets are closed.
  ProxiedConnection(std::uint64_t number, Socket client, FaultyLink, std::shared_ptr<Surroundings const>,
                    std::function<void()> on_end);

  void start() { turn(); }
  /// In force at once; what follows from it is done by a turn of its own, since an observer may be the caller.
  void apply(AppliedPlan const&);
  void command(FaultKind, std::string_view cause);
  /// Closes in good order, because the proxy stops.
  void stop();

 private:
  using Ending = FaultyLink::Ending;
  enum class Phase : std::uint8_t { opening, connecting, open, resetting, over };

  /// One direction: from a socket, through a queue, to the other socket.
  struct Flow {
    Direction direction;
    Socket& from;
    Socket& to;
    std::deque<std::vector<std::byte>> queue;
    std::size_t front_taken = 0;  ///< bytes of queue.front() that have passed
    bool is_readable = false;     ///< there may be something to read
    bool awaits_readable = false;
    bool awaits_writable = false;
  };

  /// Does whatever may be done now, then waits for the next occasion.
  void turn();
  void open_target(time_point now);
  void on_connected(boost::system::error_code, boost::asio::ip::tcp::endpoint const&);
  void take_in(Flow&, time_point now);
  void give_out(Flow&, time_point now);
  bool pass(Flow&, std::size_t bytes, time_point now);
  void drop(Flow&, std::size_t bytes);
  void end_direction(Flow&, FaultyLink::Step const&);
  void end(FaultyLink::Step const&, time_point now);
  void reset_when_sent(time_point now);
  /// Counts before it closes: whoever sees the end finds it counted.
  void finish(FaultProxyEvent::Kind, std::string const& cause, Ending);
  void wake_at(time_point);
  void turn_again();
  void tell(FaultProxyEvent::Kind, std::string cause);

  std::uint64_t number_;
  Socket client_;
  Socket target_;
  FaultyLink link_;
  std::shared_ptr<Surroundings const> surroundings_;
  std::function<void()> on_end_;
  Flow up_{Direction::up, client_, target_, {}, 0, false, false, false};
  Flow down_{Direction::down, target_, client_, {}, 0, false, false, false};
  Phase phase_ = Phase::opening;
  boost::asio::steady_timer timer_;
  time_point wake_at_ = time_point::max();  ///< the earliest that this turn has found
  time_point timer_stands_at_ = time_point::max();
  bool turns_again_ = false;
  time_point give_up_at_ = time_point::max();  ///< connecting, or waiting until all is sent before a reset
  bool is_reset_by_peer_ = false;              ///< while resetting
  std::string reset_cause_;
};

/// Closes a socket by an RST.
void reset(boost::asio::ip::tcp::socket&) noexcept;

}  // namespace belay::testkit::detail
