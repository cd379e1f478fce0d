#include "belay/net/http_client.hpp"

#include <array>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include "belay/core/error.hpp"
#include "belay/net/detail/alarm.hpp"
#include "belay/net/detail/close_at.hpp"
#include "belay/net/detail/input_buffer.hpp"
#include "belay/net/detail/request_head.hpp"
#include "belay/net/detail/response_parser.hpp"
#include "belay/net/stream_error.hpp"

namespace belay::net {

namespace asio = boost::asio;
using boost::system::error_code;
using boost::system::system_error;
using detail::ResponseParser;

class HttpClient::Connection {
 public:
  Connection(std::unique_ptr<ByteStream> stream, std::string host, HttpLimits limits)
      : stream_(std::move(stream)), host_(std::move(host)), limits_(limits), input_(limits.head_bytes_max) {}
  ~Connection() { close(); }

  bool is_reusable() const noexcept { return is_alive_ && !is_busy_ && stream_->is_open(); }
  void close() noexcept {
    is_alive_ = false;
    stream_->close();
  }

  static asio::awaitable<HttpResponse> exchange(std::shared_ptr<Connection> connection, HttpRequest request, Sink sink,
                                                Deadline deadline) {
    co_return co_await connection->run(std::move(request), std::move(sink), deadline);
  }
  static asio::awaitable<void> watch_idle(std::shared_ptr<Connection> connection) { co_await connection->watch(); }

 private:
  /// What one exchange knows.
  struct Exchange {
    Exchange(HttpLimits const& limits, HttpRequest const& request, bool is_streamed)
        : parser(limits, request.method == "HEAD" ? ResponseParser::Method::head : ResponseParser::Method::other,
                 is_streamed ? ResponseParser::Body::streamed : ResponseParser::Body::collected),
          // A query may hold what is nobody's business.
          what(request.method + " " + request.target.substr(0, request.target.find('?'))) {}

    ResponseParser parser;
    std::string what;
    std::uint64_t sent_bytes = 0;
    error_code write_error;
    bool is_in_sink = false;  ///< whose exceptions are not ours

    SendState send_state() const noexcept { return sent_bytes == 0 ? SendState::never_sent : SendState::unknown; }
  };
  /// Closes the connection unless the exchange comes to its good end.
  class Turn {
   public:
    explicit Turn(Connection& connection) : connection_(connection) { connection_.is_busy_ = true; }
    ~Turn() {
      connection_.is_busy_ = false;
      if (!is_done_ || !keeps_alive_) connection_.close();
    }
    Turn(Turn const&) = delete;
    Turn& operator=(Turn const&) = delete;
    void done(bool keeps_alive) noexcept {
      is_done_ = true;
      keeps_alive_ = keeps_alive;
    }

   private:
    Connection& connection_;
    bool is_done_ = false;
    bool keeps_alive_ = false;
  };

  asio::awaitable<HttpResponse> run(HttpRequest request, Sink sink, Deadline deadline);
  asio::awaitable<void> watch();
  void require_idle() const;
  asio::awaitable<void> require_silence();
  asio::awaitable<void> send(Exchange&, std::string_view head, std::string_view body);
  asio::awaitable<void> receive(Exchange&, Sink const& sink);
  Error failure(Exchange const&, ErrorClass, SendState, std::string const& sentence, std::string const& code) const;

