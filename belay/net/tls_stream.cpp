#include "belay/net/tls_stream.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "belay/core/error.hpp"
#include "belay/net/detail/close_at.hpp"
#include "belay/net/detail/connect_socket.hpp"
#include "belay/net/detail/tls_failure.hpp"
#include "belay/net/stream_error.hpp"

namespace belay::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

struct Free {
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};

/// OpenSSL between our operations and the stream below, which see each other through two memories: what came in is
/// decrypted from one, what shall go out is encrypted into the other.
///
/// There is at most one read and one write below at any time, and none of them belongs to an operation of ours: an
/// operation that is cancelled stops waiting, and what it set in motion below goes on. Hence no ciphertext is ever lost
/// half way, which would end the session.
class Session : public std::enable_shared_from_this<Session> {
 public:
  using TransferHandler = ByteStream::TransferHandler;
  using EventHandler = ByteStream::ShutdownHandler;

  Session(std::unique_ptr<ByteStream> below, TlsContext context, std::string host)
      : below_(std::move(below)),
        executor_(below_->get_executor()),
        context_(std::move(context)),
        host_(std::move(host)),
        ssl_(SSL_new(context_.native())) {
    auto* const in = BIO_new(BIO_s_mem());
    auto* const out = BIO_new(BIO_s_mem());
    if (!ssl_ || in == nullptr || out == nullptr) throw std::bad_alloc();
    SSL_set_bio(ssl_.get(), in, out);
    SSL_set_connect_state(ssl_.get());
    if (context_.options().verify != TlsVerify::insecure) detail::note_problems(ssl_.get(), problem_);
    expect_name();
  }

  asio::any_io_executor executor() const { return executor_; }
  bool is_open() const noexcept { return !is_closed_ && below_->is_open(); }
  SSL* ssl() const noexcept { return ssl_.get(); }
  Error handshake_failure() const {
    return detail::handshake_failure(ssl_.get(), host_, context_.options(), problem_, handshake_code_);
  }

  void handshake(EventHandler handler) { begin(handshaker_, std::move(handler), &Session::cancel_handshake); }

  void read(asio::mutable_buffer buffer, TransferHandler handler) {
    if (is_closed_) return fail(std::move(handler), asio::error::bad_descriptor);
    read_to_ = buffer;
    begin(reader_, std::move(handler), &Session::cancel_read);
  }

  void write(ConstBuffers const& pieces, TransferHandler handler) {
    if (is_closed_) return fail(std::move(handler), asio::error::bad_descriptor);
    if (is_ending_) return fail(std::move(handler), asio::error::broken_pipe);
    write_from_ = pieces;
    sealed_bytes_ = 0;
    begin(writer_, std::move(handler), &Session::cancel_write);
  }

  void shutdown(EventHandler handler) {
    if (is_closed_) {
      asio::post(executor_, asio::append(std::move(handler), error_code(asio::error::bad_descriptor)));
      return;
    }
    is_ending_ = true;
    begin(closer_, std::move(handler), &Session::cancel_shutdown);
  }

  void close() noexcept {
    if (std::exchange(is_closed_, true)) return;
    below_->close();
    cancel_handshake();
    cancel_read();
    cancel_write();
    cancel_shutdown();
  }

