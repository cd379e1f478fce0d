#include "belay/testkit/detail/proxied_connection.hpp"

#include <algorithm>
#include <array>

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "belay/net/tcp_stream.hpp"

namespace belay::testkit::detail {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Action = FaultyLink::Action;
using Kind = FaultProxyEvent::Kind;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t read_bytes_max = 16 * 1024;
/// Writes in one turn, so that a connection in one-byte fragments leaves the thread to the others now and then.
constexpr int passes_in_a_turn = 256;
/// How long a reset waits for a receiver that does not read: an RST would destroy the bytes before it.
constexpr auto send_patience = 250ms;
constexpr auto send_poll = 1ms;
/// Reads before an orderly close: what is left unread turns the close into a reset.
constexpr int drain_reads_max = 64;

bool is_interruption(error_code error) {
  return error == asio::error::would_block || error == asio::error::try_again || error == asio::error::interrupted;
}

/// Bytes written that have not left: the receiver's window is full.
int unsent_bytes(tcp::socket& socket) {
  int unsent = 0;
  if (!socket.is_open() || ioctl(socket.native_handle(), SIOCOUTQNSD, &unsent) != 0) return 0;
  return unsent;
}

void close_in_good_order(tcp::socket& socket) {
  if (!socket.is_open()) return;
  error_code error;
  socket.shutdown(tcp::socket::shutdown_send, error);  // the FIN goes out before any RST
  socket.non_blocking(true, error);                    // one that is still connecting is not so yet
  std::array<std::byte, read_bytes_max> unread;
  for (int i = 0; i < drain_reads_max && !error; ++i) socket.read_some(asio::buffer(unread), error);
  socket.close(error);
}

}  // namespace

