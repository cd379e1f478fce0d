// One suite for all streams: whatever carries the bytes, the contract of ByteStream holds.
#include "belay/net/byte_stream.hpp"

#include <chrono>
#include <exception>
#include <string>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <gtest/gtest.h>

#include "belay/net/memory_stream.hpp"
#include "belay/net/tcp_stream.hpp"
#include "belay/net/unix_stream.hpp"

namespace belay::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Stream = std::unique_ptr<ByteStream>;
using Pair = std::pair<Stream, Stream>;

struct Tcp {
  static Pair connect(asio::io_context& context) {
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    tcp::socket near(context);
    near.connect(acceptor.local_endpoint());
    auto far = acceptor.accept();
    return {make_tcp_stream(std::move(near)), make_tcp_stream(std::move(far))};
  }
};

struct Unix {
  static Pair connect(asio::io_context& context) {
    asio::local::stream_protocol::socket near(context);
    asio::local::stream_protocol::socket far(context);
    asio::local::connect_pair(near, far);
    return {make_unix_stream(std::move(near)), make_unix_stream(std::move(far))};
  }
};

struct Memory {
  static Pair connect(asio::io_context& context) { return make_memory_streams(context.get_executor(), 1000); }
};

/// The outcome of an operation that was started with a callback.
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

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26 + i / 1000 % 3);
  return text;
}

template <class Transport>
struct ByteStreamTest : testing::Test {
  asio::io_context context;
  Pair pair = Transport::connect(context);
  ByteStream& near = *pair.first;
  ByteStream& far = *pair.second;

  /// Runs coroutines to their ends; a test that hangs fails instead.
  template <class... Body>
  void run(Body&&... bodies) {
    std::size_t ended = 0;
    std::exception_ptr failure;
    auto const on_end = [&](std::exception_ptr error) {
      ++ended;
      if (error && !failure) failure = error;
    };
    (asio::co_spawn(context, bodies, on_end), ...);
    finish();
    if (failure) std::rethrow_exception(failure);
    ASSERT_EQ(ended, sizeof...(bodies)) << "still waiting";
  }
  void finish() {
    context.restart();
    context.run_for(std::chrono::seconds(20));
  }
  /// Lets everything run that can without waiting for anybody.
  void settle() {
    context.restart();
    while (context.poll() > 0) {
    }
  }

  static asio::awaitable<std::string> read_to_end(ByteStream& stream, std::size_t piece_max) {
    std::string text;
    std::string piece(piece_max, '\0');
    while (auto const count = co_await stream.read_some(std::as_writable_bytes(std::span(piece)))) {
      text.append(piece, 0, count);
    }
    co_return text;
  }
  /// Writes until the peer's buffers are full and the write waits.
  void fill(ByteStream& stream, Outcome& waiting) {
    static std::string const block(64 * 1024, 'x');
    do {
      waiting = Outcome();
      stream.async_write_some(asio::buffer(block), waiting.handler());
      settle();
      ASSERT_FALSE(waiting.error);
    } while (waiting.is_done);
  }
};

using Transports = testing::Types<Tcp, Unix, Memory>;
TYPED_TEST_SUITE(ByteStreamTest, Transports);

