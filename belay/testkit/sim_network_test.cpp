#include "belay/testkit/sim_network.hpp"

#include <array>
#include <span>
#include <string>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/testkit/sim_time.hpp"

namespace belay::testkit {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using boost::system::system_error;
using namespace std::chrono_literals;
using Stream = std::unique_ptr<net::ByteStream>;

/// Reads to the end of the peer's direction; what came before an error is kept in `text`.
asio::awaitable<error_code> read_to_end(net::ByteStream& stream, std::string& text) {
  std::array<std::byte, 1024> buffer{};
  try {
    for (;;) {
      auto const count = co_await stream.read_some(buffer);
      if (count == 0) co_return error_code();
      text.append(reinterpret_cast<char const*>(buffer.data()), count);
    }
  } catch (system_error const& error) {
    co_return error.code();
  }
}

asio::awaitable<error_code> write(net::ByteStream& stream, std::string text) {
  try {
    co_await stream.write_all(text);
  } catch (system_error const& error) {
    co_return error.code();
  }
  co_return error_code();
}

struct SimNetworkTest : testing::Test {
  SimScheduler world{42};
  SimTime time{world};
  LinkOptions link{.latency = 10ms};
  SimNetwork network{world, link};
  Host const here = asio::ip::make_address("10.0.0.1");
  Host const there = asio::ip::make_address("10.0.0.2");
  Address const server{there, 5432};

  Deadline in(std::chrono::nanoseconds time_left) const { return Deadline::at(world.now() + time_left); }
  auto pair(ConnectionFaults const& faults = {}) { return network.make_pair(here, server, faults); }
  Stream connect(Deadline deadline) { return world.run(network.connect(here, server, deadline)); }
  Error connect_failure(Deadline deadline) {
    try {
      connect(deadline);
    } catch (Error const& error) {
      return error;
    }
    throw std::logic_error("connected");
  }
  std::string rest(net::ByteStream& stream, error_code& error) {
    std::string text;
    error = world.run(read_to_end(stream, text));
    return text;
  }
  void spawn(asio::awaitable<void> coroutine) {
    asio::co_spawn(world.get_executor(), std::move(coroutine), asio::detached);
  }
};

asio::awaitable<void> echo(SimListener& listener) {
  auto const stream = co_await listener.accept();
  std::array<std::byte, 256> buffer{};
  while (auto const count = co_await stream->read_some(buffer)) {
    co_await stream->write_all(net::ConstBuffers(asio::const_buffer(buffer.data(), count)));
  }
}

TEST_F(SimNetworkTest, CarriesBytesToAListenerAndBack) {
  auto listener = network.listen(server);
  spawn(echo(listener));
  auto const begin = world.now();
  auto const stream = connect(in(1s));
  EXPECT_EQ(world.now() - begin, 20ms) << "one round trip";
  auto const exchange = [&]() -> asio::awaitable<std::string> {
    co_await stream->write_all("hello");
    co_await stream->shutdown();
    std::string text;
    co_await read_to_end(*stream, text);
    co_return text;
  };
  EXPECT_EQ(world.run(exchange()), "hello");
  EXPECT_EQ(world.now() - begin, 40ms);
  world.run();
  EXPECT_TRUE(world.is_empty()) << world.describe();
  EXPECT_EQ(network.counts().established, 1u);
  EXPECT_EQ(network.counts().bytes, 10u);
}

TEST_F(SimNetworkTest, RefusesWhereNobodyListens) {
  auto const begin = world.now();
  auto const error = connect_failure(in(10s));
  EXPECT_EQ(error.error_class(), ErrorClass::transport);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
  EXPECT_NE(std::string(error.what()).find("10.0.0.2:5432"), std::string::npos) << error.what();
  EXPECT_EQ(world.now() - begin, 20ms);
  EXPECT_EQ(network.counts().refused, 1u);
}

TEST_F(SimNetworkTest, GivesUpOnABlackHoleAtTheDeadline) {
  auto const listener = network.listen(server);
  network.set_arrival(server, Arrival::black_hole);
  auto const begin = world.now();
  EXPECT_EQ(connect_failure(in(5s)).error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(world.now() - begin, 5s);
  EXPECT_EQ(network.counts().syns, 3u) << "at 0, 1 and 3 s";
  EXPECT_EQ(connect_failure(in(0s)).error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(network.counts().attempts, 1u) << "a deadline that has passed sends nothing";
  network.set_arrival(server, Arrival::accept);
  EXPECT_TRUE(connect(in(1s))->is_open());
}

TEST_F(SimNetworkTest, SendsTheSynAgainAfterAPartition) {
  auto const listener = network.listen(server);
  network.partition(there, here);
  world.schedule_in(2s, [&] { network.heal_all(); });
  auto const begin = world.now();
  EXPECT_TRUE(connect(in(10s))->is_open());
  EXPECT_EQ(world.now() - begin, 3s + 20ms) << "the third SYN";
}

TEST_F(SimNetworkTest, CancelsAConnect) {
  network.set_arrival(server, Arrival::black_hole);
  asio::cancellation_signal stop;
  std::exception_ptr failure;
  asio::co_spawn(world.get_executor(), network.connect(here, server, Deadline::never()),
                 asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr e, Stream) { failure = e; }));
  world.schedule_in(100ms, [&] { stop.emit(asio::cancellation_type::terminal); });
  world.run();
  try {
    std::rethrow_exception(failure);
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::cancelled);
  }
  EXPECT_EQ(world.elapsed(), 100ms);
  EXPECT_TRUE(world.is_empty());
}

