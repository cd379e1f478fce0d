#include "belay/net/tcp_stream.hpp"

#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belay/core/error.hpp"
#include "belay/net/detail/connect_socket.hpp"
#include "belay/net/detail/race.hpp"
#include "belay/net/detail/socket_stream.hpp"

namespace belay::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

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
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await detail::connect_socket(socket, endpoint, to_string(endpoint), deadline);
  co_return make_tcp_stream(std::move(socket));
}

asio::awaitable<std::unique_ptr<ByteStream>> connect_tcp(std::string host, std::string port, Deadline deadline) {
  auto const endpoints = co_await resolve(std::move(host), std::move(port), deadline);
  for (std::size_t i = 0;; ++i) {
    bool const is_last = i + 1 == endpoints.size();
    try {
      co_return co_await connect_tcp(endpoints[i], deadline);
    } catch (Error const& error) {
      if (is_last || error.error_class() != ErrorClass::transport) throw;
    }
  }
}

namespace {

using Endpoints = std::vector<tcp::endpoint>;
using ResolveRace = detail::Race<Endpoints>;

/// The resolver's thread keeps the race alive until it is done, long after the caller has stopped waiting.
void start_resolving(ResolveRace::Handler handler, asio::any_io_executor executor, std::string const& host,
                     std::string const& port, Deadline deadline) {
  auto const race = std::make_shared<ResolveRace>(executor, std::move(handler));
  auto const resolver = std::make_shared<tcp::resolver>(executor);
  race->start(deadline);
  resolver->async_resolve(host, port, [race, resolver](error_code error, tcp::resolver::results_type const& results) {
    Endpoints endpoints;
    for (auto const& result : results) endpoints.push_back(result.endpoint());
    race->settle(error, std::move(endpoints));
  });
}

asio::awaitable<Endpoints> async_resolve(std::string const& host, std::string const& port, Deadline deadline,
                                         error_code& error) {
  auto const executor = co_await asio::this_coro::executor;
  auto token = asio::redirect_error(asio::use_awaitable, error);
  co_return co_await asio::async_initiate<decltype(token), void(error_code, Endpoints)>(
      [&](auto handler) { start_resolving(ResolveRace::Handler(std::move(handler)), executor, host, port, deadline); },
      token);
}

}  // namespace

asio::awaitable<std::vector<tcp::endpoint>> resolve(std::string host, std::string port, Deadline deadline) {
  auto const what = "resolve " + host + ":" + port;
  // The answer may be at hand before the timer is looked at.
  if (deadline.expired()) throw detail::connect_error(asio::error::timed_out, what);
  error_code error;
  auto endpoints = co_await async_resolve(host, port, deadline, error);
  if (error || endpoints.empty()) throw detail::connect_error(error, what);
  co_return endpoints;
}

}  // namespace belay::net
