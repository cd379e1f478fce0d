#include "belay/net/tls_stream.hpp"

#include <chrono>
#include <exception>
#include <string>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/net/stream_error.hpp"
#include "belay/net/tls_fixture.hpp"

namespace belay::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

/// What a finished operation said.
struct Outcome {
  bool is_done = false;
  error_code error;
  std::size_t count = 0;
  auto handler() {
    return [this](error_code e, std::size_t n) {
      is_done = true;
      error = e;
      count = n;
    };
  }
};

struct TlsStreamTest : TlsTest {};

TEST_F(TlsStreamTest, CarriesDataBothWays) {
  connect();
  EXPECT_TRUE(server_is_content);
  EXPECT_EQ(tls->info().version, "TLSv1.3");
  EXPECT_NE(tls->info().cipher, "");
  EXPECT_EQ(tls->info().alpn, "");
  std::string asked, answered;
  auto const client = [&]() -> asio::awaitable<void> {
    co_await tls->write_all("question");
    answered = co_await read_exactly(6);
  };
  auto const peer = [&]() -> asio::awaitable<void> {
    asked = co_await server->read_some();
    co_await server->write("answer");
  };
  run(client, peer);
  EXPECT_EQ(asked, "question");
  EXPECT_EQ(answered, "answer");
}

TEST_F(TlsStreamTest, SpeaksVersion12WhenTheServerKnowsNoBetter) {
  SSL_CTX_set_max_proto_version(server->context(), TLS1_2_VERSION);
  connect();
  EXPECT_EQ(tls->info().version, "TLSv1.2");
}

struct TlsFragments : TlsStreamTest, testing::WithParamInterface<std::size_t> {};

// A connection that carries only so many bytes at a time, one at worst.
TEST_P(TlsFragments, EchoesALotOfDataBothWaysAtOnce) {
  wire(GetParam());
  serve(good_identity());
  // Nobody reads between the handshake and the exchange, so the server must not wait for its tickets to be taken.
  if (GetParam() < 1000) SSL_CTX_set_num_tickets(server->context(), 0);
  connect();
  std::string const sent(GetParam() == 1 ? 2'000 : 200'000, 'x');
  std::string received;
  auto const write = [&]() -> asio::awaitable<void> {
    co_await tls->write_all(sent);
    co_await tls->shutdown();
  };
  auto const read = [&]() -> asio::awaitable<void> { received = co_await read_exactly(sent.size()); };
  auto const echo = [&]() -> asio::awaitable<void> {
    for (;;) {
      auto const text = co_await server->read_some();
      if (text.empty()) break;
      co_await server->write(text);
    }
  };
  run(write, read, echo);
  EXPECT_TRUE(received == sent);
  EXPECT_TRUE(server->has_seen_close_notify());
}
INSTANTIATE_TEST_SUITE_P(Of, TlsFragments, testing::Values(1, 7, 1000, 65536));

// --- peers that break off

TEST_F(TlsStreamTest, TellsAPeerThatSpeaksNoTls) {
  auto const answer = [&]() -> asio::awaitable<void> {
    co_await far->write_all("HTTP/1.1 400 Bad Request\r\n\r\n");
    far->close();
  };
  std::optional<Error> thrown;
  TlsContext const tls_context(options);
  auto const client = [&]() -> asio::awaitable<void> {
    try {
      tls = co_await start_tls(std::move(below), tls_context, host, Deadline::in(15s));
    } catch (Error const& error) {
      thrown = error;
    }
  };
  run(client, answer);
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->error_class(), ErrorClass::protocol);
  EXPECT_EQ(thrown->engine_code(), "tls_not_spoken");
}

TEST_F(TlsStreamTest, TellsAPeerThatClosesDuringTheHandshake) {
  TlsContext const tls_context(options);
  far->close();
  std::optional<Error> thrown;
  auto const client = [&]() -> asio::awaitable<void> {
    try {
      tls = co_await start_tls(std::move(below), tls_context, host, Deadline::in(15s));
    } catch (Error const& error) {
      thrown = error;
    }
  };
  run(client);
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->error_class(), ErrorClass::transport);
  EXPECT_EQ(std::string(thrown->what()), "cannot set up TLS with db.test: the peer ended the connection");
}

