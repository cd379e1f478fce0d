#include "belay/net/tcp_stream.hpp"

#include <utility>

#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include "belay/core/error.hpp"
#include "belay/net/connect.hpp"
#include "belay/net/detail/connect_socket.hpp"
#include "belay/net/detail/socket_stream.hpp"
#include "belay/net/dialer.hpp"

namespace belay::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

class SystemDialer final : public Dialer {
 public:
  asio::awaitable<std::unique_ptr<ByteStream>> dial(tcp::endpoint endpoint, SocketOptions options,
                                                    Deadline deadline) override {
    validate(options);
    tcp::socket socket(co_await asio::this_coro::executor);
    open(socket, endpoint, options);
    co_await detail::connect_socket(socket, endpoint, to_string(endpoint), deadline);
    co_return std::make_unique<detail::SocketStream<tcp>>(std::move(socket));
  }

 private:
  /// The options are set before there is a peer, who could be gone again by then and make them fail.
  static void open(tcp::socket& socket, tcp::endpoint const& endpoint, SocketOptions const& options) {
    try {
      socket.open(endpoint.protocol());
      apply(options, socket);
    } catch (boost::system::system_error const& error) {
      throw detail::connect_error(error.code(), "connect to " + to_string(endpoint));
    }
  }
};

}  // namespace

Dialer& system_dialer() noexcept {
  static SystemDialer dialer;
  return dialer;
}

std::unique_ptr<ByteStream> make_tcp_stream(tcp::socket socket) {
  error_code ignored;  // a peer that is gone already shows at the first read
  socket.set_option(tcp::no_delay(true), ignored);
  return std::make_unique<detail::SocketStream<tcp>>(std::move(socket));
}

std::string to_string(tcp::endpoint const& endpoint) {
  auto const address = endpoint.address().to_string();
  auto const port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

asio::awaitable<std::unique_ptr<ByteStream>> connect_tcp(tcp::endpoint endpoint, Deadline deadline) {
  return system_dialer().dial(std::move(endpoint), SocketOptions(), deadline);
}

asio::awaitable<std::unique_ptr<ByteStream>> connect_tcp(std::string host, std::string port, Deadline deadline) {
  auto connection = co_await connect_tcp(std::move(host), std::move(port), ConnectOptions(), deadline);
  co_return std::move(connection.stream);
}

}  // namespace belay::net