TEST_F(SimNetworkTest, DropsSynsWhenTheBacklogIsFull) {
  auto listener = network.listen(server, 1);
  auto const first = connect(in(1s));
  EXPECT_EQ(connect_failure(in(500ms)).error_class(), ErrorClass::timeout_local);
  auto const accepted = world.run(listener.accept());
  EXPECT_TRUE(connect(in(500ms))->is_open());
}

TEST_F(SimNetworkTest, ResetsWhatAListenerHadNotAccepted) {
  auto listener = network.listen(server);
  auto const stream = connect(in(1s));
  listener.close();
  error_code error;
  EXPECT_EQ(rest(*stream, error), "");
  EXPECT_EQ(error, asio::error::connection_reset);
  EXPECT_EQ(connect_failure(in(1s)).error_class(), ErrorClass::transport);
  EXPECT_THROW(world.run(listener.accept()), system_error);
  EXPECT_TRUE(network.listen(server).address() == server) << "the address is free again";
}

TEST_F(SimNetworkTest, ClosesOrResetsAfterAccepting) {
  auto const listener = network.listen(server);
  error_code error;
  network.set_arrival(server, Arrival::accept_then_close);
  auto const closed = connect(in(1s));
  EXPECT_EQ(rest(*closed, error), "");
  EXPECT_FALSE(error);
  network.set_arrival(server, Arrival::accept_then_reset);
  auto const reset = connect(in(1s));
  rest(*reset, error);
  EXPECT_EQ(error, asio::error::connection_reset);
  network.set_arrival(server, Arrival::unreachable);
  auto const begin = world.now();
  EXPECT_EQ(connect_failure(in(1s)).error_class(), ErrorClass::transport);
  EXPECT_EQ(world.now(), begin);
}

TEST_F(SimNetworkTest, ClosesEachDirectionOnItsOwn) {
  auto const [near, far] = pair();
  error_code error;
  world.run(near->shutdown());
  EXPECT_EQ(rest(*far, error), "");
  EXPECT_EQ(world.run(write(*far, "still here")), error_code());
  world.run(far->shutdown());
  EXPECT_EQ(rest(*near, error), "still here");
  EXPECT_EQ(world.run(write(*near, "x")), asio::error::broken_pipe);
}