TEST_F(TlsStreamTest, GivesUpTheHandshakeAtTheDeadline) {
  TlsContext const tls_context(options);
  std::optional<Error> thrown;
  auto const client = [&]() -> asio::awaitable<void> {
    for (auto const wait : {50ms, -1ms}) {
      try {
        tls = co_await start_tls(std::move(below), tls_context, host, Deadline::in(wait));
      } catch (Error const& error) {
        thrown = error;
      }
      EXPECT_TRUE(thrown && thrown->error_class() == ErrorClass::timeout_local);
      thrown.reset();
      below = std::move(make_memory_streams(context.get_executor()).first);
    }
  };
  run(client);
}

TEST_F(TlsStreamTest, StopsTheHandshakeWhenCancelled) {
  TlsContext const tls_context(options);
  asio::cancellation_signal stop;
  std::optional<ErrorClass> thrown;
  auto const client = [&]() -> asio::awaitable<void> {
    try {
      tls = co_await start_tls(std::move(below), tls_context, host, Deadline::never());
    } catch (Error const& error) {
      thrown = error.error_class();
    }
  };
  asio::co_spawn(context, client, asio::bind_cancellation_slot(stop.slot(), [](std::exception_ptr) {}));
  settle();
  stop.emit(asio::cancellation_type::terminal);
  settle();
  EXPECT_EQ(thrown, ErrorClass::cancelled);
}

TEST_F(TlsStreamTest, TellsACleanEnd) {
  connect();
  auto const peer = [&]() -> asio::awaitable<void> {
    co_await server->write("all of it");
    co_await server->send_close_notify();
    far->close();
  };
  run(peer);
  EXPECT_EQ(end_after("all of it"), asio::error::eof);
  EXPECT_EQ(end_after(""), asio::error::eof) << "and again";
}

TEST_F(TlsStreamTest, TellsAnEndWithoutCloseNotifyFromACleanOne) {
  connect();
  auto const peer = [&]() -> asio::awaitable<void> {
    co_await server->write("half of it");
    far->close();
  };
  run(peer);
  auto const error = end_after("half of it");
  EXPECT_EQ(error, TlsErrc::truncated);
  EXPECT_EQ(to_error(error, SendState::unknown, "read").error_class(), ErrorClass::transport);
  EXPECT_EQ(to_error(error, SendState::unknown, "read").engine_code(), "tls_truncated");
}

TEST_F(TlsStreamTest, GivesNothingOfATruncatedRecord) {
  connect();
  auto const sealed = server->seal("secret text");
  auto const peer = [&]() -> asio::awaitable<void> {
    co_await far->write_all(std::string_view(sealed).substr(0, sealed.size() - 1));
    far->close();
  };
  run(peer);
  EXPECT_EQ(end_after(""), TlsErrc::truncated);
}

TEST_F(TlsStreamTest, RefusesAForgedRecord) {
  connect();
  auto sealed = server->seal("pay 1 EUR");
  sealed.back() = static_cast<char>(sealed.back() ^ 1);
  auto const peer = [&]() -> asio::awaitable<void> { co_await far->write_all(sealed); };
  run(peer);
  auto const error = end_after("");
  EXPECT_EQ(error, TlsErrc::broken);
  EXPECT_EQ(to_error(error, SendState::unknown, "read").error_class(), ErrorClass::transport);
  EXPECT_EQ(end_after(""), TlsErrc::broken) << "for good";
}

TEST_F(TlsStreamTest, ReadsOnAfterItsOwnEnd) {
  connect();
  std::string received;
  auto const client = [&]() -> asio::awaitable<void> {
    co_await tls->shutdown();
    received = co_await read_exactly(4);
  };
  auto const peer = [&]() -> asio::awaitable<void> {
    auto const nothing = co_await server->read_some();
    EXPECT_EQ(nothing, "");
    EXPECT_TRUE(server->has_seen_close_notify());
    co_await server->write("late");
  };
  run(client, peer);
  EXPECT_EQ(received, "late");
  Outcome write;
  tls->async_write_some(asio::buffer("x", 1), write.handler());
  settle();
  EXPECT_EQ(write.error, asio::error::broken_pipe);
}

TEST_F(TlsStreamTest, MayBeShutDownAgain) {
  connect();
  auto const client = [&]() -> asio::awaitable<void> {
    co_await tls->shutdown();
    co_await tls->shutdown();
  };
  run(client);
}

