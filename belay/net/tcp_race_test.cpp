// connect_tcp on real sockets: loopback listeners that misbehave in every way a host with two families can.
#include <chrono>
#include <exception>
#include <string>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "belay/core/error.hpp"
#include "belay/net/connect.hpp"
#include "belay/net/tcp_stream.hpp"

namespace belay::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using boost::system::error_code;

/// Gives the addresses it is told to give, and counts.
struct FixedResolver final : Resolver {
  asio::awaitable<std::vector<tcp::endpoint>> resolve(std::string, std::string, Deadline) override {
    ++calls;
    co_return endpoints;
  }
  std::vector<tcp::endpoint> endpoints;
  int calls = 0;
};

/// What a listener does to those who connect.
enum class Manner { greets, refuses, hangs, never_accepts, closes, resets, complains };

/// A listener on one loopback address.
class Listener {
 public:
  Listener(asio::io_context& context, asio::ip::address const& address, Manner manner)
      : context_(context), acceptor_(context, tcp::endpoint(address, 0)), manner_(manner) {
    endpoint = acceptor_.local_endpoint();
    if (manner == Manner::refuses) acceptor_.close();
    if (manner == Manner::never_accepts) fill_the_queue();
    if (manner != Manner::refuses && manner != Manner::never_accepts) accept();
  }

  tcp::endpoint endpoint;
  int accepted = 0;
  int ended_by_client = 0;

 private:
  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error) return;
      ++accepted;
      sockets_.push_back(std::make_unique<tcp::socket>(std::move(socket)));
      behave(*sockets_.back());
      accept();
    });
  }

  void behave(tcp::socket& socket) {
    switch (manner_) {
      case Manner::greets: socket.send(asio::buffer("hello", 5)); break;
      case Manner::complains: socket.send(asio::buffer("FATAL", 5)); break;
      case Manner::resets: socket.set_option(asio::socket_base::linger(true, 0)); [[fallthrough]];
      case Manner::closes: socket.close(); return;
      default: break;
    }
    socket.async_wait(tcp::socket::wait_read, [this, &socket](error_code error) {
      char byte = 0;
      if (!error && socket.receive(asio::buffer(&byte, 1), 0, error) == 0) ++ended_by_client;
    });
  }

  /// The kernel leaves connections unanswered once a queue of length zero is full.
  void fill_the_queue() {
    acceptor_.listen(0);
    for (int i = 0; i < 4; ++i) {
      sockets_.push_back(std::make_unique<tcp::socket>(context_));
      sockets_.back()->async_connect(endpoint, [](error_code) {});
    }
  }

  asio::io_context& context_;
  tcp::acceptor acceptor_;
  Manner manner_;
  std::vector<std::unique_ptr<tcp::socket>> sockets_;
};

bool machine_has_ipv6() {
  asio::io_context context;
  error_code error;
  tcp::acceptor acceptor(context);
  acceptor.open(tcp::v6(), error);
  if (!error) acceptor.bind(tcp::endpoint(asio::ip::address_v6::loopback(), 0), error);
  return !error;
}

asio::awaitable<std::unique_ptr<ByteStream>> expect_hello(std::unique_ptr<ByteStream> stream, tcp::endpoint, Deadline) {
  std::string greeting(5, '\0');
  co_await stream->read_all(std::as_writable_bytes(std::span(greeting)));
  if (greeting != "hello") throw Error(ErrorClass::auth, SendState::executed, "it said " + greeting, "28000");
  co_return stream;
}

struct TcpRaceTest : testing::Test {
  asio::io_context context;
  FixedResolver resolver;
  FamilyMemory memory;
  ConnectOptions options;
  std::optional<TcpConnection> connection;
  std::exception_ptr failure;
  std::chrono::nanoseconds took{};

  TcpRaceTest() {
    options.resolver = &resolver;
    options.memory = &memory;
    options.race.attempt_timeout = 2s;
    options.race.hello_patience = 1s;
  }

  template <class HelloOrNone>
  void connect(HelloOrNone hello, Deadline deadline = Deadline::in(15s)) {
    auto const begin = std::chrono::steady_clock::now();
    auto const work = [&]() -> asio::awaitable<void> {
      if constexpr (std::is_same_v<HelloOrNone, std::nullptr_t>) {
        connection = co_await connect_tcp("db.test", "5432", options, deadline);
      } else {
        connection = co_await connect_tcp("db.test", "5432", options, hello, deadline);
      }
    };
    bool is_done = false;
    asio::co_spawn(context, work, [&](std::exception_ptr error) {
      failure = error;
      is_done = true;
      context.stop();
    });
    context.restart();
    context.run_for(20s);
    took = std::chrono::steady_clock::now() - begin;
    ASSERT_TRUE(is_done) << "still waiting";
  }
  Error error() {
    try {
      if (failure) std::rethrow_exception(failure);
    } catch (Error const& thrown) {
      return thrown;
    }
    ADD_FAILURE() << "no Error was thrown";
    return {ErrorClass::internal, SendState::unknown, ""};
  }
  void let_listeners_notice() {
    context.restart();
    context.run_for(50ms);
  }
};