TYPED_TEST(ByteStreamTest, EchoesALotOfDataBothWaysAtOnce) {
  auto const sent = pattern(3'000'000);
  std::string received;
  auto const echo = [&]() -> asio::awaitable<void> {
    std::string piece(10'000, '\0');
    while (auto const count = co_await this->far.read_some(std::as_writable_bytes(std::span(piece)))) {
      co_await this->far.write_all(std::string_view(piece).substr(0, count));
    }
    co_await this->far.shutdown();
  };
  auto const write = [&]() -> asio::awaitable<void> {
    co_await this->near.write_all(sent);
    co_await this->near.shutdown();
  };
  auto const read = [&]() -> asio::awaitable<void> { received = co_await this->read_to_end(this->near, 7'777); };
  this->run(echo, write, read);
  EXPECT_TRUE(received == sent);
}

TYPED_TEST(ByteStreamTest, SendsThePiecesOfAGatherListInOrder) {
  std::string received;
  auto const write = [&]() -> asio::awaitable<void> {
    ConstBuffers pieces;
    for (std::string_view const text : {"one", "", "two", "three", "four"}) pieces.add(asio::buffer(text));
    co_await this->near.write_all(pieces);
    co_await this->near.shutdown();
  };
  auto const read = [&]() -> asio::awaitable<void> { received = co_await this->read_to_end(this->far, 100); };
  this->run(write, read);
  EXPECT_EQ(received, "onetwothreefour");
}

TYPED_TEST(ByteStreamTest, SendsASmallGatherListInOneWrite) {
  std::array<asio::const_buffer, 2> const pieces{asio::buffer("head", 4), asio::buffer("body", 4)};
  Outcome outcome;
  this->near.async_write_some(pieces, outcome.handler());
  this->finish();
  EXPECT_TRUE(outcome.is_done);
  EXPECT_EQ(outcome.count, 8u);
}

TYPED_TEST(ByteStreamTest, ReadsByteByByte) {
  std::string received;
  auto const write = [&]() -> asio::awaitable<void> {
    co_await this->near.write_all("abcdef");
    co_await this->near.shutdown();
  };
  auto const read = [&]() -> asio::awaitable<void> { received = co_await this->read_to_end(this->far, 1); };
  this->run(write, read);
  EXPECT_EQ(received, "abcdef");
}

TYPED_TEST(ByteStreamTest, StillReadsAfterItsOwnDirectionIsShutDown) {
  std::string received;
  auto const ask = [&]() -> asio::awaitable<void> {
    co_await this->near.write_all("question");
    co_await this->near.shutdown();
    received = co_await this->read_to_end(this->near, 100);
  };
  auto const answer = [&]() -> asio::awaitable<void> {
    auto const question = co_await this->read_to_end(this->far, 100);
    co_await this->far.write_all("answer to " + question);
    co_await this->far.shutdown();
  };
  this->run(ask, answer);
  EXPECT_EQ(received, "answer to question");
}

TYPED_TEST(ByteStreamTest, FailsAWriteAfterShutdown) {
  auto const shut_down = [&]() -> asio::awaitable<void> { co_await this->near.shutdown(); };
  this->run(shut_down);
  Outcome outcome;
  this->near.async_write_some(asio::buffer("x", 1), outcome.handler());
  this->finish();
  EXPECT_EQ(outcome.error, asio::error::broken_pipe);
}

TYPED_TEST(ByteStreamTest, ThrowsEofWhenThePeerEndsBeforeTheBufferIsFull) {
  auto const write = [&]() -> asio::awaitable<void> {
    co_await this->near.write_all("abc");
    co_await this->near.shutdown();
  };
  error_code error;
  auto const read = [&]() -> asio::awaitable<void> {
    std::array<std::byte, 4> buffer;
    try {
      co_await this->far.read_all(buffer);
    } catch (boost::system::system_error const& failure) {
      error = failure.code();
    }
  };
  this->run(write, read);
  EXPECT_EQ(error, asio::error::eof);
}

TYPED_TEST(ByteStreamTest, NeverCompletesInsideTheCallThatStarts) {
  Outcome write, read, empty_write, empty_read;
  char byte = 0;
  this->near.async_write_some(asio::buffer("x", 1), write.handler());
  EXPECT_FALSE(write.is_done);
  this->finish();
  EXPECT_TRUE(write.is_done);
  this->far.async_read_some(asio::buffer(&byte, 1), read.handler());
  EXPECT_FALSE(read.is_done);
  this->finish();
  EXPECT_EQ(read.count, 1u);
  this->far.async_read_some(asio::mutable_buffer(), empty_read.handler());
  this->near.async_write_some(asio::const_buffer(), empty_write.handler());
  EXPECT_FALSE(empty_read.is_done || empty_write.is_done);
  this->finish();
  EXPECT_TRUE(empty_read.is_done && empty_write.is_done);
  EXPECT_FALSE(empty_read.error || empty_write.error);
}

TYPED_TEST(ByteStreamTest, AbortsPendingOperationsWhenClosed) {
  char byte = 0;
  Outcome read, write;
  this->near.async_read_some(asio::buffer(&byte, 1), read.handler());
  this->fill(this->near, write);
  EXPECT_FALSE(read.is_done);
  this->near.close();
  EXPECT_FALSE(read.is_done || write.is_done) << "never inside the call";
  this->finish();
  EXPECT_EQ(read.error, asio::error::operation_aborted);
  EXPECT_EQ(write.error, asio::error::operation_aborted);
  EXPECT_FALSE(this->near.is_open());
  this->near.close();
}

TYPED_TEST(ByteStreamTest, RefusesOperationsAfterClose) {
  this->near.close();
  char byte = 0;
  Outcome read, write;
  this->near.async_read_some(asio::buffer(&byte, 1), read.handler());
  this->near.async_write_some(asio::buffer(&byte, 1), write.handler());
  error_code shutdown;
  this->near.async_shutdown([&](error_code error) { shutdown = error; });
  this->finish();
  EXPECT_EQ(read.error, asio::error::bad_descriptor);
  EXPECT_EQ(write.error, asio::error::bad_descriptor);
  EXPECT_EQ(shutdown, asio::error::bad_descriptor);
}

TYPED_TEST(ByteStreamTest, GivesThePeerWhatWasSentAndThenEofWhenClosed) {
  std::string received;
  auto const write = [&]() -> asio::awaitable<void> {
    co_await this->near.write_all("last words");
    this->near.close();
  };
  auto const read = [&]() -> asio::awaitable<void> { received = co_await this->read_to_end(this->far, 3); };
  this->run(write, read);
  EXPECT_EQ(received, "last words");
}

TYPED_TEST(ByteStreamTest, FailsThePeersWritesOnceItIsClosed) {
  this->far.close();
  Outcome write;
  for (int i = 0; i < 100 && !write.error; ++i) {  // a kernel takes some before it learns
    write = Outcome();
    this->near.async_write_some(asio::buffer("x", 1), write.handler());
    this->finish();
    ASSERT_TRUE(write.is_done);
  }
  EXPECT_TRUE(write.error == asio::error::broken_pipe || write.error == asio::error::connection_reset) << write.error;
}

TYPED_TEST(ByteStreamTest, CancelsAReadAndStaysUsable) {
  asio::cancellation_signal stop;
  char byte = 0;
  Outcome read;
  this->near.async_read_some(asio::buffer(&byte, 1), asio::bind_cancellation_slot(stop.slot(), read.handler()));
  this->settle();
  EXPECT_FALSE(read.is_done);
  stop.emit(asio::cancellation_type::terminal);
  this->finish();
  EXPECT_EQ(read.error, asio::error::operation_aborted);

  Outcome write, again;
  this->far.async_write_some(asio::buffer("y", 1), write.handler());
  this->near.async_read_some(asio::buffer(&byte, 1), again.handler());
  this->finish();
  EXPECT_FALSE(again.error);
  EXPECT_EQ(byte, 'y');
}

TYPED_TEST(ByteStreamTest, CancelsAWriteAndStaysUsable) {
  Outcome full;
  this->fill(this->near, full);
  this->near.close();  // only to end the write that fill() left waiting
  this->finish();
  auto other = TypeParam::connect(this->context);

  asio::cancellation_signal stop;
  std::string const block(64 * 1024, 'x');
  Outcome write;
  std::size_t taken = 0;
  do {
    write = Outcome();
    other.first->async_write_some(asio::buffer(block), asio::bind_cancellation_slot(stop.slot(), write.handler()));
    this->settle();
    taken += write.count;
  } while (write.is_done);
  stop.emit(asio::cancellation_type::terminal);
  this->finish();
  EXPECT_EQ(write.error, asio::error::operation_aborted);
  EXPECT_EQ(write.count, 0u);

  std::string received;
  auto const finish = [&]() -> asio::awaitable<void> {
    co_await other.first->write_all("end");
    co_await other.first->shutdown();
  };
  auto const read = [&]() -> asio::awaitable<void> { received = co_await this->read_to_end(*other.second, 4096); };
  this->run(finish, read);
  EXPECT_EQ(received.size(), taken + 3);
  EXPECT_TRUE(received.ends_with("xend"));
}

TYPED_TEST(ByteStreamTest, EndsACoroutineThatIsCancelledWhileItReads) {
  asio::cancellation_signal stop;
  std::exception_ptr failure;
  std::array<std::byte, 1> byte;
  auto const read = [&]() -> asio::awaitable<void> { co_await this->near.read_all(byte); };
  asio::co_spawn(this->context, read,
                 asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr error) { failure = error; }));
  this->settle();
  stop.emit(asio::cancellation_type::terminal);
  this->finish();
  ASSERT_TRUE(failure);
  try {
    std::rethrow_exception(failure);
  } catch (boost::system::system_error const& error) {
    EXPECT_EQ(error.code(), asio::error::operation_aborted);
  }
}

TEST(MemoryStream, HoldsAWriteBackWhileItsBufferIsFull) {
  asio::io_context context;
  auto const [near, far] = make_memory_streams(context.get_executor(), 4);
  Outcome first, second;
  near->async_write_some(asio::buffer("abcdef", 6), first.handler());
  context.poll();
  EXPECT_EQ(first.count, 4u) << "as much as fits";
  near->async_write_some(asio::buffer("ef", 2), second.handler());
  context.restart();
  context.poll();
  EXPECT_FALSE(second.is_done);
  std::array<char, 3> buffer{};
  Outcome read;
  far->async_read_some(asio::buffer(buffer), read.handler());
  context.restart();
  context.poll();
  EXPECT_EQ(std::string(buffer.data(), read.count), "abc");
  EXPECT_EQ(second.count, 2u) << "the read made room";
}

TEST(MemoryStream, CarriesDataThroughABufferOfOneByte) {
  asio::io_context context;
  auto const streams = make_memory_streams(context.get_executor(), 1);
  std::string received(1000, '\0');
  auto const sent = pattern(1000);
  auto const write = [&]() -> asio::awaitable<void> { co_await streams.first->write_all(sent); };
  auto const read = [&]() -> asio::awaitable<void> {
    co_await streams.second->read_all(std::as_writable_bytes(std::span(received)));
  };
  asio::co_spawn(context, write, [](std::exception_ptr) {});
  asio::co_spawn(context, read, [](std::exception_ptr) {});
  context.run_for(std::chrono::seconds(20));
  EXPECT_EQ(received, sent);
}

TEST(ConstBuffers, DropsWhatWasSentFromTheFront) {
  ConstBuffers pieces;
  for (std::string_view const text : {"abc", "de", "", "fgh"}) pieces.add(asio::buffer(text));
  EXPECT_EQ(pieces.bytes(), 8u);
  for (std::size_t left = 8; left > 0; --left) {
    auto copy = pieces;
    copy.consume(8 - left);
    std::string rest;
    for (auto const& piece : copy) rest.append(static_cast<char const*>(piece.data()), piece.size());
    EXPECT_EQ(rest, std::string("abcdefgh").substr(8 - left));
  }
  pieces.consume(8);
  EXPECT_TRUE(pieces.empty());
}

TEST(ConstBuffers, CutsALongSequenceShort) {
  std::vector<asio::const_buffer> const many(20, asio::buffer("xy", 2));
  EXPECT_EQ(ConstBuffers(many).bytes(), 2 * ConstBuffers::capacity);
}

}  // namespace
}  // namespace belay::net
