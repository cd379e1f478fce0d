#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "apps/casefile/http/service.hpp"
#include "apps/casefile/http/worker.hpp"

namespace casefile::http {

/// Accepts the connections of one address and hands each to a worker.
class Listener {
 public:
  /// Binds and listens, on `home`'s context. Throws boost::system::system_error. `next_worker` is called for each
  /// connection, on home's thread.
  Listener(Service&, boost::asio::ip::tcp::endpoint, Worker& home, std::function<Worker&()> next_worker);

  /// With the real port.
  boost::asio::ip::tcp::endpoint address() const;
  void start() { accept(); }
  /// On home's thread.
  void close() noexcept;

 private:
  void accept();
  void hand_over();
  void pause(boost::system::error_code reason);

  Service& service_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  std::function<Worker&()> next_worker_;
  Worker* worker_ = nullptr;  ///< the socket's
  std::optional<boost::asio::ip::tcp::socket> socket_;
  bool is_pausing_ = false;
};

/// The addresses "host:port" stands for; all there are for a name. Throws belay::Error (request) that says what is
/// wrong.
std::vector<boost::asio::ip::tcp::endpoint> endpoints_of(std::string const& listen);

}  // namespace casefile::http