 private:
  /// Asks for the server by its name (SNI knows no addresses) and has the certificate checked for it.
  void expect_name() {
    auto const& options = context_.options();
    auto const& name = options.server_name.empty() ? host_ : options.server_name;
    auto* const parameters = SSL_get0_param(ssl_.get());
    // OpenSSL takes an empty name for "any name", one that begins with a dot for all names below it, and a zero byte
    // for its end.
    if (name.empty() || name.front() == '.' || name.find('\0') != std::string::npos) {
      throw Error(ErrorClass::request, SendState::never_sent, "TLS needs the name of the server, this one is none");
    }
    bool const is_address = X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1;
    bool is_set = is_address || SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) == 1;
    if (options.verify != TlsVerify::full) {
      X509_VERIFY_PARAM_set1_ip(parameters, nullptr, 0);
    } else if (!is_address) {
      X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      is_set = is_set && X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) == 1;
    }
    ERR_clear_error();
    if (!is_set)
      throw Error(ErrorClass::request, SendState::never_sent, "TLS cannot ask for the server '" + name + "'");
  }

  template <class Handler>
  void begin(std::optional<Handler>& place, Handler handler, void (Session::*cancel)()) {
    place.emplace(std::move(handler));
    auto slot = asio::get_associated_cancellation_slot(*place);
    if (slot.is_connected()) {
      slot.assign([session = weak_from_this(), cancel](asio::cancellation_type) {
        if (auto const alive = session.lock()) ((*alive).*cancel)();
      });
    }
    progress();
  }

  template <class Handler, class... Result>
  void complete(std::optional<Handler>& place, error_code error, Result... result) {
    if (!place) return;
    auto handler = std::move(*place);
    place.reset();
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.clear();
    asio::post(executor_, asio::append(std::move(handler), error, result...));
  }

  void fail(TransferHandler handler, error_code error) {
    asio::post(executor_, asio::append(std::move(handler), error, std::size_t{0}));
  }

  void cancel_handshake() { complete(handshaker_, asio::error::operation_aborted); }
  void cancel_read() { complete(reader_, asio::error::operation_aborted, std::size_t{0}); }
  void cancel_write() { complete(writer_, asio::error::operation_aborted, sealed_bytes_); }
  void cancel_shutdown() { complete(closer_, asio::error::operation_aborted); }

  /// Lets whoever waits go on as far as what has come in and gone out allows.
  void progress() {
    if (is_closed_) return;
    progress_handshake();
    progress_write();
    progress_read();
    flush();  // reading may have to answer: a key update, an alert
    progress_shutdown();
  }

  void progress_handshake() {
    if (!handshaker_) return;
    if (!is_established_) {
      ERR_clear_error();
      auto const result = SSL_do_handshake(ssl_.get());
      auto const reason = SSL_get_error(ssl_.get(), result);
      auto const code = ERR_peek_error();
      flush();
      if (result == 1) {
        is_established_ = true;
      } else if (reason != SSL_ERROR_WANT_READ) {
        handshake_code_ = code;
        return complete(handshaker_, TlsErrc::broken);
      } else if (receive_error_) {
        return complete(handshaker_, receive_error_);
      } else {
        return receive();  // even when nothing can be sent any more: the peer may have said why
      }
    }
    if (send_error_) return complete(handshaker_, send_error_);
    if (is_flushed()) complete(handshaker_, error_code());
  }

  /// One record for each write: when it is not sent whole, the peer can read nothing of it.
  void progress_write() {
    if (!writer_) return;
    if (sealed_bytes_ == 0) {
      if (send_error_) return complete(writer_, send_error_, std::size_t{0});
      if (write_from_.empty()) return complete(writer_, error_code(), std::size_t{0});
      if (!is_flushed()) return;
      auto const size = gather();
      std::size_t written = 0;
      ERR_clear_error();
      if (SSL_write_ex(ssl_.get(), record_.data(), size, &written) != 1) {
        return complete(writer_, error_code(TlsErrc::broken), std::size_t{0});
      }
      sealed_bytes_ = written;
      flush();
    }
    if (send_error_) return complete(writer_, send_error_, std::size_t{0});
    if (is_flushed()) complete(writer_, error_code(), sealed_bytes_);
  }

  std::size_t gather() {
    record_.resize(SSL3_RT_MAX_PLAIN_LENGTH);
    std::size_t size = 0;
    for (auto const& piece : write_from_) {
      auto const count = std::min(piece.size(), record_.size() - size);
      std::memcpy(record_.data() + size, piece.data(), count);
      size += count;
    }
    return size;
  }

  void progress_read() {
    if (!reader_) return;
    if (read_to_.size() == 0) return complete(reader_, error_code(), std::size_t{0});
    if (read_error_) return complete(reader_, read_error_, std::size_t{0});
    std::size_t count = 0;
    ERR_clear_error();
    if (SSL_read_ex(ssl_.get(), read_to_.data(), read_to_.size(), &count) == 1) {
      return complete(reader_, error_code(), count);
    }
    auto const reason = SSL_get_error(ssl_.get(), 0);
    if (reason == SSL_ERROR_WANT_READ && !receive_error_) return receive();
    if (reason == SSL_ERROR_ZERO_RETURN) {
      read_error_ = asio::error::eof;
    } else if (reason != SSL_ERROR_WANT_READ) {
      read_error_ = detail::session_failure(ERR_peek_error());
    } else {
      read_error_ = receive_error_ == asio::error::eof ? error_code(TlsErrc::truncated) : receive_error_;
    }
    complete(reader_, read_error_, std::size_t{0});
  }

  void progress_shutdown() {
    if (!closer_ || writer_) return;
    if (!std::exchange(is_close_notify_made_, true)) {
      ERR_clear_error();
      SSL_shutdown(ssl_.get());  // after a failed session there is nothing to say, and it says so
      flush();
    }
    if (send_error_) return complete(closer_, send_error_);
    if (below_end_) return complete(closer_, *below_end_);
    if (!is_flushed() || std::exchange(is_below_ending_, true)) return;
    below_->async_shutdown([session = shared_from_this()](error_code error) {
      session->below_end_ = error;
      session->complete(session->closer_, error);
    });
  }

  bool is_flushed() const noexcept { return !is_sending_; }

  /// Sends what has been encrypted, unless the last lot is still on its way: its end calls again.
  void flush() {
    auto* const out = SSL_get_wbio(ssl_.get());
    auto const size = BIO_ctrl_pending(out);
    if (is_sending_ || size == 0) return;
    unsent_.resize(size);
    BIO_read(out, unsent_.data(), static_cast<int>(size));
    if (send_error_) return;
    is_sending_ = true;
    send(ConstBuffers(asio::const_buffer(unsent_.data(), unsent_.size())));
  }

  void send(ConstBuffers rest) {
    below_->async_write_some(rest, [session = shared_from_this(), rest](error_code error, std::size_t count) mutable {
      rest.consume(count);
      if (!error && !rest.empty() && !session->is_closed_) return session->send(rest);
      session->is_sending_ = false;
      session->send_error_ = error;
      session->flush();
      session->progress();
    });
  }

  void receive() {
    if (std::exchange(is_receiving_, true)) return;
    below_->async_read_some(
        asio::buffer(received_), [session = shared_from_this()](error_code error, std::size_t count) {
          session->is_receiving_ = false;
          session->receive_error_ = error;
          BIO_write(SSL_get_rbio(session->ssl_.get()), session->received_.data(), static_cast<int>(count));
          session->progress();
        });
  }

  std::unique_ptr<ByteStream> below_;
  asio::any_io_executor executor_;
  TlsContext context_;
  std::string host_;
  detail::CertificateProblem problem_;
  std::unique_ptr<SSL, Free> ssl_;

  std::optional<EventHandler> handshaker_;
  std::optional<TransferHandler> reader_;
  std::optional<TransferHandler> writer_;
  std::optional<EventHandler> closer_;
  asio::mutable_buffer read_to_;
  ConstBuffers write_from_;
  std::size_t sealed_bytes_ = 0;  ///< of the waiting write: encrypted and about to be sent

  std::array<std::byte, 16 * 1024> received_;
  std::vector<std::byte> unsent_;
  std::vector<std::byte> record_;
  bool is_established_ = false;
  bool is_receiving_ = false;
  bool is_sending_ = false;
  bool is_ending_ = false;
  bool is_close_notify_made_ = false;
  bool is_below_ending_ = false;
  bool is_closed_ = false;
  unsigned long handshake_code_ = 0;
  error_code receive_error_;
  error_code send_error_;
  error_code read_error_;
  std::optional<error_code> below_end_;  ///< how the shutdown below went
};