// Five faults of the first family: the second is connected in all of them, and its family is remembered.
struct FirstFamily : TcpRaceTest, testing::WithParamInterface<Manner> {};

TEST_P(FirstFamily, LeavesTheConnectionToTheSecond) {
  if (!machine_has_ipv6()) GTEST_SKIP() << "this machine has no ::1";
  Listener bad(context, asio::ip::address_v6::loopback(), GetParam());
  Listener good(context, asio::ip::address_v4::loopback(), Manner::greets);
  resolver.endpoints = {bad.endpoint, good.endpoint};
  connect(expect_hello);
  ASSERT_TRUE(connection) << error().what();
  EXPECT_EQ(connection->address, good.endpoint);
  EXPECT_TRUE(connection->stream->is_open());
  EXPECT_EQ(memory.preferred(std::chrono::steady_clock::now()), AddressFamily::ipv4);
  EXPECT_EQ(resolver.calls, 1);

  connection.reset();
  connect(expect_hello);
  ASSERT_TRUE(connection) << error().what();
  EXPECT_EQ(good.accepted, 2);
  EXPECT_LT(took, 1s) << "the good family goes first";
}

std::string name_of_manner(testing::TestParamInfo<Manner> const& info) {
  switch (info.param) {
    case Manner::greets: return "Greets";
    case Manner::refuses: return "Refuses";
    case Manner::hangs: return "HangsAfterTheAccept";
    case Manner::never_accepts: return "HangsWhileConnecting";
    case Manner::closes: return "Closes";
    case Manner::resets: return "Resets";
    case Manner::complains: return "FailsInItsProtocol";
  }
  return "";
}
INSTANTIATE_TEST_SUITE_P(OfAHost, FirstFamily,
                         testing::Values(Manner::refuses, Manner::hangs, Manner::never_accepts, Manner::closes,
                                         Manner::resets, Manner::complains),
                         name_of_manner);

TEST_F(TcpRaceTest, TellsWhatEveryAddressDid) {
  Listener closed(context, asio::ip::address_v4::loopback(), Manner::refuses);
  Listener hostile(context, asio::ip::make_address("127.0.0.2"), Manner::complains);
  Listener gone(context, asio::ip::make_address("127.0.0.3"), Manner::closes);
  resolver.endpoints = {closed.endpoint, hostile.endpoint, gone.endpoint};
  connect(expect_hello);
  auto const told = error();
  EXPECT_EQ(std::string(told.what()), "cannot connect to db.test:5432: " + to_string(closed.endpoint) +
                                          ": Connection refused; " + to_string(hostile.endpoint) + ": it said FATAL; " +
                                          to_string(gone.endpoint) + ": the peer ended the connection");
  EXPECT_EQ(told.send_state(), SendState::never_sent);
}

/// An option of whichever socket of this process is connected to the endpoint; the stream does not show its own.
int option_of_socket_to(tcp::endpoint const& peer, int level, int name) {
  for (int descriptor = 3; descriptor < 1000; ++descriptor) {
    tcp::endpoint other;
    auto size = static_cast<socklen_t>(other.capacity());
    if (getpeername(descriptor, other.data(), &size) != 0 || other != peer) continue;
    int value = -1;
    size = sizeof value;
    if (getsockopt(descriptor, level, name, &value, &size) == 0) return value;
  }
  return -1;
}