TEST_F(TlsStreamTest, AnswersAKeyUpdateAndGoesOn) {
  connect();
  std::string received, answer;
  auto const peer = [&]() -> asio::awaitable<void> {
    SSL_key_update(server->ssl(), SSL_KEY_UPDATE_REQUESTED);
    co_await server->write("new key");
    answer = co_await server->read_some();
  };
  auto const client = [&]() -> asio::awaitable<void> {
    received = co_await read_exactly(7);
    co_await tls->write_all("mine too");
  };
  run(peer, client);
  EXPECT_EQ(received, "new key");
  EXPECT_EQ(answer, "mine too");
}

// --- the contract of ByteStream

TEST_F(TlsStreamTest, CancelsAReadAndStaysUsable) {
  connect();
  asio::cancellation_signal stop;
  std::array<char, 16> buffer{};
  Outcome read;
  tls->async_read_some(asio::buffer(buffer), asio::bind_cancellation_slot(stop.slot(), read.handler()));
  settle();
  EXPECT_FALSE(read.is_done);
  stop.emit(asio::cancellation_type::terminal);
  EXPECT_FALSE(read.is_done) << "never inside the call";
  settle();
  EXPECT_EQ(read.error, asio::error::operation_aborted);

  auto const peer = [&]() -> asio::awaitable<void> { co_await server->write("still here"); };
  run(peer);
  Outcome again;
  tls->async_read_some(asio::buffer(buffer), again.handler());
  settle();
  EXPECT_EQ(std::string(buffer.data(), again.count), "still here");
}

TEST_F(TlsStreamTest, CancelsAWriteAndStaysUsable) {
  wire(1024);
  serve(good_identity());
  connect();
  settle();
  std::string const block(10'000, 'x');
  asio::cancellation_signal stop;
  Outcome write;
  tls->async_write_some(asio::buffer(block), asio::bind_cancellation_slot(stop.slot(), write.handler()));
  settle();
  EXPECT_FALSE(write.is_done);
  stop.emit(asio::cancellation_type::terminal);
  settle();
  EXPECT_EQ(write.error, asio::error::operation_aborted);
  EXPECT_EQ(write.count, block.size()) << "it is encrypted, so it must go out";

  std::string received;
  auto const finish = [&]() -> asio::awaitable<void> {
    co_await tls->write_all("end");
    co_await tls->shutdown();
  };
  auto const peer = [&]() -> asio::awaitable<void> {
    for (;;) {
      auto const text = co_await server->read_some();
      if (text.empty()) break;
      received += text;
    }
  };
  run(finish, peer);
  EXPECT_EQ(received, block + "end");
}

TEST_F(TlsStreamTest, AbortsPendingOperationsWhenClosedAndRefusesLaterOnes) {
  connect();
  std::array<char, 1> buffer;
  Outcome read, later;
  tls->async_read_some(asio::buffer(buffer), read.handler());
  settle();
  tls->close();
  EXPECT_FALSE(read.is_done);
  EXPECT_FALSE(tls->is_open());
  tls->async_read_some(asio::buffer(buffer), later.handler());
  settle();
  EXPECT_EQ(read.error, asio::error::operation_aborted);
  EXPECT_EQ(later.error, asio::error::bad_descriptor);
  tls->close();
}

TEST_F(TlsStreamTest, MayBeDestroyedWhileSomebodyWaits) {
  connect();
  std::array<char, 1> buffer;
  Outcome read;
  tls->async_read_some(asio::buffer(buffer), read.handler());
  settle();
  tls.reset();
  settle();
  EXPECT_EQ(read.error, asio::error::operation_aborted);
}

TEST_F(TlsStreamTest, CompletesEmptyOperations) {
  connect();
  Outcome read, write;
  tls->async_read_some(asio::mutable_buffer(), read.handler());
  tls->async_write_some(asio::const_buffer(), write.handler());
  settle();
  EXPECT_TRUE(read.is_done && write.is_done);
  EXPECT_FALSE(read.error || write.error);
}

TEST_F(TlsStreamTest, FailsAWriteOfWhichNothingCanArrive) {
  connect();
  far->close();
  Outcome write;
  tls->async_write_some(asio::buffer("lost", 4), write.handler());
  settle();
  EXPECT_EQ(write.error, asio::error::broken_pipe);
  EXPECT_EQ(write.count, 0u);
}

}  // namespace
}  // namespace belay::net