  std::unique_ptr<ByteStream> stream_;
  std::string host_;
  HttpLimits limits_;
  detail::InputBuffer input_;
  bool is_alive_ = true;
  bool is_busy_ = false;
  bool is_used_ = false;
};

asio::awaitable<HttpResponse> HttpClient::Connection::run(HttpRequest request, Sink sink, Deadline deadline) {
  auto const head = detail::request_head(request, host_);
  Exchange exchange(limits_, request, static_cast<bool>(sink));
  require_idle();
  auto const late = exchange.what + " of " + host_ + " had no answer before the deadline";
  if (deadline.expired()) throw failure(exchange, ErrorClass::timeout_local, SendState::never_sent, late, {});

  Turn turn(*this);
  detail::CloseAt const limit(*stream_, deadline);
  error_code error;
  try {
    if (std::exchange(is_used_, true)) co_await require_silence();
    co_await send(exchange, head, request.body);
    co_await receive(exchange, sink);
  } catch (system_error const& broken) {
    if (exchange.is_in_sink) throw;
    error = broken.code();
  }
  if (error && limit.has_closed()) throw failure(exchange, ErrorClass::timeout_local, exchange.send_state(), late, {});
  if (error) {
    auto const told = to_error(error, exchange.send_state(), exchange.what + " of " + host_);
    throw failure(exchange, told.error_class(), exchange.send_state(), told.what(), told.engine_code());
  }
  auto const is_answered_whole = !exchange.write_error && input_.empty();
  turn.done(exchange.parser.keeps_alive() && is_answered_whole);
  co_return std::move(exchange.parser.response());
}

void HttpClient::Connection::require_idle() const {
  if (is_busy_) {
    throw Error(ErrorClass::request, SendState::never_sent,
                "an HTTP connection to " + host_ + " carries one exchange at a time, and another is running");
  }
  if (!is_reusable()) {
    throw Error(ErrorClass::transport, SendState::never_sent, "the HTTP connection to " + host_ + " has ended", "eof");
  }
}

Error HttpClient::Connection::failure(Exchange const& exchange, ErrorClass error_class, SendState send_state,
                                      std::string const& sentence, std::string const& code) const {
  Error::Details details;
  auto const status = exchange.parser.response().status;
  if (status != 0) details.emplace_back("status", std::to_string(status));
  return {error_class, send_state, sentence, code, std::move(details)};
}

/// A used connection may have ended while it was idle, or say something that would be taken for our answer: a look
/// before anything is sent makes the first safe to repeat and the second impossible to mistake.
///
/// A read that is given one turn of the executor, then cancelled. It may outlive this frame when the caller is
/// cancelled, hence the shared state.
asio::awaitable<void> HttpClient::Connection::require_silence() {
  struct Look {
    explicit Look(asio::any_io_executor const& executor) : end(executor) {}
    asio::cancellation_signal stop;
    detail::Alarm end;
    std::array<char, 1> byte{};
    bool is_done = false;
    error_code error;
  };
  auto const look = std::make_shared<Look>(stream_->get_executor());
  stream_->async_read_some(asio::buffer(look->byte),
                           asio::bind_cancellation_slot(look->stop.slot(), [look](error_code error, std::size_t) {
                             look->is_done = true;
                             look->error = error;
                             look->end.ring();
                           }));
  co_await asio::post(stream_->get_executor(), asio::use_awaitable);
  if (!look->is_done) look->stop.emit(asio::cancellation_type::terminal);
  while (!look->is_done) co_await look->end.wait(Deadline::never());
  if (look->error == asio::error::operation_aborted && stream_->is_open()) co_return;
  if (look->error) throw system_error(look->error);
  throw Error(ErrorClass::protocol, SendState::never_sent, host_ + " has sent what nobody asked for");
}

asio::awaitable<void> HttpClient::Connection::send(Exchange& exchange, std::string_view head, std::string_view body) {
  ConstBuffers pieces;
  pieces.add(asio::const_buffer(head.data(), head.size()));
  pieces.add(asio::const_buffer(body.data(), body.size()));
  while (!pieces.empty() && !exchange.write_error) {
    auto const count =
        co_await stream_->async_write_some(pieces, asio::redirect_error(asio::use_awaitable, exchange.write_error));
    exchange.sent_bytes += count;
    pieces.consume(count);
  }
  // Whoever stops reading our request may have said why: the answer decides, unless there is none.
  bool const may_be_answered = exchange.sent_bytes > 0 && exchange.write_error != asio::error::operation_aborted;
  if (exchange.write_error && !may_be_answered) throw system_error(exchange.write_error);
}

asio::awaitable<void> HttpClient::Connection::receive(Exchange& exchange, Sink const& sink) {
  auto& parser = exchange.parser;
  for (;;) {
    input_.consume(parser.feed(input_.bytes()));
    if (parser.is_streaming() && parser.state() != ResponseParser::State::refused) {
      auto const piece = std::exchange(parser.response().body, std::string());
      exchange.is_in_sink = true;
      if (!piece.empty()) co_await sink(piece);
      exchange.is_in_sink = false;
    }
    if (parser.state() == ResponseParser::State::complete) co_return;
    if (parser.state() == ResponseParser::State::refused) break;
    auto const room = input_.room();
    if (room.empty()) {
      throw failure(exchange, ErrorClass::protocol, SendState::unknown,
                    "the answer of " + host_ + " to " + exchange.what + " has a line that does not end", {});
    }
    error_code error;
    auto const count = co_await stream_->async_read_some(asio::mutable_buffer(room.data(), room.size()),
                                                         asio::redirect_error(asio::use_awaitable, error));
    input_.commit(count);
    if (error == asio::error::eof) {
      parser.end_input();
    } else if (error) {
      throw system_error(exchange.write_error ? exchange.write_error : error);
    }
  }
  auto const& refusal = parser.refusal();
  bool const is_broken = refusal.error_class == ErrorClass::transport;
  if (is_broken && exchange.write_error) throw system_error(exchange.write_error);
  throw failure(exchange, refusal.error_class, refusal.send_state,
                "the answer of " + host_ + " to " + exchange.what + " is of no use: " + std::string(refusal.sentence),
                is_broken ? "eof" : "");
}

asio::awaitable<void> HttpClient::Connection::watch() {
  require_idle();
  std::array<std::byte, 1> byte;
  error_code error;
  auto const buffer = asio::mutable_buffer(byte.data(), byte.size());
  co_await stream_->async_read_some(buffer, asio::redirect_error(asio::use_awaitable, error));
  if (error == asio::error::operation_aborted && stream_->is_open()) {
    throw to_error(error, SendState::never_sent, "watch the connection to " + host_);
  }
  close();
}

HttpClient::HttpClient(std::unique_ptr<ByteStream> stream, std::string host, HttpLimits limits) {
  validate(limits);
  detail::require_host(host);
  connection_ = std::make_shared<Connection>(std::move(stream), std::move(host), limits);
}
HttpClient::~HttpClient() { close(); }

// Not coroutines that use `this`: they may begin, or go on, when the client is gone.
asio::awaitable<HttpResponse> HttpClient::exchange(HttpRequest request, Deadline deadline) {
  return Connection::exchange(connection_, std::move(request), Sink(), deadline);
}
asio::awaitable<HttpResponse> HttpClient::exchange_streamed(HttpRequest request, Sink sink, Deadline deadline) {
  return Connection::exchange(connection_, std::move(request), std::move(sink), deadline);
}
asio::awaitable<void> HttpClient::watch_idle() { return Connection::watch_idle(connection_); }
bool HttpClient::is_reusable() const noexcept { return connection_->is_reusable(); }
void HttpClient::close() noexcept { connection_->close(); }

}  // namespace belay::net
