#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/net/memory_stream.hpp"
#include "belay/net/test_tls_server.hpp"
#include "belay/net/tls_stream.hpp"

namespace belay::net {

inline TestIdentity const& authority() {
  static TestIdentity const identity = make_test_identity({.name = "Belay Test Authority", .is_authority = true});
  return identity;
}
inline TestIdentity const& good_identity() {
  static TestIdentity const identity = make_test_identity({}, authority());
  return identity;
}

/// A client and an OpenSSL server at the two ends of a connection in memory.
struct TlsTest : testing::Test {
  boost::asio::io_context context;
  std::unique_ptr<ByteStream> below;
  std::unique_ptr<ByteStream> far;
  TestFiles files;
  TlsOptions options;
  std::string host = "db.test";
  std::optional<TestTlsServer> server;
  std::unique_ptr<TlsStream> tls;
  bool server_is_content = false;

  TlsTest() {
    options.ca_file = files.certificate("ca.pem", authority());
    wire(65536);
    serve(good_identity());
  }
  ~TlsTest() override {
    tls.reset();
    far->close();
    context.restart();
    context.run_for(std::chrono::seconds(1));  // nothing may be left that never ends
  }

  void wire(std::size_t capacity) {
    auto pair = make_memory_streams(context.get_executor(), capacity);
    below = std::move(pair.first);
    far = std::move(pair.second);
  }
  void serve(TestIdentity const& identity) { server.emplace(*far, identity); }

  template <class... Body>
  void run(Body&&... bodies) {
    std::size_t ended = 0;
    std::exception_ptr failure;
    auto const on_end = [&](std::exception_ptr error) {
      if (error && !failure) failure = error;
      if (++ended == sizeof...(bodies)) context.stop();
    };
    (boost::asio::co_spawn(context, bodies, on_end), ...);
    context.restart();
    context.run_for(std::chrono::seconds(20));
    ASSERT_EQ(ended, sizeof...(bodies)) << "still waiting";
    if (failure) std::rethrow_exception(failure);
  }
  void settle() {
    context.restart();
    while (context.poll() > 0) {
    }
  }

  /// Client and server shake hands; throws what start_tls threw.
  void connect(Deadline deadline = Deadline::in(std::chrono::seconds(15))) {
    TlsContext const tls_context(options);
    auto const client = [&]() -> boost::asio::awaitable<void> {
      tls = co_await start_tls(std::move(below), tls_context, host, deadline);
    };
    auto const accept = [&]() -> boost::asio::awaitable<void> { server_is_content = co_await server->handshake(); };
    run(client, accept);
  }
  Error refusal() {
    try {
      connect();
    } catch (Error const& error) {
      EXPECT_EQ(error.send_state(), SendState::never_sent);
      return error;
    }
    ADD_FAILURE() << "the server was accepted";
    return {ErrorClass::internal, SendState::unknown, ""};
  }
  boost::asio::awaitable<std::string> read_exactly(std::size_t size) {
    std::string text(size, '\0');
    co_await tls->read_all(std::as_writable_bytes(std::span(text)));
    co_return text;
  }
  /// How reading ends after `text` has come.
  boost::system::error_code end_after(std::string const& text) {
    std::string received;
    boost::system::error_code error;
    auto const read = [&]() -> boost::asio::awaitable<void> {
      try {
        received = co_await read_exactly(text.size());
        co_await read_exactly(1);
      } catch (boost::system::system_error const& end) {
        error = end.code();
      }
    };
    run(read);
    EXPECT_EQ(received, text);
    return error;
  }
};

}  // namespace belay::net
