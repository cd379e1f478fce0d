// Each fault on real sockets, as the peers see it.
#include <chrono>

#include <gtest/gtest.h>

#include "belay/testkit/fault_proxy.hpp"
#include "belay/testkit/test_peers.hpp"

namespace belay::testkit {
namespace {

using namespace std::chrono_literals;

/// Longer than anything here takes; a wait that lasts so long is a failure.
Deadline patience() { return Deadline::in(20s); }

struct FaultProxyPlan : testing::Test {
  FaultProxyOptions options() {
    FaultProxyOptions o;
    o.target_host = "127.0.0.1";
    o.target_port = server.port();
    return o;
  }

  EchoServer server;
  FaultProxy proxy{options()};
};

template <class Work>
std::chrono::nanoseconds time_of(Work work) {
  auto const begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::steady_clock::now() - begin;
}

TEST_F(FaultProxyPlan, DelaysBothWays) {
  TestClient client(proxy.port());
  EXPECT_EQ(client.ask("quick"), "quick");
  proxy.set_plan("latency=50ms");
  EXPECT_GE(time_of([&] { EXPECT_EQ(client.ask("slow"), "slow"); }), 100ms);
  proxy.set_plan("latency=50ms:down jitter=10ms:down");
  EXPECT_GE(time_of([&] { EXPECT_EQ(client.ask("slow"), "slow"); }), 50ms);
  proxy.set_plan("none");
  EXPECT_EQ(client.ask("quick"), "quick");
}

TEST_F(FaultProxyPlan, DelaysTheEndToo) {
  TestClient client(proxy.port());
  EXPECT_EQ(client.ask("x"), "x");
  proxy.set_plan("latency=50ms");
  EXPECT_GE(time_of([&] {
              client.end_sending();
              EXPECT_EQ(client.read_to_end().error, 0);
            }),
            100ms);
}

TEST_F(FaultProxyPlan, HoldsABandwidth) {
  proxy.set_plan("bandwidth=100kB/s:up");
  TestClient client(proxy.port());
  std::string const sent(30'000, 'x');
  EXPECT_GE(time_of([&] { EXPECT_EQ(client.ask(sent), sent); }), 250ms) << "30 kB at 100 kB/s";
}

// Each piece arrives alone: a parser that expects whole messages in one read fails here.
TEST_F(FaultProxyPlan, FragmentsIntoSingleBytes) {
  proxy.set_plan("fragment=1:down gap=2ms:down");
  TestClient client(proxy.port());
  ASSERT_EQ(client.send("fragments!"), 0);
  std::string received;
  int reads = 0;
  char buffer[64];
  while (received.size() < 10) {
    auto const got = recv(client.fd(), buffer, sizeof buffer, 0);
    ASSERT_GT(got, 0);
    received.append(buffer, static_cast<std::size_t>(got));
    ++reads;
  }
  EXPECT_EQ(received, "fragments!");
  EXPECT_GT(reads, 1);
  EXPECT_TRUE(proxy.wait_for([](auto const& c) { return c.bytes_down == 10; }, patience()));
}

// Whatever the byte of a short exchange: exactly so many arrive, then the end in good order, for both peers.
TEST_F(FaultProxyPlan, CutsAtEveryByteDown) {
  std::string const question = "hello, faults";
  for (std::size_t k = 0; k <= question.size(); ++k) {
    SCOPED_TRACE(k);
    TestClient client(proxy.port());
    ASSERT_EQ(client.ask("?"), "?");
    proxy.set_plan("cut=" + std::to_string(k) + ":down");
    client.send(question);
    auto const reading = client.read_to_end();
    EXPECT_EQ(reading.bytes, question.substr(0, k));
    EXPECT_EQ(reading.error, 0);
    proxy.set_plan("none");
  }
  EXPECT_EQ(proxy.counters().cuts, question.size() + 1);
}

TEST_F(FaultProxyPlan, CutsAtEveryByteUp) {
  std::string const request = "hello, faults";
  for (std::size_t k = 0; k <= request.size(); ++k) {
    SCOPED_TRACE(k);
    TestClient client(proxy.port());
    ASSERT_EQ(client.ask("?"), "?");
    proxy.set_plan("cut=" + std::to_string(k) + ":up");
    client.send(request);
    auto const received = server.ending_of(k);
    EXPECT_EQ(received.bytes, "?" + request.substr(0, k));
    EXPECT_EQ(received.error, 0);
    proxy.set_plan("none");
  }
}

TEST_F(FaultProxyPlan, ResetsAtEveryByte) {
  std::string const question = "hello, faults";
  for (std::size_t k = 0; k <= question.size(); ++k) {
    SCOPED_TRACE(k);
    TestClient client(proxy.port());
    ASSERT_EQ(client.ask("?"), "?");
    proxy.set_plan("rst=" + std::to_string(k) + ":down");
    auto const send_error = client.send(question);  // after no byte at all, it is what meets the reset
    auto const reading = client.read_to_end();
    EXPECT_EQ(reading.bytes, question.substr(0, k)) << "the bytes before the reset are not lost";
    EXPECT_EQ(send_error != 0 ? send_error : reading.error, ECONNRESET);
    EXPECT_EQ(server.ending_of(k).error, ECONNRESET);
    proxy.set_plan("none");
  }
  EXPECT_EQ(proxy.counters().resets, question.size() + 1);
}

TEST_F(FaultProxyPlan, ResetsNewConnectionsAtOnce) {
  proxy.set_plan("rst");
  TestClient client(proxy.port());
  EXPECT_EQ(client.read_to_end().error, ECONNRESET);
  EXPECT_EQ(server.sessions(), 0U);
}

TEST_F(FaultProxyPlan, EndsOneDirectionOnly) {
  proxy.set_plan("half_close=3:down");
  TestClient client(proxy.port());
  ASSERT_EQ(client.send("abcdef"), 0);
  auto const reading = client.read_to_end();
  EXPECT_EQ(reading.bytes, "abc");
  EXPECT_EQ(reading.error, 0);
  ASSERT_EQ(client.send("still heard"), 0);
  EXPECT_TRUE(server.has_received(0, 17));
  EXPECT_TRUE(proxy.wait_for([](auto const& c) { return c.bytes_discarded >= 3; }, patience()));
  client.end_sending();
  EXPECT_EQ(server.ending_of(0).bytes, "abcdefstill heard");
  EXPECT_TRUE(proxy.wait_for([](auto const& c) { return c.open == 0; }, patience()));
  EXPECT_EQ(proxy.counters().half_closes, 1U);
  EXPECT_EQ(proxy.counters().closed, 1U);
}

TEST_F(FaultProxyPlan, EndsTheRequestOnly) {
  proxy.set_plan("half_close=3:up");
  TestClient client(proxy.port());
  ASSERT_EQ(client.send("abcdef"), 0);
  EXPECT_EQ(client.read_to_end().bytes, "abc") << "the answer to what came through, then the server's own end";
  EXPECT_EQ(server.ending_of(0).bytes, "abc");
}

TEST_F(FaultProxyPlan, SwallowsTheAnswer) {
  TestClient client(proxy.port());
  ASSERT_EQ(client.ask("?"), "?");
  proxy.set_plan("blackhole=down");
  ASSERT_EQ(client.send("anybody?"), 0);
  EXPECT_TRUE(server.has_received(0, 9)) << "the request comes through";
  client.be_patient(50ms);
  EXPECT_EQ(client.read(1).error, EAGAIN) << "the client's deadline, not the proxy, ends it";
  client.be_patient(20s);
  proxy.set_plan("none");
  EXPECT_EQ(client.read(8).bytes, "anybody?") << "what was held back comes when the way is free";
}

TEST_F(FaultProxyPlan, SwallowsTheRequest) {
  TestClient client(proxy.port());
  ASSERT_EQ(client.ask("?"), "?");
  proxy.set_plan("blackhole=up");
  ASSERT_EQ(client.send("anybody?"), 0);
  server.say(0, "unasked");
  EXPECT_EQ(client.read(7).bytes, "unasked");
  client.be_patient(50ms);
  EXPECT_EQ(client.read(1).error, EAGAIN);
  EXPECT_EQ(proxy.counters().bytes_up, 1U);
}

TEST_F(FaultProxyPlan, SwallowsBothWaysAndTheEnd) {
  TestClient client(proxy.port());
  ASSERT_EQ(client.ask("?"), "?");
  proxy.set_plan("blackhole=both");
  ASSERT_EQ(client.send("anybody?"), 0);
  server.say(0, "hello?");
  client.be_patient(50ms);
  EXPECT_EQ(client.read(1).error, EAGAIN);
  client.close();
  TestClient other(proxy.port(), 50ms);
  EXPECT_EQ(other.connect_error(), 0);
  other.send("me too");
  EXPECT_EQ(other.read(1).error, EAGAIN);
  EXPECT_FALSE(server.is_over(0)) << "the server is not told that its client has gone";
  EXPECT_EQ(proxy.counters().bytes_up, 1U);
  EXPECT_EQ(proxy.counters().open, 2U);
}

TEST_F(FaultProxyPlan, StallsInTheMiddleOfAReply) {
  proxy.set_plan("stall=4:down");
  TestClient client(proxy.port());
  ASSERT_EQ(client.send("whole reply"), 0);
  EXPECT_EQ(client.read(4).bytes, "whol");
  client.be_patient(50ms);
  EXPECT_EQ(client.read(1).error, EAGAIN);
}

TEST_F(FaultProxyPlan, ForgetsAConnection) {
  TestClient client(proxy.port());
  ASSERT_EQ(client.ask("?"), "?");
  proxy.set_plan("forget");
  client.be_patient(50ms);
  EXPECT_EQ(client.read(1).error, EAGAIN) << "nothing tells the client";
  client.be_patient(20s);
  client.send("are you there?");
  EXPECT_EQ(client.read(1).error, ECONNRESET);
}

TEST_F(FaultProxyPlan, AcceptsAndNeverAnswers) {
  proxy.set_plan("hold");
  TestClient client(proxy.port(), 50ms);
  EXPECT_EQ(client.connect_error(), 0);
  ASSERT_EQ(client.send("hello"), 0);
  EXPECT_EQ(client.read(1).error, EAGAIN);
  EXPECT_EQ(server.sessions(), 0U);
  client.close();
  EXPECT_TRUE(proxy.wait_for([](auto const& c) { return c.open == 0; }, patience())) << "who gives up is let go";

  TestClient patient(proxy.port());
  ASSERT_EQ(patient.send("hello"), 0);
  ASSERT_TRUE(proxy.wait_for([](auto const& c) { return c.accepted == 2; }, patience()));
  proxy.set_plan("none");
  EXPECT_EQ(patient.read(5).bytes, "hello");
}

TEST_F(FaultProxyPlan, RefusesAndListensAgain) {
  proxy.set_plan("refuse");
  EXPECT_EQ(TestClient(proxy.port()).connect_error(), ECONNREFUSED);
  EXPECT_EQ(TestClient(proxy.port()).connect_error(), ECONNREFUSED);
  proxy.set_plan("none");
  EXPECT_EQ(TestClient(proxy.port()).ask("hello"), "hello");
  EXPECT_EQ(proxy.counters().accepted, 1U);
}

TEST_F(FaultProxyPlan, RefusesForAWhile) {
  proxy.set_plan("refuse for=300ms");
  EXPECT_EQ(TestClient(proxy.port()).connect_error(), ECONNREFUSED);
  int error = ECONNREFUSED;
  while (error == ECONNREFUSED) error = TestClient(proxy.port()).connect_error();
  EXPECT_EQ(error, 0) << "it listens again by itself";
}

TEST_F(FaultProxyPlan, RefusesFromTheStart) {
  FaultProxy refusing(options(), FaultPlan::parse("refuse"));
  EXPECT_EQ(TestClient(refusing.port()).connect_error(), ECONNREFUSED);
  refusing.set_plan("none");
  EXPECT_EQ(TestClient(refusing.port()).ask("hello"), "hello");
}

TEST_F(FaultProxyPlan, RefusesSomeByAReset) {
  proxy.set_plan("refuse connection=2");
  EXPECT_EQ(TestClient(proxy.port()).ask("hello"), "hello");
  TestClient second(proxy.port());
  EXPECT_EQ(second.connect_error(), 0);
  EXPECT_EQ(second.read_to_end().error, ECONNRESET);
  EXPECT_EQ(TestClient(proxy.port()).ask("hello"), "hello");
}

TEST_F(FaultProxyPlan, DelaysNewConnections) {
  proxy.set_plan("accept_delay=100ms");
  TestClient client(proxy.port());
  EXPECT_GE(time_of([&] { EXPECT_EQ(client.ask("hello"), "hello"); }), 90ms)
      << "a little may pass before the clock is looked at";
}

TEST_F(FaultProxyPlan, TakesConnectionsAtAPace) {
  proxy.set_plan("accept_rate=20/s");
  EXPECT_GE(time_of([&] {
              std::deque<TestClient> clients;
              for (int i = 0; i < 5; ++i) clients.emplace_back(proxy.port()).send("hello");
              for (auto& client : clients) EXPECT_EQ(client.read(5).bytes, "hello");
            }),
            190ms)
      << "five of them, 50 ms apart";
}

TEST_F(FaultProxyPlan, ResetsConnectionsBeyondALimit) {
  proxy.set_plan("accept_limit=1/m");
  EXPECT_EQ(TestClient(proxy.port()).ask("hello"), "hello");
  EXPECT_EQ(TestClient(proxy.port()).read_to_end().error, ECONNRESET);
  EXPECT_EQ(proxy.counters().refused, 1U);
}

TEST_F(FaultProxyPlan, AfflictsChosenConnections) {
  proxy.set_plan("cut=2:down connection=2-3");
  for (int number = 1; number <= 4; ++number) {
    SCOPED_TRACE(number);
    TestClient client(proxy.port());
    client.send("hello");
    auto const is_afflicted = number == 2 || number == 3;
    EXPECT_EQ(client.read(5).bytes, is_afflicted ? "he" : "hello");
  }
}

// The same seed afflicts the same connections.
TEST_F(FaultProxyPlan, AfflictsByTheSeed) {
  auto const afflicted = [&](std::uint64_t seed) {
    auto seeded = options();
    seeded.seed = seed;
    FaultProxy another(seeded, FaultPlan::parse("rst p=0.5"));
    std::string pattern;
    for (int i = 0; i < 24; ++i) pattern += TestClient(another.port()).ask("x") == "x" ? '.' : 'X';
    return pattern;
  };
  auto const first = afflicted(1);
  EXPECT_EQ(first, afflicted(1));
  EXPECT_NE(first, afflicted(2));
  EXPECT_NE(first.find('X'), std::string::npos);
  EXPECT_NE(first.find('.'), std::string::npos);
}

TEST_F(FaultProxyPlan, BreaksAtItsTime) {
  TestClient client(proxy.port());
  ASSERT_EQ(client.ask("?"), "?");
  EXPECT_GE(time_of([&] {
              proxy.set_plan("rst at=100ms");
              EXPECT_EQ(client.read_to_end().error, ECONNRESET);
            }),
            100ms);
}

// The receiver reads nothing, so bytes stand in the proxy: a rule must reach the connection all the same.
TEST_F(FaultProxyPlan, BreaksAConnectionThatIsStuck) {
  TestClient client(proxy.port());
  client.be_patient(200ms);
  std::string const much(64 * 1024 * 1024, 'x');
  EXPECT_EQ(client.send(much), EAGAIN) << "nobody reads the echo, so it is stuck";
  proxy.set_plan("rst at=50ms");
  EXPECT_TRUE(proxy.wait_for([](auto const& c) { return c.resets == 1; }, Deadline::in(5s)));
  client.be_patient(20s);
  EXPECT_EQ(client.read_to_end().error, ECONNRESET);
}

}  // namespace
}  // namespace belay::testkit
