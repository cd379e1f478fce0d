#include <chrono>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <string>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/net/tcp_stream.hpp"
#include "belay/net/unix_stream.hpp"

namespace belay::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using asio::local::stream_protocol;

/// Runs a coroutine and gives the Error it threw, or fails.
template <class T>
Error failure_of(asio::io_context& context, asio::awaitable<T> operation) {
  std::exception_ptr failure;
  asio::co_spawn(context, std::move(operation), [&](std::exception_ptr error, T) {
    failure = error;
    context.stop();  // whatever else the test left waiting
  });
  context.restart();
  context.run_for(20s);
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (Error const& error) {
    return error;
  }
  ADD_FAILURE() << "no Error was thrown";
  return {ErrorClass::internal, SendState::unknown, ""};
}

struct ConnectTest : testing::Test {
  asio::io_context context;
  tcp::acceptor acceptor{context, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  tcp::endpoint const address = acceptor.local_endpoint();

  void exchange(asio::awaitable<std::unique_ptr<ByteStream>> connecting) {
    std::string received(5, '\0');
    auto const talk = [&]() -> asio::awaitable<void> {
      auto const stream = co_await std::move(connecting);
      co_await stream->read_all(std::as_writable_bytes(std::span(received)));
    };
    std::exception_ptr failure;
    asio::co_spawn(context, talk, [&](std::exception_ptr error) { failure = error; });
    tcp::socket peer(context);
    acceptor.async_accept(peer, [&](boost::system::error_code) { peer.send(asio::buffer("hello", 5)); });
    context.run_for(20s);
    if (failure) std::rethrow_exception(failure);
    EXPECT_EQ(received, "hello");
  }
};

TEST_F(ConnectTest, ConnectsToAnAddress) { exchange(connect_tcp(address, Deadline::in(10s))); }

TEST_F(ConnectTest, ConnectsWithoutADeadline) { exchange(connect_tcp(address, Deadline::never())); }

TEST_F(ConnectTest, ConnectsToANumericHost) {
  exchange(connect_tcp("127.0.0.1", std::to_string(address.port()), Deadline::in(10s)));
}

// localhost may name ::1 first, where nobody listens.
TEST_F(ConnectTest, TriesAllAddressesOfAName) {
  exchange(connect_tcp("localhost", std::to_string(address.port()), Deadline::in(10s)));
}

TEST_F(ConnectTest, NamesTheAddressThatRefuses) {
  acceptor.close();
  auto const error = failure_of(context, connect_tcp(address, Deadline::in(10s)));
  EXPECT_EQ(error.error_class(), ErrorClass::transport);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
  EXPECT_NE(std::string(error.what()).find(to_string(address)), std::string::npos) << error.what();
}

TEST_F(ConnectTest, GivesUpAtTheDeadline) {
  // A queue of one that is full: the kernel leaves further connections unanswered.
  tcp::acceptor full(context);
  full.open(tcp::v4());
  full.bind(tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  full.listen(0);
  std::vector<tcp::socket> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back(context).async_connect(full.local_endpoint(), [](boost::system::error_code) {});
  }
  auto const error = failure_of(context, connect_tcp(full.local_endpoint(), Deadline::in(50ms)));
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local) << error.what();
}

TEST_F(ConnectTest, DoesNotStartAfterTheDeadline) {
  EXPECT_EQ(failure_of(context, connect_tcp(address, Deadline::in(-1s))).error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(failure_of(context, resolve("localhost", "1", Deadline::in(-1s))).error_class(), ErrorClass::timeout_local);
}

TEST_F(ConnectTest, NamesTheHostThatDoesNotResolve) {
  auto const error = failure_of(context, resolve("no.such.host.invalid", "80", Deadline::in(15s)));
  EXPECT_NE(error.error_class(), ErrorClass::internal);
  EXPECT_NE(std::string(error.what()).find("no.such.host.invalid:80"), std::string::npos) << error.what();
}

TEST_F(ConnectTest, StopsResolvingWhenCancelled) {
  asio::cancellation_signal stop;
  std::exception_ptr failure;
  asio::co_spawn(context, resolve("localhost", "80", Deadline::never()),
                 asio::bind_cancellation_slot(
                     stop.slot(), [&](std::exception_ptr error, std::vector<tcp::endpoint>) { failure = error; }));
  asio::post(context, [&] { stop.emit(asio::cancellation_type::terminal); });
  context.run_for(20s);
  ASSERT_TRUE(failure);
  try {
    std::rethrow_exception(failure);
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::cancelled);
  }
}

TEST(EndpointText, PutsIpv6InBrackets) {
  EXPECT_EQ(to_string(tcp::endpoint(asio::ip::make_address("::1"), 80)), "[::1]:80");
  EXPECT_EQ(to_string(tcp::endpoint(asio::ip::make_address("10.0.0.1"), 80)), "10.0.0.1:80");
}

TEST(ConnectUnix, ConnectsToAPath) {
  auto pattern = (std::filesystem::temp_directory_path() / "belay-unix-XXXXXX").string();
  ASSERT_TRUE(mkdtemp(pattern.data()));
  auto const path = pattern + "/socket";
  asio::io_context context;
  stream_protocol::acceptor acceptor(context, stream_protocol::endpoint(path));
  std::unique_ptr<ByteStream> stream;
  asio::co_spawn(context, connect_unix(path, Deadline::in(10s)),
                 [&](std::exception_ptr, std::unique_ptr<ByteStream> connected) { stream = std::move(connected); });
  context.run_for(20s);
  EXPECT_TRUE(stream && stream->is_open());
  std::filesystem::remove_all(pattern);
}

TEST(ConnectUnix, NamesThePathThatIsNotThere) {
  asio::io_context context;
  auto const error = failure_of(context, connect_unix("no/such/socket", Deadline::in(10s)));
  EXPECT_EQ(error.error_class(), ErrorClass::transport);
  EXPECT_NE(std::string(error.what()).find("no/such/socket"), std::string::npos);
}

TEST(ConnectUnix, RefusesAPathTheSystemCannotHold) {
  asio::io_context context;
  EXPECT_EQ(failure_of(context, connect_unix(std::string(108, 'a'), Deadline::in(10s))).error_class(),
            ErrorClass::request);
}

}  // namespace
}  // namespace belay::net
