#include "belay/testkit/fault_proxy.hpp"

#include <array>
#include <atomic>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <dirent.h>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/testkit/test_peers.hpp"

namespace belay::testkit {
namespace {

using namespace std::chrono_literals;
using Kind = FaultProxyEvent::Kind;

Deadline patience() { return Deadline::in(20s); }

FaultProxyOptions options_to(EchoServer const& server) {
  FaultProxyOptions options;
  options.target_host = "127.0.0.1";
  options.target_port = server.port();
  return options;
}

/// Bytes in which every place differs from its neighbours.
std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 131 + i / 256) & 0xff);
  return bytes;
}

int open_descriptors() {
  int count = 0;
  auto* const directory = opendir("/proc/self/fd");
  while (readdir(directory)) ++count;
  closedir(directory);
  return count;
}

TEST(FaultProxy, PassesEverythingWithoutFaults) {
  EchoServer server;
  FaultProxy proxy(options_to(server));
  EXPECT_EQ(proxy.address(), "127.0.0.1:" + std::to_string(proxy.port()));
  TestClient client(proxy.port());
  auto const sent = pattern(3'000'000);
  std::thread sender([&] {
    EXPECT_EQ(client.send(sent), 0);
    client.end_sending();
  });
  auto const reading = client.read_to_end();
  sender.join();
  EXPECT_TRUE(reading.bytes == sent) << reading.bytes.size();
  EXPECT_EQ(reading.error, 0);
  EXPECT_TRUE(proxy.wait_for([](auto const& c) { return c.open == 0; }, patience()));
  auto const counters = proxy.counters();
  EXPECT_EQ(counters.accepted, 1U);
  EXPECT_EQ(counters.closed, 1U);
  EXPECT_EQ(counters.bytes_up, sent.size());
  EXPECT_EQ(counters.bytes_down, sent.size());
}

TEST(FaultProxy, ServesManyAtOnce) {
  EchoServer server;
  FaultProxy proxy(options_to(server));
  std::deque<TestClient> clients;
  for (int i = 0; i < 100; ++i) clients.emplace_back(proxy.port()).send("client " + std::to_string(i));
  for (std::size_t i = 0; i < clients.size(); ++i) {
    auto const expected = "client " + std::to_string(i);
    EXPECT_EQ(clients[i].read(expected.size()).bytes, expected);
  }
  EXPECT_EQ(proxy.counters().open, 100U);
}

TEST(FaultProxy, HandsOnAResetOfEitherPeer) {
  EchoServer server(EchoServer::Manner::only_listens);
  FaultProxy proxy(options_to(server));
  TestClient client(proxy.port());
  client.send("x");
  ASSERT_TRUE(server.has_received(0, 1));
  client.close_by_reset();
  EXPECT_EQ(server.ending_of(0).error, ECONNRESET);
  EXPECT_TRUE(proxy.wait_for([](auto const& c) { return c.closed == 1; }, patience()));
  EXPECT_EQ(proxy.counters().resets, 0U) << "that was no fault of ours";
}

TEST(FaultProxy, ResetsWhenTheTargetIsNotThere) {
  std::atomic<int> failures = 0;
  FaultProxyOptions options;
  {
    EchoServer const gone;
    options = options_to(gone);
  }
  options.on_event = [&](FaultProxyEvent const& event) { failures += event.kind == Kind::target_failed ? 1 : 0; };
  FaultProxy proxy(options);
  EXPECT_EQ(TestClient(proxy.port()).read_to_end().error, ECONNRESET);
  EXPECT_TRUE(proxy.wait_for([](auto const& c) { return c.target_failures == 1; }, patience()));
  proxy.stop();
  EXPECT_EQ(failures, 1);
}

TEST(FaultProxy, CutsAndResetsLiveConnections) {
  EchoServer server;
  FaultProxy proxy(options_to(server));
  TestClient cut(proxy.port());
  ASSERT_EQ(cut.ask("?"), "?");
  proxy.cut_all();
  EXPECT_EQ(cut.read_to_end().error, 0);

  TestClient reset(proxy.port());
  ASSERT_EQ(reset.ask("?"), "?") << "new connections are well";
  proxy.reset_all();
  EXPECT_EQ(reset.read_to_end().error, ECONNRESET);
  EXPECT_TRUE(proxy.wait_for([](auto const& c) { return c.cuts == 1 && c.resets == 1; }, patience()));
}