class SessionStream final : public TlsStream {
 public:
  explicit SessionStream(std::shared_ptr<Session> session) : session_(std::move(session)) {}
  ~SessionStream() override { session_->close(); }

  executor_type get_executor() noexcept override { return session_->executor(); }
  bool is_open() const noexcept override { return session_->is_open(); }
  void close() noexcept override { session_->close(); }
  Info const& info() const noexcept override { return info_; }

  asio::awaitable<void> shake_hands(error_code& error) {
    auto token = asio::redirect_error(asio::use_awaitable, error);
    co_await asio::async_initiate<decltype(token), void(error_code)>(
        [this](auto handler) { session_->handshake(ShutdownHandler(std::move(handler))); }, token);
    if (error) co_return;
    info_.version = SSL_get_version(session_->ssl());
    info_.cipher = SSL_get_cipher_name(session_->ssl());
    unsigned char const* protocol = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(session_->ssl(), &protocol, &size);
    if (size > 0) info_.alpn.assign(reinterpret_cast<char const*>(protocol), size);
  }

 private:
  void start_read(asio::mutable_buffer buffer, TransferHandler handler) override {
    session_->read(buffer, std::move(handler));
  }
  void start_write(ConstBuffers const& pieces, TransferHandler handler) override {
    session_->write(pieces, std::move(handler));
  }
  void start_shutdown(ShutdownHandler handler) override { session_->shutdown(std::move(handler)); }

  std::shared_ptr<Session> session_;
  Info info_;
};

}  // namespace

asio::awaitable<std::unique_ptr<TlsStream>> start_tls(std::unique_ptr<ByteStream> below, TlsContext context,
                                                      std::string host, Deadline deadline) {
  auto const what = "set up TLS with " + host;
  if (deadline.expired()) throw detail::late_error(what);
  auto const session = std::make_shared<Session>(std::move(below), std::move(context), host);
  auto stream = std::make_unique<SessionStream>(session);
  error_code error;
  detail::CloseAt const limit(*stream, deadline);
  co_await stream->shake_hands(error);
  if (limit.has_closed()) throw detail::late_error(what);
  if (error == TlsErrc::broken) throw session->handshake_failure();
  if (error) throw to_error(error, SendState::never_sent, what);
  co_return std::move(stream);
}

}  // namespace belay::net
