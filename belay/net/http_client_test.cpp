#include "belay/net/http_client.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/append.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/net/memory_stream.hpp"

namespace belay::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using boost::system::error_code;

/// A stream that takes so many bytes and then breaks.
class BreakingStream final : public ByteStream {
 public:
  BreakingStream(std::unique_ptr<ByteStream> below, std::size_t bytes) : below_(std::move(below)), left_(bytes) {}
  executor_type get_executor() noexcept override { return below_->get_executor(); }
  bool is_open() const noexcept override { return below_->is_open(); }
  void close() noexcept override { below_->close(); }

 private:
  void start_read(asio::mutable_buffer buffer, TransferHandler handler) override {
    below_->async_read_some(buffer, std::move(handler));
  }
  void start_write(ConstBuffers const& pieces, TransferHandler handler) override {
    if (left_ == 0) {
      error_code const error = asio::error::connection_reset;
      asio::post(get_executor(), asio::append(std::move(handler), error, std::size_t{0}));
      return;
    }
    auto const& first = *pieces.begin();
    auto const size = std::min(first.size(), left_);
    left_ -= size;
    below_->async_write_some(asio::const_buffer(first.data(), size), std::move(handler));
  }
  void start_shutdown(ShutdownHandler handler) override { below_->async_shutdown(std::move(handler)); }

  std::unique_ptr<ByteStream> below_;
  std::size_t left_;
};

/// A server that reads one request head after the other and answers each with the next text of its script.
struct HttpClientTest : testing::Test {
  asio::io_context context;
  std::unique_ptr<ByteStream> near;
  std::unique_ptr<ByteStream> far;
  std::optional<HttpClient> http;
  HttpLimits limits;
  std::string seen;  ///< by the server

  HttpClientTest() { connect(); }
  ~HttpClientTest() override {
    http.reset();
    far->close();
    settle();
  }

  void connect(std::size_t capacity = 65536) {
    http.reset();
    if (far) far->close();
    settle();  // an earlier server ends before its stream goes
    auto pair = make_memory_streams(context.get_executor(), capacity);
    near = std::move(pair.first);
    far = std::move(pair.second);
    seen.clear();
  }
  HttpClient& client() {
    if (!http) http.emplace(std::move(near), "db.test:8000", limits);
    return *http;
  }
  void settle() {
    context.restart();
    while (context.poll() > 0) {
    }
  }

  /// Answers each request with a text, and ends the connection after the last when told so.
  enum class Then { stay, close };
  void serve(std::vector<std::string> answers, Then then) {
    asio::co_spawn(context, play(std::move(answers), then), [](std::exception_ptr) {});
  }
  asio::awaitable<void> play(std::vector<std::string> answers, Then then) {
    auto& stream = *far;
    for (auto const& answer : answers) {
      auto const begin = seen.size();
      while (seen.find("\r\n\r\n", begin) == std::string::npos) {
        std::string piece(4096, '\0');
        auto const count = co_await stream.read_some(std::as_writable_bytes(std::span(piece)));
        if (count == 0) co_return;
        seen.append(piece, 0, count);
      }
      co_await stream.write_all(answer);
    }
    if (then == Then::close) stream.close();
  }

  template <class T>
  T finish(asio::awaitable<T> operation) {
    std::optional<T> result;
    std::exception_ptr failure;
    asio::co_spawn(context, std::move(operation), [&](std::exception_ptr error, T value) {
      failure = error;
      if (!error) result.emplace(std::move(value));
      context.stop();
    });
    context.restart();
    context.run_for(20s);
    if (failure) std::rethrow_exception(failure);
    if (!result) throw std::runtime_error("still waiting");
    return std::move(*result);
  }
  HttpResponse get(std::string method = "GET", std::string target = "/") {
    return finish(client().exchange(HttpRequest(std::move(method), std::move(target)), Deadline::in(15s)));
  }
  Error failure(HttpRequest request = HttpRequest("GET", "/path?token=secret"), Deadline deadline = Deadline::in(15s)) {
    try {
      finish(client().exchange(std::move(request), deadline));
    } catch (Error const& error) {
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
      return error;
    }
    ADD_FAILURE() << "no Error was thrown";
    return {ErrorClass::internal, SendState::unknown, ""};
  }
};

