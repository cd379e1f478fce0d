#include "belay/net/socket_options.hpp"

#include <limits>
#include <string>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "belay/core/error.hpp"

namespace belay::net {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::tcp;

struct SocketOptionsTest : testing::Test {
  boost::asio::io_context context;
  tcp::socket socket{context, tcp::v4()};

  int option(int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    EXPECT_EQ(getsockopt(socket.native_handle(), level, name, &value, &size), 0);
    return value;
  }
};

TEST_F(SocketOptionsTest, NoticeADeadPeerWithinTwentySecondsByDefault) {
  apply(SocketOptions(), socket);
  EXPECT_NE(option(IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_NE(option(SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE), 15);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPINTVL), 5);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 20'000);
}

TEST_F(SocketOptionsTest, LeaveToTheKernelWhatIsSwitchedOff) {
  apply({.no_delay = false, .keep_alive = std::nullopt, .user_timeout = std::nullopt}, socket);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_NODELAY), 0);
  EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
}

TEST_F(SocketOptionsTest, ReachTheKernelAtTheEndsOfTheirRanges) {
  SocketOptions options;
  options.keep_alive = {.idle = 9h, .interval = 9h, .probes = 127};
  options.user_timeout = 24h;
  validate(options);
  apply(options, socket);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE), 32'400);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 86'400'000);
}

std::string refusal(SocketOptions const& options) {
  try {
    validate(options);
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::request);
    EXPECT_EQ(error.send_state(), SendState::never_sent);
    return error.what();
  }
  return "accepted";
}

TEST_F(SocketOptionsTest, AreRefusedOutOfTheirRangesByName) {
  SocketOptions options;
  options.keep_alive = {.idle = 0s};
  EXPECT_EQ(refusal(options), "socket option keep_alive.idle is 0 s, it must lie between 1 s and 32400 s");
  options.keep_alive = {.interval = std::chrono::seconds::max()};
  EXPECT_NE(refusal(options).find("keep_alive.interval"), std::string::npos);
  options.keep_alive = {.probes = 128};
  EXPECT_EQ(refusal(options), "socket option keep_alive.probes is 128, it must lie between 1 and 127");
  options.keep_alive.reset();
  options.user_timeout = 0ms;  // zero never means "for ever"
  EXPECT_EQ(refusal(options), "socket option user_timeout is 0 ms, it must lie between 1000 ms and 86400000 ms");
}

}  // namespace
}  // namespace belay::net
