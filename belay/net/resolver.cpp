#include "belay/net/resolver.hpp"

#include <memory>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belay/core/error.hpp"
#include "belay/net/detail/connect_socket.hpp"
#include "belay/net/detail/race.hpp"

namespace belay::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

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

class SystemResolver final : public Resolver {
 public:
  asio::awaitable<Endpoints> resolve(std::string host, std::string port, Deadline deadline) override {
    auto const what = "resolve " + host + ":" + port;
    // The answer may be at hand before the timer is looked at.
    if (deadline.expired()) throw detail::late_error(what);
    error_code error;
    auto endpoints = co_await async_resolve(host, port, deadline, error);
    if (error == asio::error::timed_out) throw detail::late_error(what);
    if (error || endpoints.empty()) throw detail::connect_error(error, what);
    co_return endpoints;
  }
};

}  // namespace

Resolver& system_resolver() noexcept {
  static SystemResolver resolver;
  return resolver;
}

asio::awaitable<std::vector<tcp::endpoint>> resolve(std::string host, std::string port, Deadline deadline) {
  return system_resolver().resolve(std::move(host), std::move(port), deadline);
}

}  // namespace belay::net