TEST_F(HttpClientTest, SendsARequestAndReadsItsAnswer) {
  serve({"HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"}, Then::stay);
  auto const answer = finish(client().exchange(
      HttpRequest("POST", "/sql?x=1", "SELECT 1").with("Accept", "application/json"), Deadline::in(15s)));
  EXPECT_EQ(seen,
            "POST /sql?x=1 HTTP/1.1\r\nHost: db.test:8000\r\nAccept: application/json\r\nContent-Length: 8\r\n\r\n"
            "SELECT 1");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.headers.find("content-TYPE"), "text/plain");
  EXPECT_EQ(answer.headers.find("absent"), std::nullopt);
  EXPECT_EQ(answer.body, "hello");
  EXPECT_TRUE(client().is_reusable());
}

TEST_F(HttpClientTest, ReadsAChunkedBodyAndDropsItsTrailer) {
  serve({"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nX-Late: 1\r\n\r\n"},
        Then::stay);
  auto const answer = get();
  EXPECT_EQ(answer.body, "abcde");
  EXPECT_EQ(answer.headers.find("X-Late"), std::nullopt);
  EXPECT_TRUE(client().is_reusable());
}

TEST_F(HttpClientTest, ReadsABodyThatTheEndOfTheConnectionEnds) {
  serve({"HTTP/1.1 200 OK\r\n\r\nall there is"}, Then::close);
  EXPECT_EQ(get().body, "all there is");
  EXPECT_FALSE(client().is_reusable());
}