TEST_F(TcpRaceTest, SetsTheOptionsOfTheSocket) {
  Listener good(context, asio::ip::address_v4::loopback(), Manner::greets);
  resolver.endpoints = {good.endpoint};
  options.socket.user_timeout = 5s;
  connect(nullptr);
  ASSERT_TRUE(connection) << error().what();
  EXPECT_EQ(option_of_socket_to(good.endpoint, IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);
  EXPECT_EQ(option_of_socket_to(good.endpoint, IPPROTO_TCP, TCP_KEEPIDLE), 15);
  EXPECT_EQ(option_of_socket_to(good.endpoint, IPPROTO_TCP, TCP_NODELAY), 1);
}

TEST_F(TcpRaceTest, ClosesTheLosersBeforeItReturns) {
  Listener slow(context, asio::ip::address_v4::loopback(), Manner::hangs);
  Listener good(context, asio::ip::make_address("127.0.0.2"), Manner::greets);
  resolver.endpoints = {slow.endpoint, good.endpoint};
  connect(expect_hello);
  ASSERT_TRUE(connection) << error().what();
  let_listeners_notice();
  EXPECT_EQ(slow.accepted, 1);
  EXPECT_EQ(slow.ended_by_client, 1);
  EXPECT_EQ(good.ended_by_client, 0);
}

TEST_F(TcpRaceTest, EndsAtTheDeadline) {
  Listener mute(context, asio::ip::address_v4::loopback(), Manner::hangs);
  resolver.endpoints = {mute.endpoint};
  connect(expect_hello, Deadline::in(100ms));
  EXPECT_EQ(error().error_class(), ErrorClass::timeout_local);
  EXPECT_NE(std::string(error().what()).find("no hello yet"), std::string::npos) << error().what();
  EXPECT_LT(took, 2s);
  let_listeners_notice();
  EXPECT_EQ(mute.ended_by_client, 1);
}

TEST_F(TcpRaceTest, EndsAllAttemptsWhenCancelled) {
  Listener mute(context, asio::ip::address_v4::loopback(), Manner::hangs);
  resolver.endpoints = {mute.endpoint};
  asio::cancellation_signal stop;
  auto const hello = [&](std::unique_ptr<ByteStream> stream, tcp::endpoint endpoint,
                         Deadline deadline) -> asio::awaitable<std::unique_ptr<ByteStream>> {
    asio::post(context, [&] { stop.emit(asio::cancellation_type::terminal); });
    co_return co_await expect_hello(std::move(stream), std::move(endpoint), deadline);
  };
  bool went_on = false;
  std::optional<ErrorClass> thrown;
  auto const work = [&]() -> asio::awaitable<void> {
    try {
      co_await connect_tcp("db.test", "5432", options, hello, Deadline::never());
      went_on = true;
    } catch (Error const& error) {
      thrown = error.error_class();
    }
  };
  asio::co_spawn(context, work, asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr) { context.stop(); }));
  context.run_for(20s);
  EXPECT_FALSE(went_on);
  EXPECT_EQ(thrown, ErrorClass::cancelled);
  let_listeners_notice();
  EXPECT_EQ(mute.ended_by_client, 1);
}

// The cancellation comes when the resolver has its answer and nothing waits that could be interrupted.
TEST_F(TcpRaceTest, TriesNothingWhenCancelledBetweenResolvingAndConnecting) {
  asio::cancellation_signal stop;
  struct CancellingResolver final : Resolver {
    explicit CancellingResolver(asio::cancellation_signal& signal) : stop(signal) {}
    asio::awaitable<std::vector<tcp::endpoint>> resolve(std::string, std::string, Deadline) override {
      auto const executor = co_await asio::this_coro::executor;
      co_await asio::post(executor, asio::use_awaitable);
      std::vector<tcp::endpoint> endpoints{tcp::endpoint(asio::ip::address_v4::loopback(), 1)};
      stop.emit(asio::cancellation_type::terminal);
      co_return endpoints;
    }
    asio::cancellation_signal& stop;
  };
  struct CountingDialer final : Dialer {
    asio::awaitable<std::unique_ptr<ByteStream>> dial(tcp::endpoint, SocketOptions, Deadline) override {
      ++dials;
      auto const executor = co_await asio::this_coro::executor;
      asio::steady_timer forever(executor, asio::steady_timer::time_point::max());
      co_await forever.async_wait(asio::use_awaitable);
      co_return nullptr;
    }
    int dials = 0;
  };
  CancellingResolver cancelling(stop);
  CountingDialer dialer;
  options.resolver = &cancelling;
  options.dialer = &dialer;
  std::optional<ErrorClass> thrown;
  auto const work = [&]() -> asio::awaitable<void> {
    try {
      co_await connect_tcp("db.test", "5432", options, Deadline::never());
    } catch (Error const& error) {
      thrown = error.error_class();
    }
  };
  auto const begin = std::chrono::steady_clock::now();
  asio::co_spawn(context, work, asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr) { context.stop(); }));
  context.run_for(20s);
  EXPECT_EQ(thrown, ErrorClass::cancelled);
  EXPECT_EQ(dialer.dials, 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, options.race.attempt_timeout);
}

TEST_F(TcpRaceTest, HandsOnWhatAHelloShouldNotThrow) {
  Listener good(context, asio::ip::address_v4::loopback(), Manner::greets);
  resolver.endpoints = {good.endpoint, good.endpoint};
  connect([](std::unique_ptr<ByteStream>, tcp::endpoint, Deadline) -> asio::awaitable<std::unique_ptr<ByteStream>> {
    throw std::logic_error("a defect");
    co_return nullptr;
  });
  EXPECT_THROW(std::rethrow_exception(failure), std::logic_error);
}

TEST_F(TcpRaceTest, RefusesOptionsBeforeItResolves) {
  options.race.stagger = 1ms;
  connect(nullptr);
  EXPECT_EQ(error().error_class(), ErrorClass::request);
  EXPECT_EQ(resolver.calls, 0);
}

}  // namespace
}  // namespace belay::net
