#include "apps/casefile/http/listener.hpp"

#include <charconv>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <spdlog/spdlog.h>

#include "belay/core/error.hpp"
#include "belay/net/tcp_stream.hpp"

namespace casefile::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

/// How long accepting rests when the system has no descriptors or memory left: connections wait in the kernel then.
constexpr std::chrono::milliseconds accept_pause{100};

/// Connections beyond connections_max that still get their 503; more are closed without a word.
constexpr std::size_t turned_away_max = 64;

belay::Error bad_listen(std::string const& listen, std::string const& why) {
  return {belay::ErrorClass::request, belay::SendState::never_sent,
          "cannot listen on '" + listen + "': " + why + "; write host:port, like 127.0.0.1:8000 or [::1]:8000"};
}

}  // namespace

std::vector<tcp::endpoint> endpoints_of(std::string const& listen) {
  auto const colon = listen.rfind(':');
  if (colon == std::string::npos) throw bad_listen(listen, "it has no port");
  auto host = listen.substr(0, colon);
  auto const port_text = std::string_view(listen).substr(colon + 1);
  std::uint16_t port = 0;
  auto const parsed = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != port_text.data() + port_text.size()) {
    throw bad_listen(listen, "its port is not a number from 0 to 65535");
  }
  bool const is_bracketed = host.starts_with('[') && host.ends_with(']');
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  if (!is_bracketed && host.find(':') != std::string::npos) throw bad_listen(listen, "IPv6 goes into brackets");
  if (host.empty()) throw bad_listen(listen, "it has no host");

  error_code error;
  auto const address = asio::ip::make_address(host, error);
  if (!error) return {tcp::endpoint(address, port)};
  asio::io_context context;
  tcp::resolver resolver(context);
  std::vector<tcp::endpoint> endpoints;
  auto const results = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error);
  for (auto const& result : results) endpoints.push_back(result.endpoint());
  if (endpoints.empty()) throw bad_listen(listen, "the host is not known: " + error.message());
  return endpoints;
}

Listener::Listener(Service& service, tcp::endpoint endpoint, Worker& home, std::function<Worker&()> next_worker)
    : service_(service), acceptor_(home.context()), pause_(home.context()), next_worker_(std::move(next_worker)) {
  acceptor_.open(endpoint.protocol());
  acceptor_.set_option(tcp::acceptor::reuse_address(true));
  if (endpoint.address().is_v6()) acceptor_.set_option(asio::ip::v6_only(true));
  acceptor_.bind(endpoint);
  acceptor_.listen(service_.options.backlog);
}

tcp::endpoint Listener::address() const {
  error_code error;
  auto const endpoint = acceptor_.local_endpoint(error);
  return error ? tcp::endpoint() : endpoint;
}

void Listener::accept() {
  worker_ = &next_worker_();
  socket_.emplace(worker_->context());
  acceptor_.async_accept(*socket_, [this](error_code error) {
    if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (error && error != asio::error::connection_aborted) return pause(error);
    is_pausing_ = false;
    if (!error) hand_over();
    accept();
  });
}

void Listener::hand_over() {
  auto const connections = service_.connections.fetch_add(1);
  auto const connections_max = service_.options.connections_max;
  if (connections >= connections_max + turned_away_max) {
    service_.connections.fetch_sub(1);
    return;
  }
  worker_->adopt(std::move(*socket_),
                 connections < connections_max ? Worker::Welcome::serve : Worker::Welcome::turn_away);
}

void Listener::pause(error_code reason) {
  if (!std::exchange(is_pausing_, true)) spdlog::warn("cannot accept connections: {}", reason.message());
  pause_.expires_after(accept_pause);
  pause_.async_wait([this](error_code error) {
    if (!error && acceptor_.is_open()) accept();
  });
}

void Listener::close() noexcept {
  error_code ignored;  // the descriptor is released whatever close() says
  acceptor_.close(ignored);
  pause_.cancel();
}

}  // namespace casefile::http