void reset(tcp::socket& socket) noexcept {
  error_code ignored;  // the descriptor is released whatever close() says
  socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

ProxiedConnection::ProxiedConnection(std::uint64_t number, Socket client, FaultyLink link,
                                     std::shared_ptr<Surroundings const> surroundings, std::function<void()> on_end)
    : number_(number),
      client_(std::move(client)),
      target_(client_.get_executor()),
      link_(std::move(link)),
      surroundings_(std::move(surroundings)),
      on_end_(std::move(on_end)),
      timer_(client_.get_executor()) {
  error_code ignored;  // a client that is gone already shows at the first read
  client_.set_option(tcp::no_delay(true), ignored);
  client_.non_blocking(true, ignored);
}

void ProxiedConnection::apply(AppliedPlan const& plan) {
  link_.apply(plan, std::chrono::steady_clock::now());
  turn_again();
}

void ProxiedConnection::command(FaultKind kind, std::string_view cause) {
  link_.command(kind, cause);
  turn_again();
}

void ProxiedConnection::stop() {
  if (phase_ != Phase::over) finish(Kind::closed, "the proxy stops", Ending::in_order);
}

void ProxiedConnection::turn() {
  auto const now = std::chrono::steady_clock::now();
  wake_at_ = time_point::max();
  if (phase_ == Phase::resetting) reset_when_sent(now);
  if (phase_ == Phase::opening || phase_ == Phase::connecting) open_target(now);
  if (phase_ == Phase::open) {
    for (auto* flow : {&up_, &down_}) {
      if (phase_ == Phase::open) take_in(*flow, now);
      if (phase_ == Phase::open) give_out(*flow, now);
    }
    if (phase_ == Phase::open && link_.is_over()) finish(Kind::closed, "both peers have ended it", Ending::in_order);
  }
  if (phase_ != Phase::over) wake_at(wake_at_);
}

void ProxiedConnection::open_target(time_point now) {
  take_in(up_, now);
  auto const step = link_.opening(now);
  if (step.action == Action::cut || step.action == Action::reset) return end(step, now);
  if (phase_ == Phase::connecting) {
    if (now < give_up_at_) {
      wake_at_ = std::min({wake_at_, give_up_at_, link_.next_change()});
      return;
    }
    return finish(Kind::target_failed, "no answer within the connect timeout", Ending::reset);
  }
  if (step.action == Action::wait) {
    wake_at_ = std::min(wake_at_, step.at);
    if (up_.is_readable && link_.room(Direction::up) > 0) turn_again();
    return;
  }
  phase_ = Phase::connecting;
  give_up_at_ = now + surroundings_->connect_timeout;
  wake_at_ = std::min({wake_at_, give_up_at_, link_.next_change()});
  asio::async_connect(target_, surroundings_->target,
                      [self = shared_from_this()](error_code error, tcp::endpoint const& endpoint) {
                        self->on_connected(error, endpoint);
                      });
}

void ProxiedConnection::on_connected(error_code error, tcp::endpoint const& endpoint) {
  if (phase_ != Phase::connecting) return;
  if (error) return finish(Kind::target_failed, error.message(), Ending::reset);
  error_code ignored;
  target_.set_option(tcp::no_delay(true), ignored);
  target_.non_blocking(true, ignored);
  phase_ = Phase::open;
  give_up_at_ = time_point::max();
  tell(Kind::connected, net::to_string(endpoint));
  turn();
}

void ProxiedConnection::take_in(Flow& flow, time_point now) {
  while (flow.is_readable && link_.room(flow.direction) > 0) {
    std::array<std::byte, read_bytes_max> bytes;
    error_code error;
    auto const room = std::min(bytes.size(), link_.room(flow.direction));
    auto const count = flow.from.read_some(asio::buffer(bytes.data(), room), error);
    if (is_interruption(error)) {
      flow.is_readable = false;
    } else if (error) {
      auto const in_order = error == asio::error::eof;
      link_.ended(flow.direction, in_order ? FaultyLink::Ending::in_order : FaultyLink::Ending::reset, now);
    } else {
      flow.queue.emplace_back(bytes.data(), bytes.data() + count);
      link_.arrived(flow.direction, count, now);
    }
  }
  if (flow.is_readable || flow.awaits_readable || link_.room(flow.direction) == 0) return;
  flow.awaits_readable = true;
  flow.from.async_wait(Socket::wait_read, [self = shared_from_this(), &flow](error_code error) {
    flow.awaits_readable = false;
    if (self->phase_ == Phase::over || error == asio::error::operation_aborted) return;
    flow.is_readable = true;
    self->turn();
  });
}

void ProxiedConnection::give_out(Flow& flow, time_point now) {
  for (int passes = 0; passes < passes_in_a_turn;) {
    auto const step = link_.next(flow.direction, now);
    switch (step.action) {
      case Action::connect:
      case Action::wait:
        wake_at_ = std::min(wake_at_, step.at);
        if (flow.is_readable && link_.room(flow.direction) > 0) turn_again();
        return;
      case Action::pass:
        if (!pass(flow, step.bytes, now)) {
          wake_at_ = std::min(wake_at_, link_.next_change());
          return;
        }
        ++passes;
        break;
      case Action::discard: drop(flow, step.bytes); break;
      case Action::finish: end_direction(flow, step); break;
      case Action::cut:
      case Action::reset: return end(step, now);
    }
  }
  turn_again();
}

/// False when the receiver takes nothing more for the moment.
bool ProxiedConnection::pass(Flow& flow, std::size_t bytes, time_point now) {
  if (flow.awaits_writable) return false;
  auto const& front = flow.queue.front();
  auto const count = std::min(bytes, front.size() - flow.front_taken);
  error_code error;
  auto const written = flow.to.write_some(asio::buffer(front.data() + flow.front_taken, count), error);
  if (is_interruption(error)) {
    flow.awaits_writable = true;
    flow.to.async_wait(Socket::wait_write, [self = shared_from_this(), &flow](error_code failure) {
      flow.awaits_writable = false;
      if (self->phase_ == Phase::over || failure == asio::error::operation_aborted) return;
      self->turn();
    });
    return false;
  }
  if (error) {
    link_.receiver_gone(flow.direction);  // how it went shows where it is read from
    return true;
  }
  link_.passed(flow.direction, written, now);
  flow.front_taken += written;
  if (flow.front_taken == front.size()) {
    flow.queue.pop_front();
    flow.front_taken = 0;
  }
  surroundings_->ledger->count(
      [&](auto& counters) { (flow.direction == Direction::up ? counters.bytes_up : counters.bytes_down) += written; });
  return true;
}

void ProxiedConnection::drop(Flow& flow, std::size_t bytes) {
  flow.queue.clear();
  flow.front_taken = 0;
  link_.discarded(flow.direction, bytes);
  surroundings_->ledger->count([&](auto& counters) { counters.bytes_discarded += bytes; });
}

void ProxiedConnection::end_direction(Flow& flow, FaultyLink::Step const& step) {
  error_code ignored;  // a receiver that is gone shows where it is read from
  flow.to.shutdown(Socket::shutdown_send, ignored);
  if (!step.is_by_peer) {
    surroundings_->ledger->count([](auto& counters) { ++counters.half_closes; });
    tell(Kind::half_closed, std::string(step.cause));
  }
  link_.finished(flow.direction);
}

void ProxiedConnection::end(FaultyLink::Step const& step, time_point now) {
  if (step.action == Action::reset) {
    phase_ = Phase::resetting;
    is_reset_by_peer_ = step.is_by_peer;
    reset_cause_ = step.cause;  // the plan it points into may go before the reset
    give_up_at_ = now + send_patience;
    return reset_when_sent(now);
  }
  finish(step.is_by_peer ? Kind::closed : Kind::cut, std::string(step.cause), Ending::in_order);
}

void ProxiedConnection::reset_when_sent(time_point now) {
  bool const has_unsent = unsent_bytes(client_) > 0 || unsent_bytes(target_) > 0;
  if (has_unsent && now < give_up_at_) {
    wake_at_ = std::min(wake_at_, now + send_poll);
    return;
  }
  if (is_reset_by_peer_) return finish(Kind::closed, "reset by " + reset_cause_, Ending::reset);
  finish(Kind::reset, reset_cause_, Ending::reset);
}

void ProxiedConnection::finish(Kind kind, std::string const& cause, Ending ending) {
  phase_ = Phase::over;
  timer_.cancel();
  surroundings_->ledger->count([&](auto& counters) {
    --counters.open;
    if (kind == Kind::cut) ++counters.cuts;
    if (kind == Kind::reset) ++counters.resets;
    if (kind == Kind::closed) ++counters.closed;
    if (kind == Kind::target_failed) ++counters.target_failures;
  });
  for (auto* socket : {&client_, &target_}) {
    if (ending == Ending::reset) reset(*socket);
    if (ending == Ending::in_order) close_in_good_order(*socket);
  }
  tell(kind, cause);
  auto const on_end = std::move(on_end_);
  on_end();
}

void ProxiedConnection::wake_at(time_point at) {
  if (at >= timer_stands_at_) return;  // it wakes early enough
  timer_stands_at_ = at;
  timer_.expires_at(at);
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (error || self->phase_ == Phase::over) return;
    self->timer_stands_at_ = time_point::max();
    self->turn();
  });
}

void ProxiedConnection::turn_again() {
  if (turns_again_) return;
  turns_again_ = true;
  asio::post(client_.get_executor(), [self = shared_from_this()] {
    self->turns_again_ = false;
    if (self->phase_ != Phase::over) self->turn();
  });
}

void ProxiedConnection::tell(Kind kind, std::string cause) {
  FaultProxyEvent event;
  event.kind = kind;
  event.connection = number_;
  event.bytes_up = link_.bytes_passed(Direction::up);
  event.bytes_down = link_.bytes_passed(Direction::down);
  event.cause = std::move(cause);
  surroundings_->ledger->tell(event);
}

}  // namespace belay::testkit::detail
