#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "belay/net/byte_stream.hpp"
#include "belay/net/test_certificates.hpp"

namespace belay::net {

/// The server's end of a TLS connection over any ByteStream, by OpenSSL itself, with every step in the test's hands.
class TestTlsServer {
 public:
  TestTlsServer(ByteStream& stream, TestIdentity const& identity)
      : stream_(stream), context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
    SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
  }

  SSL_CTX* context() { return context_.get(); }
  /// Lets in only who has a certificate of this authority.
  void require_client_certificate(TestIdentity const& authority) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), authority.certificate.get());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }

  /// Whether it succeeded.
  boost::asio::awaitable<bool> handshake() {
    ssl_.reset(SSL_new(context_.get()), SSL_free);
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    auto const step = [this] { return SSL_accept(ssl_.get()); };
    co_return co_await drive(step) == 1;
  }
  boost::asio::awaitable<void> write(std::string_view text) {
    auto const sealed = seal(text);
    co_await stream_.write_all(sealed);
  }
  /// Empty at the end, clean or not.
  boost::asio::awaitable<std::string> read_some() {
    std::array<char, 4096> buffer;
    auto const step = [&] { return SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size())); };
    auto const count = co_await drive(step);
    co_return std::string(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  }
  boost::asio::awaitable<void> send_close_notify() {
    SSL_shutdown(ssl_.get());
    co_await flush();
  }

  /// Encrypts without sending.
  std::string seal(std::string_view text) {
    SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
    return take_output();
  }
  bool has_seen_close_notify() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }
  SSL* ssl() { return ssl_.get(); }

 private:
  std::string take_output() {
    std::string output(BIO_ctrl_pending(SSL_get_wbio(ssl_.get())), '\0');
    BIO_read(SSL_get_wbio(ssl_.get()), output.data(), static_cast<int>(output.size()));
    return output;
  }
  boost::asio::awaitable<void> flush() {
    auto const output = take_output();
    co_await stream_.write_all(output);
  }
  boost::asio::awaitable<int> drive(std::function<int()> const& step) {
    for (;;) {
      ERR_clear_error();
      int const result = step();
      auto const reason = SSL_get_error(ssl_.get(), result);
      co_await flush();
      if (result > 0 || reason != SSL_ERROR_WANT_READ) co_return result;
      std::array<std::byte, 4096> buffer;
      auto const count = co_await stream_.read_some(buffer);
      if (count == 0) co_return -1;
      BIO_write(SSL_get_rbio(ssl_.get()), buffer.data(), static_cast<int>(count));
    }
  }

  ByteStream& stream_;
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  std::shared_ptr<SSL> ssl_;
};

}  // namespace belay::net