TEST_F(HttpClientTest, ExpectsNoBodyWhereThereIsNone) {
  serve({"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n",
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
        Then::stay);
  EXPECT_EQ(get("HEAD").headers.find("Content-Length"), "1000");
  EXPECT_EQ(get().status, 204);
  EXPECT_EQ(get().status, 304);
  EXPECT_EQ(get().body, "");
  EXPECT_TRUE(client().is_reusable());
}

TEST_F(HttpClientTest, PassesOverInterimAnswers) {
  serve({"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
         "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
        Then::stay);
  auto const answer = get();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.find("Link"), std::nullopt);
  EXPECT_EQ(answer.body, "ok");
}

TEST_F(HttpClientTest, CarriesManyExchangesOneAfterTheOther) {
  serve(std::vector<std::string>(20, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Then::stay);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get().body, "ok") << i;
}

TEST_F(HttpClientTest, ReadsAnAnswerThatComesByteByByte) {
  connect(1);
  serve({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        Then::stay);
  EXPECT_EQ(get().body, "abcde");
  EXPECT_EQ(get().body, "");
}

TEST_F(HttpClientTest, SendsABodyLargerThanTheConnectionHolds) {
  connect(1000);
  std::string const body(100'000, 'x');
  std::string received;
  auto const work = [&]() -> asio::awaitable<void> {
    while (!received.ends_with("\r\n\r\n" + body)) {
      std::string piece(999, '\0');
      auto const count = co_await far->read_some(std::as_writable_bytes(std::span(piece)));
      received.append(piece, 0, count);
    }
    co_await far->write_all("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  };
  asio::co_spawn(context, work, [](std::exception_ptr) {});
  EXPECT_EQ(finish(client().exchange(HttpRequest("POST", "/", body), Deadline::in(15s))).status, 200);
}

// --- streaming

struct HttpStreaming : HttpClientTest {
  std::vector<std::string> pieces;
  HttpResponse stream() {
    auto const sink = [&](std::string_view piece) -> asio::awaitable<void> {
      pieces.emplace_back(piece);
      co_await asio::post(context, asio::use_awaitable);
    };
    return finish(client().exchange(HttpRequest("GET", "/export"), sink, Deadline::in(15s)));
  }
  std::string all() const {
    std::string text;
    for (auto const& piece : pieces) text += piece;
    return text;
  }
};

TEST_F(HttpStreaming, GivesTheBodyAwayAsItComes) {
  connect(1000);
  std::string const body(100'000, 'x');
  limits.body_bytes_max = 10;  // is not for streamed bodies
  serve({"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + body}, Then::stay);
  auto const answer = stream();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(all(), body);
  EXPECT_GT(pieces.size(), 50u);
  EXPECT_TRUE(client().is_reusable());
}

TEST_F(HttpStreaming, CollectsTheBodyOfARefusal) {
  serve({"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"}, Then::stay);
  EXPECT_EQ(stream().body, "none");
  EXPECT_TRUE(pieces.empty());
}

TEST_F(HttpStreaming, HasALimitOfItsOwn) {
  limits.streamed_bytes_max = 4;
  serve({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"}, Then::stay);
  try {
    stream();
    ADD_FAILURE() << "no Error was thrown";
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::capacity);
  }
}

TEST_F(HttpStreaming, HandsOnWhatTheSinkThrows) {
  serve({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}, Then::stay);
  auto const sink = [&](std::string_view) -> asio::awaitable<void> {
    throw boost::system::system_error(asio::error::eof, "the sink's own");
    co_return;
  };
  EXPECT_THROW(finish(client().exchange(HttpRequest("GET", "/"), sink, Deadline::in(15s))),
               boost::system::system_error);
  EXPECT_FALSE(client().is_reusable());
}

// --- whether the connection may be used again

TEST_F(HttpClientTest, IsNotReusedWhenTheServerSaysClose) {
  serve({"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"}, Then::stay);
  EXPECT_EQ(get().body, "ok");
  EXPECT_FALSE(client().is_reusable());
  auto const error = failure();
  EXPECT_EQ(error.error_class(), ErrorClass::transport);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
}

TEST_F(HttpClientTest, IsNotReusedAfterHttp10UnlessItSaysKeepAlive) {
  serve({"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
         "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
        Then::stay);
  EXPECT_EQ(get().body, "ok");
  EXPECT_TRUE(client().is_reusable());
  EXPECT_EQ(get().body, "ok");
  EXPECT_FALSE(client().is_reusable());
}

TEST_F(HttpClientTest, IsNotReusedWhenBytesFollowTheAnswer) {
  serve({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"},
        Then::stay);
  EXPECT_EQ(get().body, "ok");
  EXPECT_FALSE(client().is_reusable());
}

// P11: a server that says 408 to an idle connection must not have it taken for the answer to the next request.
TEST_F(HttpClientTest, NeverTakesForAnAnswerWhatCameBeforeTheRequest) {
  serve({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, Then::stay);
  EXPECT_EQ(get().body, "ok");
  auto const work = [&]() -> asio::awaitable<void> {
    co_await far->write_all("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
  };
  asio::co_spawn(context, work, [](std::exception_ptr) {});
  settle();
  auto const error = failure();
  EXPECT_EQ(error.error_class(), ErrorClass::protocol);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
  EXPECT_FALSE(client().is_reusable());
}

TEST_F(HttpClientTest, SendsNothingOnAConnectionThatEndedWhileIdle) {
  serve({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}, Then::close);
  EXPECT_EQ(get().body, "ok");
  settle();
  auto const error = failure();
  EXPECT_EQ(error.error_class(), ErrorClass::transport);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
}

TEST_F(HttpClientTest, WatchesAnIdleConnection) {
  serve({"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
        Then::close);
  EXPECT_EQ(get().body, "ok");
  asio::cancellation_signal stop;
  std::optional<ErrorClass> thrown;
  auto const watch = [&]() -> asio::awaitable<void> {
    try {
      co_await client().watch_idle();
    } catch (Error const& error) {
      thrown = error.error_class();
    }
  };
  asio::co_spawn(context, watch, asio::bind_cancellation_slot(stop.slot(), [](std::exception_ptr) {}));
  settle();
  stop.emit(asio::cancellation_type::terminal);
  settle();
  EXPECT_EQ(thrown, ErrorClass::cancelled);
  EXPECT_TRUE(client().is_reusable()) << "a watch that is called off costs nothing";
  EXPECT_EQ(get().body, "ok");
  asio::co_spawn(context, watch, [](std::exception_ptr) {});
  settle();
  EXPECT_FALSE(client().is_reusable()) << "the server has closed";
}

// --- failures and what they say of the request

// Every place at which an answer can be cut, with either way of telling its length.
TEST_F(HttpClientTest, TellsAnAnswerThatIsCutWhereverThatHappens) {
  for (std::string const& answer :
       {std::string("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 5\r\n\r\nhello"),
        std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")}) {
    for (std::size_t cut = 0; cut <= answer.size(); ++cut) {
      SCOPED_TRACE("cut after " + std::to_string(cut) + " bytes");
      connect();
      serve({answer.substr(0, cut)}, Then::close);
      if (cut == answer.size()) {
        EXPECT_EQ(get().body.size(), 5u);
        continue;
      }
      auto const error = failure();
      EXPECT_EQ(error.error_class(), ErrorClass::transport) << error.what();
      EXPECT_EQ(error.send_state(), SendState::unknown);
      EXPECT_FALSE(client().is_reusable());
      bool const has_head = answer.find("\r\n\r\n", answer.find(" 200 ")) + 4 <= cut;
      EXPECT_EQ(error.detail("status"), has_head ? "200" : "");
    }
  }
}

// Every place at which a request can break off: no byte, nothing happened; one byte, nobody knows.
TEST_F(HttpClientTest, TellsWhetherAnythingOfTheRequestLeft) {
  for (std::size_t bytes = 0; bytes < 60; ++bytes) {
    SCOPED_TRACE("broken after " + std::to_string(bytes) + " bytes");
    connect();
    near = std::make_unique<BreakingStream>(std::move(near), bytes);
    far->close();
    auto const error = failure(HttpRequest("POST", "/sql", "CREATE person"));
    EXPECT_EQ(error.error_class(), ErrorClass::transport);
    EXPECT_EQ(error.send_state(), SendState::never_sent) << "the peer had closed: not one byte was taken";
  }
  for (std::size_t bytes = 0; bytes < 60; ++bytes) {
    SCOPED_TRACE("broken after " + std::to_string(bytes) + " bytes");
    connect();
    near = std::make_unique<BreakingStream>(std::move(near), bytes);
    auto const end = [&]() -> asio::awaitable<void> { co_await far->shutdown(); };
    asio::co_spawn(context, end, [](std::exception_ptr) {});
    auto const error = failure(HttpRequest("POST", "/sql", "CREATE person"));
    EXPECT_EQ(error.send_state(), bytes == 0 ? SendState::never_sent : SendState::unknown);
    EXPECT_EQ(error.engine_code(), "ECONNRESET") << "what broke first";
  }
}

TEST_F(HttpClientTest, ReturnsTheAnswerOfAServerThatStopsReading) {
  near = std::make_unique<BreakingStream>(std::move(near), 70);
  serve({"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge"}, Then::stay);
  auto const answer = finish(client().exchange(HttpRequest("POST", "/", std::string(1000, 'x')), Deadline::in(15s)));
  EXPECT_EQ(answer.status, 413);
  EXPECT_FALSE(client().is_reusable()) << "half a request lies on it";
}

TEST_F(HttpClientTest, EndsAtTheDeadline) {
  auto const error = failure(HttpRequest("GET", "/slow"), Deadline::in(50ms));
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(error.send_state(), SendState::unknown);
  EXPECT_EQ(std::string(error.what()), "GET /slow of db.test:8000 had no answer before the deadline");
  EXPECT_FALSE(client().is_reusable());
}

// D4: expired on entry, no network event.
TEST_F(HttpClientTest, SendsNothingAfterTheDeadline) {
  auto const error = failure(HttpRequest("GET", "/"), Deadline::in(-1s));
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
  EXPECT_TRUE(client().is_reusable()) << "nothing happened to it";
}

TEST_F(HttpClientTest, StopsWhenCancelled) {
  asio::cancellation_signal stop;
  std::optional<Error> thrown;
  auto const work = [&]() -> asio::awaitable<void> {
    try {
      co_await client().exchange(HttpRequest("GET", "/"), Deadline::never());
    } catch (Error const& error) {
      thrown = error;
    }
  };
  asio::co_spawn(context, work, asio::bind_cancellation_slot(stop.slot(), [](std::exception_ptr) {}));
  settle();
  stop.emit(asio::cancellation_type::terminal);
  settle();
  ASSERT_TRUE(thrown);
  EXPECT_EQ(thrown->error_class(), ErrorClass::cancelled);
  EXPECT_EQ(thrown->send_state(), SendState::unknown);
  EXPECT_FALSE(client().is_reusable());
}

TEST_F(HttpClientTest, CarriesOneExchangeAtATime) {
  asio::co_spawn(context, client().exchange(HttpRequest("GET", "/"), Deadline::in(15s)),
                 [](std::exception_ptr, HttpResponse) {});
  settle();
  EXPECT_FALSE(client().is_reusable());
  EXPECT_EQ(failure().error_class(), ErrorClass::request);
}

TEST_F(HttpClientTest, EndsWhatRunsWhenItIsDestroyed) {
  std::exception_ptr failure;
  auto begun = client().exchange(HttpRequest("GET", "/"), Deadline::in(15s));
  asio::co_spawn(context, client().exchange(HttpRequest("GET", "/"), Deadline::in(15s)),
                 [&](std::exception_ptr error, HttpResponse) { failure = error; });
  settle();
  http.reset();
  settle();
  try {
    ASSERT_TRUE(failure);
    std::rethrow_exception(failure);
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::cancelled);
  }
  EXPECT_THROW(finish(std::move(begun)), Error) << "it begins when the client is gone";
}

TEST_F(HttpClientTest, RefusesWhatIsNoAnswer) {
  for (std::string const answer : {
           "SSH-2.0-OpenSSH_9\r\n",
           "HTTP/2.0 200 OK\r\n\r\n",
           "HTTP/1.1 2x0 OK\r\n\r\n",
           "HTTP/1.1 020 OK\r\n\r\n",
           "HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
           "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
           "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
           "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
       }) {
    SCOPED_TRACE(answer);
    connect();
    serve({answer}, Then::stay);
    auto const error = failure();
    EXPECT_EQ(error.error_class(), ErrorClass::protocol) << error.what();
    EXPECT_EQ(error.send_state(), SendState::unknown);
    EXPECT_FALSE(client().is_reusable());
  }
}

TEST_F(HttpClientTest, RefusesAnEndlessRowOfInterimAnswers) {
  std::string answer;
  for (int i = 0; i < 17; ++i) answer += "HTTP/1.1 100 Continue\r\n\r\n";
  serve({answer}, Then::stay);
  EXPECT_EQ(failure().error_class(), ErrorClass::protocol);
}

TEST_F(HttpClientTest, BoundsWhatAnAnswerMayDemand) {
  limits.head_bytes_max = 1024;
  limits.headers_max = 2;
  limits.body_bytes_max = 4;
  struct Demand {
    std::string answer;
    SendState send_state;
  };
  for (auto const& [answer, send_state] : {
           Demand{"HTTP/1.1 200 OK\r\nX: " + std::string(1024, 'x'), SendState::unknown},
           Demand{"HTTP/1.1 200 OK\r\nX: " + std::string(1024, 'x') + "\r\n\r\n", SendState::unknown},
           Demand{"HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", SendState::unknown},
           Demand{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", SendState::executed},
           Demand{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello", SendState::executed},
           Demand{"HTTP/1.1 200 OK\r\n\r\nhello", SendState::executed},
       }) {
    SCOPED_TRACE(answer.substr(0, 60));
    connect();
    serve({answer}, Then::stay);
    auto const error = failure();
    EXPECT_EQ(error.error_class(), ErrorClass::capacity) << error.what();
    EXPECT_EQ(error.send_state(), send_state);
  }
}

TEST_F(HttpClientTest, RefusesAChunkLineWithoutEnd) {
  limits.head_bytes_max = 1024;
  serve({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + std::string(4000, 'x')}, Then::stay);
  auto const error = failure();
  EXPECT_EQ(error.error_class(), ErrorClass::protocol) << error.what();
}

TEST_F(HttpClientTest, RefusesWhatCannotBeARequest) {
  for (auto const& request : {
           HttpRequest("GET /", "/"),
           HttpRequest("", "/"),
           HttpRequest("CONNECT", "/"),
           HttpRequest("GET", "path"),
           HttpRequest("GET", "/a b"),
           HttpRequest("GET", "/a\r\nX: y"),
           HttpRequest("GET", "/").with("Bad Name", "x"),
           HttpRequest("GET", "/").with("X", "a\r\nY: secret"),
           HttpRequest("GET", "/").with("content-length", "5"),
           HttpRequest("GET", "/").with("Expect", "100-continue"),
       }) {
    auto const error = failure(request);
    EXPECT_EQ(error.error_class(), ErrorClass::request) << error.what();
    EXPECT_EQ(error.send_state(), SendState::never_sent);
  }
  EXPECT_TRUE(client().is_reusable());
}

TEST_F(HttpClientTest, RefusesLimitsAndHostsThatAreNone) {
  auto const refusal = [&](std::string host, HttpLimits its_limits) -> std::string {
    try {
      HttpClient const none(std::move(make_memory_streams(context.get_executor()).first), std::move(host), its_limits);
    } catch (Error const& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refusal("db.test", {.head_bytes_max = 1023}),
            "HTTP limit head_bytes_max is 1023, it must lie between 1024 and 16777216");
  EXPECT_NE(refusal("", {}), "accepted");
  EXPECT_NE(refusal("a\r\nb", {}), "accepted");
}

}  // namespace
}  // namespace belay::net