TEST_F(SimNetworkTest, ResetsASenderWhosePeerHasClosed) {
  auto [near, far] = pair();
  far.reset();
  EXPECT_EQ(world.run(write(*near, "into the void")), error_code()) << "the first write does not know yet";
  world.run();
  EXPECT_EQ(world.run(write(*near, "again")), asio::error::connection_reset);
  EXPECT_EQ(network.counts().resets, 1u);
}

TEST_F(SimNetworkTest, ResetsWhenUnreadBytesAreThrownAway) {
  auto [near, far] = pair();
  EXPECT_EQ(world.run(write(*near, "unread")), error_code());
  world.run();
  far.reset();
  error_code error;
  rest(*near, error);
  EXPECT_EQ(error, asio::error::connection_reset);
}

TEST_F(SimNetworkTest, LetsAWriterWaitUntilTheBufferHasRoom) {
  link.buffer_bytes = 100;
  network.set_links_between(here, there, link);
  auto const [near, far] = pair();
  bool is_written = false;
  spawn([](net::ByteStream& stream, bool& done) -> asio::awaitable<void> {
    co_await stream.write_all(std::string(1000, 'x'));
    co_await stream.shutdown();
    done = true;
  }(*near, is_written));
  world.run();
  EXPECT_FALSE(is_written);
  EXPECT_EQ(network.counts().bytes, 100u);
  error_code error;
  EXPECT_EQ(rest(*far, error), std::string(1000, 'x'));
  world.run();
  EXPECT_TRUE(is_written);
}

TEST_F(SimNetworkTest, TakesTimeForBandwidthAndLatency) {
  link.bytes_per_second = 1000;
  network.set_links_between(here, there, link);
  auto const [near, far] = pair();
  auto const begin = world.now();
  world.run(write(*near, std::string(500, 'x')));
  std::array<std::byte, 500> buffer{};
  world.run(far->read_all(buffer));
  EXPECT_EQ(world.now() - begin, 500ms + 10ms);
}

TEST_F(SimNetworkTest, DripsOneByteAtATime) {
  link.bytes_per_second = 1;
  link.segment_bytes = 1;
  network.set_links_between(here, there, link);
  auto const [near, far] = pair();
  world.run(write(*near, "abc"));
  std::array<std::byte, 10> buffer{};
  auto const begin = world.elapsed();
  EXPECT_EQ(world.run(far->read_some(buffer)), 1u);
  EXPECT_EQ(world.elapsed() - begin, 1s + 10ms);
  EXPECT_EQ(world.run(far->read_some(buffer)), 1u);
  EXPECT_EQ(world.elapsed() - begin, 2s + 10ms);
}

TEST_F(SimNetworkTest, KeepsTheOrderOfBytesUnderJitter) {
  link.jitter = 50ms;
  link.segment_bytes = 3;
  network.set_links_between(here, there, link);
  auto const [near, far] = pair();
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>('a' + i % 26);
  world.run(write(*near, text));
  world.run(near->shutdown());
  error_code error;
  EXPECT_EQ(rest(*far, error), text);
  EXPECT_GT(world.elapsed(), 10ms);
}

