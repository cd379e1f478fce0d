#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "belay/testkit/detail/proxied_connection.hpp"
#include "belay/testkit/detail/proxy_ledger.hpp"
#include "belay/testkit/fault_gate.hpp"
#include "belay/testkit/fault_proxy.hpp"

namespace belay::testkit::detail {

/// The proxy's listening socket and the connections it has taken: performs what the FaultGate decides.
///
/// Everything but the constructor happens on the executor, a strand.
class ProxyListener : public std::enable_shared_from_this<ProxyListener> {
 public:
  using Endpoint = boost::asio::ip::tcp::endpoint;
  using time_point = FaultGate::time_point;

  /// Listens. Throws Error(transport) when that fails or the target has no address.
  ProxyListener(boost::asio::any_io_executor strand, FaultProxyOptions const&, FaultPlan, std::shared_ptr<ProxyLedger>);

  Endpoint const& endpoint() const noexcept { return endpoint_; }

  void start() { turn(); }
  void apply(std::shared_ptr<FaultPlan const>);
  /// `cause` outlives the connections.
  void command_all(FaultKind, std::string_view cause);
  void stop();

 private:
  /// Does whatever may be done now, then waits for the next occasion.
  void turn();
  void perform_gate(time_point now);
  void take_waiting_ones(time_point now);
  bool take_one(time_point now);
  void admit(boost::asio::ip::tcp::socket, Endpoint const& client, time_point now);
  bool open_socket(boost::system::error_code&);
  void listen_again(time_point now);
  void stop_listening();
  void await_connection();
  void wake_at(time_point);
  void trouble(boost::system::error_code, time_point now);
  void tell(FaultProxyEvent::Kind, std::uint64_t connection, std::string cause);

  boost::asio::any_io_executor strand_;
  std::shared_ptr<ProxyLedger> ledger_;
  std::shared_ptr<ProxiedConnection::Surroundings const> surroundings_;
  std::size_t connections_max_;
  std::size_t buffer_bytes_max_;
  Random random_;
  Endpoint endpoint_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer timer_;
  AppliedPlan plan_;
  FaultGate gate_;
  std::map<std::uint64_t, std::shared_ptr<ProxiedConnection>> connections_;
  std::uint64_t number_ = 0;           ///< of the connection that was accepted last
  std::uint64_t listening_since_ = 0;  ///< tells waits on this socket from those on one that was closed
  bool is_listening_ = false;
  bool is_acceptable_ = false;  ///< there may be a connection to take
  bool awaits_connection_ = false;
  bool is_stopped_ = false;
  bool is_turning_ = false;
  bool turns_again_ = false;
  time_point wake_at_ = time_point::max();
  time_point retry_at_ = time_point::min();
};

}  // namespace belay::testkit::detail