// Bytes that stand unread in the proxy's socket would turn its close into a reset.
TEST(FaultProxy, CutsInGoodOrderThoughBytesAreUnread) {
  EchoServer server;
  auto options = options_to(server);
  options.buffer_bytes_max = 10;
  FaultProxy proxy(options);
  TestClient client(proxy.port());
  ASSERT_EQ(client.ask("?"), "?");
  proxy.set_plan("blackhole");
  ASSERT_EQ(client.send(std::string(10'000, 'x')), 0);
  proxy.cut_all();
  EXPECT_EQ(client.read_to_end().error, 0);
  proxy.stop();  // all that it had to send has been sent
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(client.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  EXPECT_EQ(error, 0);
}

TEST(FaultProxy, BlackholesAndForgetsLiveConnections) {
  EchoServer server;
  FaultProxy proxy(options_to(server));
  TestClient swallowed(proxy.port());
  ASSERT_EQ(swallowed.ask("?"), "?");
  proxy.blackhole_all();
  TestClient well(proxy.port());
  EXPECT_EQ(well.ask("hello"), "hello");
  swallowed.send("hello");
  swallowed.be_patient(50ms);
  EXPECT_EQ(swallowed.read(1).error, EAGAIN);
  proxy.forget_all();
  well.send("hello");
  EXPECT_EQ(well.read(1).error, ECONNRESET);
}

TEST(FaultProxy, KeepsTheOldPlanWhenTheNewOneIsNonsense) {
  EchoServer server;
  FaultProxy proxy(options_to(server), FaultPlan::parse("latency=1ms"));
  EXPECT_THROW(proxy.set_plan("latency=soon"), Error);
  EXPECT_EQ(proxy.plan().to_string(), "latency=1ms");
}

// Whatever the plans do meanwhile, a stream that is not ended loses, repeats and swaps nothing.
TEST(FaultProxy, KeepsTheBytesInOrderWhilePlansChange) {
  EchoServer server;
  FaultProxy proxy(options_to(server));
  TestClient client(proxy.port());
  auto const sent = pattern(10'000'000);
  std::thread sender([&] { EXPECT_EQ(client.send(sent), 0); });
  constexpr std::array plans = {"latency=1ms jitter=1ms", "blackhole=up for=2ms", "none",
                                "fragment=700",           "bandwidth=50MB/s",     "hold; accept_rate=5/s",
                                "stall=1000:down for=3ms"};
  std::atomic<bool> is_done = false;
  std::thread planner([&] {
    for (std::size_t i = 0; !is_done; ++i) {
      proxy.set_plan(plans[i % plans.size()]);
      std::this_thread::sleep_for(1ms);  // a pace: each plan shall meet some of the bytes
    }
  });
  auto const reading = client.read(sent.size());
  is_done = true;
  planner.join();
  sender.join();
  EXPECT_TRUE(reading.bytes == sent) << reading.bytes.size() << " bytes, error " << reading.error;
}

TEST(FaultProxy, TellsWhatHappens) {
  EchoServer server;
  std::vector<std::string> story;
  auto options = options_to(server);
  options.on_event = [&](FaultProxyEvent const& event) { story.push_back(to_string(event)); };
  FaultProxy proxy(options, FaultPlan::parse("cut=4:down"));
  TestClient client(proxy.port());
  client.send("hello");
  EXPECT_EQ(client.read_to_end().bytes, "hell");
  proxy.stop();
  ASSERT_EQ(story.size(), 3U);
  EXPECT_EQ(story[0].substr(0, 39), "connection 1 accepted from 127.0.0.1:" + story[0].substr(37, 2));
  EXPECT_EQ(story[1], "connection 1 connected to 127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(story[2], "connection 1 cut after 5 bytes up, 4 down: cut=4:down");
}

// What an observer commands is done, though it is called in the middle of the proxy's work.
TEST(FaultProxy, ObeysItsObserver) {
  EchoServer server;
  FaultProxy* proxy = nullptr;
  auto options = options_to(server);
  options.on_event = [&](FaultProxyEvent const& event) {
    if (event.kind == Kind::connected && event.connection == 1) proxy->set_plan("half_close=3:down");
    if (event.kind == Kind::half_closed) {
      proxy->set_plan("refuse");
      proxy->reset_all();
    }
    if (event.kind == Kind::not_listening) proxy->set_plan("none");
  };
  FaultProxy object(options);
  proxy = &object;
  TestClient client(object.port());
  client.send("hello");
  EXPECT_EQ(client.read(3).bytes, "hel");
  EXPECT_EQ(server.ending_of(0).error, ECONNRESET);
  EXPECT_EQ(TestClient(object.port()).ask("hello"), "hello");
  EXPECT_EQ(object.counters().half_closes, 1U);
  EXPECT_EQ(object.counters().resets, 1U);
}

TEST(FaultProxy, BoundsItsConnections) {
  EchoServer server;
  auto options = options_to(server);
  options.connections_max = 2;
  FaultProxy proxy(options);
  TestClient first(proxy.port());
  ASSERT_EQ(first.ask("x"), "x");
  {
    TestClient second(proxy.port());
    ASSERT_EQ(second.ask("x"), "x");
    EXPECT_EQ(TestClient(proxy.port()).read_to_end().error, ECONNRESET);
  }
  EXPECT_TRUE(proxy.wait_for([](auto const& c) { return c.open == 1; }, patience()));
  EXPECT_EQ(TestClient(proxy.port()).ask("x"), "x");
  EXPECT_EQ(proxy.counters().refused, 1U);
}

// The sender is slowed down by the receiver, as without a proxy: what stands in between is bounded.
TEST(FaultProxy, BoundsItsBuffers) {
  EchoServer server(EchoServer::Manner::only_listens);
  auto options = options_to(server);
  options.buffer_bytes_max = 10;
  FaultProxy proxy(options, FaultPlan::parse("bandwidth=1B/s"));
  TestClient client(proxy.port());
  client.be_patient(200ms);
  EXPECT_EQ(client.send(std::string(32 * 1024 * 1024, 'x')), EAGAIN);
  EXPECT_LT(proxy.counters().bytes_up, 10U);
}

TEST(FaultProxy, StopsWithLiveConnectionsAndLeavesNothing) {
  EchoServer server;
  {
    FaultProxy warm_up(options_to(server));  // what the library opens once and keeps
    TestClient(warm_up.port()).ask("x");
  }
  (void)server.ending_of(0);
  auto const before = open_descriptors();
  for (auto const* plan : {"none", "blackhole", "hold", "latency=1h", "bandwidth=1B/s", "accept_rate=1/m", "refuse",
                           "accept_delay=1h", "stall=0"}) {
    SCOPED_TRACE(plan);
    std::deque<TestClient> clients;
    FaultProxy proxy(options_to(server), FaultPlan::parse(plan));
    for (int i = 0; i < 3; ++i) clients.emplace_back(proxy.port()).send("hello");
    proxy.stop();
    EXPECT_EQ(proxy.counters().open, 0U);
    for (auto& client : clients) EXPECT_NE(client.read_to_end().error, EAGAIN);
    EXPECT_EQ(TestClient(proxy.port()).connect_error(), ECONNREFUSED);
    proxy.stop();
    proxy.set_plan("none");
    proxy.cut_all();
  }
  for (std::size_t i = 0; i < server.sessions(); ++i) (void)server.ending_of(i);
  EXPECT_EQ(open_descriptors(), before);
}

TEST(FaultProxy, IsCommandedFromManyThreads) {
  EchoServer server;
  FaultProxy proxy(options_to(server));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 25; ++round) {
        TestClient client(proxy.port());
        client.send("hello");
        if (i == 0) proxy.set_plan(round % 2 == 0 ? "latency=1ms" : "none");
        if (i == 1) proxy.cut_all();
        if (i == 2) (void)proxy.counters();
        if (i == 3) proxy.reset_all();
      }
    });
  }
  EXPECT_TRUE(proxy.wait_for([](auto const& c) { return c.accepted >= 50; }, patience()));
  proxy.stop();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(proxy.counters().open, 0U);
}

TEST(FaultProxy, RunsOnAGivenExecutor) {
  EchoServer server;
  boost::asio::thread_pool pool(2);
  {
    FaultProxy proxy(pool.get_executor(), options_to(server));
    TestClient client(proxy.port());
    EXPECT_EQ(client.ask("hello"), "hello");
    proxy.set_plan("cut=2:down");
    client.send("hello");
    EXPECT_EQ(client.read_to_end().bytes, "he");
    proxy.stop();
  }
  pool.join();  // returns: nothing was left behind
}

TEST(FaultProxy, MayLiveOnAnExecutorThatNeverRuns) {
  EchoServer server;
  boost::asio::io_context context;
  std::uint16_t port = 0;
  {
    FaultProxy proxy(context.get_executor(), options_to(server));
    port = proxy.port();
    proxy.set_plan("rst");
    proxy.stop();
  }
  context.run();
  EXPECT_EQ(TestClient(port).connect_error(), ECONNREFUSED);
}

TEST(FaultProxy, RefusesOptionsThatMakeNoSense) {
  EchoServer server;
  auto const failure_of = [&](auto change) {
    auto options = options_to(server);
    change(options);
    try {
      FaultProxy const proxy(options);
    } catch (Error const& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  auto const expect = [&](auto change, char const* says) {
    EXPECT_NE(failure_of(change).find(says), std::string::npos) << failure_of(change);
  };
  expect([](auto& o) { o.target_host = ""; }, "target_host is empty");
  expect([](auto& o) { o.target_port = 0; }, "target_port is 0");
  expect([](auto& o) { o.connections_max = 0; }, "connections_max is 0");
  expect([](auto& o) { o.buffer_bytes_max = 0; }, "buffer_bytes_max is 0");
  expect([](auto& o) { o.connect_timeout = 0s; }, "connect_timeout is 0");
  expect([](auto& o) { o.listen_address = "localhost"; }, "'localhost' is not a numeric address");
  expect([](auto& o) { o.target_host = "no.such.host.invalid"; }, "no.such.host.invalid");
  expect([&](auto& o) { o.listen_port = server.port(); }, "cannot listen on 127.0.0.1:");
}

}  // namespace
}  // namespace belay::testkit