TEST_F(SimNetworkTest, CutsAfterEveryByteInEitherDirection) {
  for (auto const flow : {Flow::to_server, Flow::to_client}) {
    for (auto const ending : {Ending::close, Ending::reset, Ending::black_hole}) {
      for (std::uint64_t bytes = 0; bytes <= 12; ++bytes) {
        SCOPED_TRACE(testing::Message() << "flow " << int(flow) << ", ending " << int(ending) << ", byte " << bytes);
        ConnectionFaults faults;
        (flow == Flow::to_server ? faults.cut_to_server : faults.cut_to_client) = Cut{bytes, ending};
        auto [near, far] = pair(faults);
        auto& sender = flow == Flow::to_server ? near : far;
        auto& receiver = flow == Flow::to_server ? far : near;
        std::string got;
        std::optional<error_code> outcome;
        spawn([](net::ByteStream& from, std::string& text, std::optional<error_code>& end) -> asio::awaitable<void> {
          end = co_await read_to_end(from, text);
        }(*receiver, got, outcome));
        for (char const character : std::string("hello "))
          spawn([](net::ByteStream& to, char c) -> asio::awaitable<void> { co_await write(to, std::string(1, c)); }(
                                                    *sender, character)),
              world.run_for(1ms);
        spawn([](net::ByteStream& to) -> asio::awaitable<void> { co_await write(to, "world!"); }(*sender));
        world.run_for(1min);
        EXPECT_EQ(got, std::string("hello world!").substr(0, bytes));
        if (ending == Ending::black_hole) {
          EXPECT_FALSE(outcome) << "nobody is told";
        } else if (ending == Ending::close) {
          EXPECT_EQ(outcome, error_code());
        } else {
          EXPECT_EQ(outcome, error_code(asio::error::connection_reset));
        }
        near->close();
        far->close();
        world.run();
      }
    }
  }
}

TEST_F(SimNetworkTest, HoldsBackWhatAPartitionStops) {
  auto const [near, far] = pair();
  network.partition(here, there);
  EXPECT_EQ(world.run(write(*near, "late")), error_code());
  EXPECT_EQ(world.run(write(*far, "the other way")), error_code());
  world.run_for(5s);
  EXPECT_EQ(network.counts().bytes, 13u) << "one direction only";
  network.heal(here, there);
  std::array<std::byte, 4> buffer{};
  auto const begin = world.now();
  world.run(far->read_all(buffer));
  EXPECT_EQ(world.now() - begin, 10ms);
}

TEST_F(SimNetworkTest, NoticesADeadPeerWhenToldTo) {
  link.dead_peer_after = 20s;
  network.set_links_between(here, there, link);
  auto const [near, far] = pair();
  network.partition_both_ways(here, there);
  auto const begin = world.now();
  error_code error;
  rest(*near, error);
  EXPECT_EQ(error, asio::error::timed_out);
  EXPECT_EQ(world.now() - begin, 20s);
  network.heal_all();
  auto const [healthy, peer] = pair();
  network.partition(there, here);
  world.run_for(19s);
  network.heal(there, here);
  world.run_for(60s);
  EXPECT_EQ(world.run(write(*healthy, "alive")), error_code());
}

TEST_F(SimNetworkTest, EndsConnectionsOnCommand) {
  auto const [first, first_peer] = pair();
  auto const [second, second_peer] = pair();
  ASSERT_EQ(network.connections().size(), 2u);
  network.end(network.connections()[0].id, Ending::reset);
  error_code error;
  rest(*first, error);
  EXPECT_EQ(error, asio::error::connection_reset);
  EXPECT_EQ(world.run(write(*second, "fine")), error_code());
  network.end_all(server, Ending::close);
  rest(*second, error);
  EXPECT_FALSE(error);
  EXPECT_EQ(network.counts().ended, 3u);
}

TEST_F(SimNetworkTest, EndsAConnectionAtItsAge) {
  ConnectionFaults faults;
  faults.ends_after = 30s;
  auto const [near, far] = pair(faults);
  error_code error;
  rest(*near, error);
  EXPECT_EQ(error, asio::error::connection_reset);
  EXPECT_EQ(world.elapsed(), 30s);
}

TEST_F(SimNetworkTest, CancelsAReadThatHasConsumedNothing) {
  auto const [near, far] = pair();
  std::array<std::byte, 10> buffer{};
  error_code error;
  asio::cancellation_signal stop;
  near->async_read_some(asio::buffer(buffer),
                        asio::bind_cancellation_slot(stop.slot(), [&](error_code e, std::size_t) { error = e; }));
  world.schedule_in(1s, [&] { stop.emit(asio::cancellation_type::terminal); });
  world.run();
  EXPECT_EQ(error, asio::error::operation_aborted);
  world.run(write(*far, "after"));
  EXPECT_EQ(world.run(near->read_some(buffer)), 5u);
}

