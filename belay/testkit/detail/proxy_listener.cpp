#include "belay/testkit/detail/proxy_listener.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "belay/core/error.hpp"
#include "belay/net/tcp_stream.hpp"

namespace belay::testkit::detail {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Kind = FaultProxyEvent::Kind;
using namespace std::chrono_literals;

namespace {

/// So that a storm of connections leaves the thread to the connections now and then.
constexpr int accepts_in_a_turn = 64;
/// After the system refused a descriptor, or the port.
constexpr auto pause_after_trouble = 50ms;

[[noreturn]] void fail(std::string const& what, error_code error) {
  throw Error(ErrorClass::transport, SendState::never_sent, "cannot " + what + ": " + error.message());
}

tcp::endpoint parse_endpoint(std::string const& address, std::uint16_t port) {
  error_code error;
  auto const parsed = asio::ip::make_address(address, error);
  if (error) {
    throw Error(ErrorClass::request, SendState::never_sent,
                "listen_address '" + address + "' is not a numeric address; write for example 127.0.0.1 or ::1");
  }
  return {parsed, port};
}

std::vector<tcp::endpoint> resolve_target(asio::any_io_executor const& executor, FaultProxyOptions const& options) {
  tcp::resolver resolver(executor);
  error_code error;
  auto const results = resolver.resolve(options.target_host, std::to_string(options.target_port), error);
  if (error) fail("resolve the target " + options.target_host, error);
  std::vector<tcp::endpoint> endpoints;
  for (auto const& result : results) endpoints.push_back(result.endpoint());
  return endpoints;
}

}  // namespace

ProxyListener::ProxyListener(asio::any_io_executor strand, FaultProxyOptions const& options, FaultPlan plan,
                             std::shared_ptr<ProxyLedger> ledger)
    : strand_(std::move(strand)),
      ledger_(std::move(ledger)),
      surroundings_(std::make_shared<ProxiedConnection::Surroundings>(
          ProxiedConnection::Surroundings{resolve_target(strand_, options), options.connect_timeout, ledger_})),
      connections_max_(options.connections_max),
      buffer_bytes_max_(options.buffer_bytes_max),
      random_(options.seed),
      endpoint_(parse_endpoint(options.listen_address, options.listen_port)),
      acceptor_(strand_),
      timer_(strand_),
      plan_{std::make_shared<FaultPlan const>(std::move(plan)), std::chrono::steady_clock::now(), 0},
      gate_(plan_) {
  error_code error;
  // A plan that begins with `refuse` is obeyed from the first moment: the port is bound and nobody listens.
  if (open_socket(error) && gate_.next(plan_.since).action != FaultGate::Action::close) {
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
    is_listening_ = !error;
  }
  if (error) fail("listen on " + net::to_string(endpoint_), error);
  endpoint_ = acceptor_.local_endpoint();
}

bool ProxyListener::open_socket(error_code& error) {
  acceptor_.open(endpoint_.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint_, error);
  if (!error) acceptor_.non_blocking(true, error);
  return !error;
}

void ProxyListener::apply(std::shared_ptr<FaultPlan const> plan) {
  plan_ = {std::move(plan), std::chrono::steady_clock::now(), plan_.generation + 1};
  gate_.apply(plan_);
  for (auto const& [number, connection] : connections_) connection->apply(plan_);
  turn();
}

void ProxyListener::command_all(FaultKind kind, std::string_view cause) {
  for (auto const& [number, connection] : connections_) connection->command(kind, cause);
}

void ProxyListener::stop() {
  is_stopped_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  timer_.cancel();
  for (auto const& [number, connection] : std::exchange(connections_, {})) connection->stop();
}

void ProxyListener::turn() {
  if (is_stopped_) return;
  turns_again_ = is_turning_;  // an observer told by this turn has replaced the plan
  if (is_turning_) return;
  is_turning_ = true;
  do {
    turns_again_ = false;
    wake_at_ = time_point::max();
    perform_gate(std::chrono::steady_clock::now());
  } while (turns_again_);
  is_turning_ = false;
  wake_at(wake_at_);
}

void ProxyListener::perform_gate(time_point now) {
  auto const step = gate_.next(now);
  wake_at_ = std::min(wake_at_, step.at);
  if (now < retry_at_) {
    wake_at_ = std::min(wake_at_, retry_at_);
    return;
  }
  if (step.action == FaultGate::Action::close) {
    if (is_listening_) stop_listening();
    return;
  }
  if (!is_listening_) listen_again(now);
  if (is_listening_ && step.action == FaultGate::Action::accept) take_waiting_ones(now);
}

void ProxyListener::take_waiting_ones(time_point now) {
  for (int taken = 0; is_acceptable_ && taken < accepts_in_a_turn; ++taken) {
    auto const step = gate_.next(now);
    wake_at_ = std::min(wake_at_, step.at);
    if (step.action != FaultGate::Action::accept) return;
    if (!take_one(now)) break;
  }
  if (!is_acceptable_) return await_connection();
  if (now >= retry_at_) {
    asio::post(strand_, [self = shared_from_this()] { self->turn(); });
  }
}

bool ProxyListener::take_one(time_point now) {
  tcp::socket client(strand_);
  Endpoint from;
  error_code error;
  acceptor_.accept(client, from, error);
  if (error == asio::error::would_block || error == asio::error::try_again) {
    is_acceptable_ = false;
    return false;
  }
  if (error == asio::error::connection_aborted || error == asio::error::interrupted) return true;
  if (error) {
    trouble(error, now);
    return false;
  }
  admit(std::move(client), from, now);
  return true;
}

void ProxyListener::admit(tcp::socket client, Endpoint const& from, time_point now) {
  auto const number = ++number_;
  auto const is_admitted = gate_.admit(now);
  auto const is_full = connections_.size() >= connections_max_;
  if (!is_admitted || is_full) {
    ledger_->count([](auto& counters) {
      ++counters.accepted;
      ++counters.refused;
    });
    reset(client);
    tell(Kind::refused, number,
         is_full ? std::to_string(connections_max_) + " connections are open (connections_max)"
                 : std::string("it comes faster than accept_limit allows"));
    return;
  }
  auto const random = random_.fork("connection " + std::to_string(number));
  auto const connection = std::make_shared<ProxiedConnection>(number, std::move(client),
                                                              FaultyLink(number, plan_, random, buffer_bytes_max_, now),
                                                              surroundings_, [listener = weak_from_this(), number] {
                                                                if (auto const self = listener.lock())
                                                                  self->connections_.erase(number);
                                                              });
  connections_.emplace(number, connection);
  ledger_->count([](auto& counters) {
    ++counters.accepted;
    ++counters.open;
  });
  tell(Kind::accepted, number, net::to_string(from));
  connection->start();
}

void ProxyListener::stop_listening() {
  error_code error;
  acceptor_.close(error);
  is_listening_ = false;
  is_acceptable_ = false;
  awaits_connection_ = false;
  ++listening_since_;
  // Bound without listening, the port stays ours and connecting to it is refused.
  if (!open_socket(error)) acceptor_.close(error);
  tell(Kind::not_listening, 0, "refuse");
}

void ProxyListener::listen_again(time_point now) {
  error_code error;
  if (!acceptor_.is_open()) open_socket(error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    error_code ignored;
    acceptor_.close(ignored);
    return trouble(error, now);
  }
  is_listening_ = true;
  tell(Kind::listening, 0, net::to_string(endpoint_));
}

void ProxyListener::await_connection() {
  if (awaits_connection_) return;
  awaits_connection_ = true;
  acceptor_.async_wait(tcp::acceptor::wait_read,
                       [self = shared_from_this(), since = listening_since_](error_code error) {
                         if (self->is_stopped_ || since != self->listening_since_) return;
                         self->awaits_connection_ = false;
                         if (error) return;
                         self->is_acceptable_ = true;
                         self->turn();
                       });
}

void ProxyListener::wake_at(time_point at) {
  timer_.expires_at(at);
  if (at == time_point::max()) return;
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->turn();
  });
}

void ProxyListener::trouble(error_code error, time_point now) {
  retry_at_ = now + pause_after_trouble;
  wake_at_ = std::min(wake_at_, retry_at_);
  tell(Kind::accept_troubled, 0, error.message());
}

void ProxyListener::tell(Kind kind, std::uint64_t connection, std::string cause) {
  FaultProxyEvent event;
  event.kind = kind;
  event.connection = connection;
  event.cause = std::move(cause);
  ledger_->tell(event);
}

}  // namespace belay::testkit::detail