TEST_F(SimNetworkTest, AbortsWhatIsPendingWhenItCloses) {
  auto const [near, far] = pair();
  std::array<std::byte, 10> buffer{};
  error_code error;
  near->async_read_some(asio::buffer(buffer), [&](error_code e, std::size_t) { error = e; });
  near->close();
  world.run();
  EXPECT_EQ(error, asio::error::operation_aborted);
  near->async_read_some(asio::buffer(buffer), [&](error_code e, std::size_t) { error = e; });
  world.run();
  EXPECT_EQ(error, asio::error::bad_descriptor);
}

/// A whole small world with every kind of fault; its hash tells whether it ran the same way.
std::uint64_t hash_of_faulty_echoes(std::uint64_t seed) {
  SimScheduler world(seed);
  SimNetwork network(world, {.latency = 1ms, .jitter = 1ms});
  FaultRates const rates{.refuse = 0.1,
                         .black_hole = 0.1,
                         .accept_then_close = 0.1,
                         .accept_then_reset = 0.1,
                         .cut = 0.3,
                         .fragment = 0.3,
                         .end = 0.2,
                         .cut_within_bytes = 200,
                         .end_within = 1s};
  network.set_plan(seeded_faults(world.random("faults"), rates));
  Address const server(asio::ip::make_address("10.0.0.2"), 80);
  auto listener = network.listen(server);
  auto const serve = [&]() -> asio::awaitable<void> {
    auto const executor = world.get_executor("server");
    for (;;) {
      auto stream = co_await listener.accept();
      asio::co_spawn(
          executor,
          [](Stream owned) -> asio::awaitable<void> {
            std::string text;
            auto const error = co_await read_to_end(*owned, text);
            if (!error) co_await write(*owned, text);
          }(std::move(stream)),
          asio::detached);
    }
  };
  asio::co_spawn(world.get_executor("server"), serve, asio::detached);
  auto const client = [&](int i) -> asio::awaitable<void> {
    try {
      auto const from = asio::ip::make_address("10.0.1." + std::to_string(i));
      auto const stream = co_await network.connect(from, server, Deadline::at(world.now() + 5s));
      co_await stream->write_all(std::string(150, 'x'));
      co_await stream->shutdown();
      std::string text;
      auto const error = co_await read_to_end(*stream, text);
      world.note(error ? error.message() : text);
    } catch (std::exception const& error) {
      world.note(error.what());
    }
  };
  for (int i = 1; i <= 50; ++i) {
    asio::co_spawn(world.get_executor("client " + std::to_string(i)), client(i), asio::detached);
  }
  world.run();
  EXPECT_GT(network.counts().established, 10u);
  EXPECT_GT(network.counts().ended, 2u);
  return world.trace_hash();
}

TEST(SimNetwork, RunsASeededStormTheSameWayTwice) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    EXPECT_EQ(hash_of_faulty_echoes(seed), hash_of_faulty_echoes(seed)) << "seed " << seed;
    EXPECT_NE(hash_of_faulty_echoes(seed), hash_of_faulty_echoes(seed + 100)) << "seed " << seed;
  }
}

TEST_F(SimNetworkTest, RefusesNonsense) {
  EXPECT_THROW(SimNetwork(world, {.latency = -1ns}), Error);
  EXPECT_THROW(SimNetwork(world, {.bytes_per_second = 0}), Error);
  EXPECT_THROW(SimNetwork(world, {.segment_bytes = 0}), Error);
  EXPECT_THROW(SimNetwork(world, {.buffer_bytes = 0}), Error);
  EXPECT_THROW(SimNetwork(world, {.dead_peer_after = 0ns}), Error);
  EXPECT_THROW(seeded_faults(Random(1), {.refuse = 1.5}), Error);
  EXPECT_THROW(network.listen(server, 0), Error);
  auto const listener = network.listen(server);
  EXPECT_THROW(network.listen(server), Error);
}

}  // namespace
}  // namespace belay::testkit
