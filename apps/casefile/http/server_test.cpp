// The whole server over real sockets: what only threads, sockets and timers can get wrong.
#include "apps/casefile/http/server.hpp"

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "apps/casefile/http/router.hpp"
#include "belay/core/error.hpp"

namespace casefile::http {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using asio::ip::tcp;
using belay::Deadline;
using boost::system::error_code;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

/// A blocking client; every wait ends after ten seconds.
class Client {
 public:
  explicit Client(std::string const& address) {
    auto const port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
    auto const host = address.starts_with('[') ? asio::ip::make_address("::1") : asio::ip::make_address("127.0.0.1");
    socket_.connect(tcp::endpoint(host, port));
    timeval const patience{10, 0};
    setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }

  Client& send(std::string_view text) {
    asio::write(socket_, asio::buffer(text), error_);
    return *this;
  }
  /// One answer: head and body.
  std::string answer() {
    while (buffer_.find("\r\n\r\n") == std::string::npos && receive()) {
    }
    auto const head_end = buffer_.find("\r\n\r\n");
    if (head_end == std::string::npos) return take(buffer_.size());
    auto const length_at = buffer_.find("Content-Length: ");
    auto const length = length_at < head_end ? std::stoul(buffer_.substr(length_at + 16)) : 0;
    while (buffer_.size() < head_end + 4 + length && receive()) {
    }
    return take(head_end + 4 + length);
  }
  /// Everything until the server ends the connection.
  std::string rest() {
    while (receive()) {
    }
    return take(buffer_.size());
  }
  /// The server ended in good order: neither a reset nor our own patience.
  bool saw_end() const { return error_ == asio::error::eof; }
  std::string get(std::string const& target) { return send("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n").answer(); }
  tcp::socket& socket() { return socket_; }

 private:
  bool receive() {
    std::array<char, 65536> piece;
    auto const count = ::recv(socket_.native_handle(), piece.data(), piece.size(), 0);
    if (count > 0) buffer_.append(piece.data(), static_cast<std::size_t>(count));
    if (count == 0) error_ = asio::error::eof;
    if (count < 0) error_ = error_code(errno, boost::system::system_category());
    return count > 0;
  }
  std::string take(std::size_t count) {
    auto taken = buffer_.substr(0, count);
    buffer_.erase(0, count);
    return taken;
  }

  asio::io_context context_;
  tcp::socket socket_{context_};
  std::string buffer_;
  error_code error_;
};

/// Lets handlers wait until the test opens it.
class Gate {
 public:
  asio::awaitable<Response> pass(Request&) {
    ++waiting_;
    waiting_.notify_all();
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!is_open_) {
      timer.expires_after(1ms);
      co_await timer.async_wait(asio::use_awaitable);
    }
    Response response;
    response.body = "passed";
    co_return response;
  }
  void wait_for(int handlers) {
    for (int now = waiting_; now < handlers; now = waiting_) waiting_.wait(now);
  }
  void open() { is_open_ = true; }

 private:
  std::atomic<int> waiting_{0};
  std::atomic<bool> is_open_{false};
};

asio::awaitable<Response> text(Request& request) {
  Response response;
  response.content_type = "text/plain";
  response.body = request.path + "|" + request.body + "|" + request.id;
  co_return response;
}

struct ServerTest : testing::Test {
  Options options;
  Router router;
  ErrorHandler error_handler;
  AccessLog access_log;
  Gate gate;
  std::unique_ptr<Server> server;

  ServerTest() {
    options.listen = {"127.0.0.1:0"};
    options.threads = 2;
    options.sweep_interval = 10ms;
    router.add("GET", "/text", text).add("POST", "/text", text).add("GET", "/gate", [this](Request& request) {
      return gate.pass(request);
    });
    router.add("GET", "/throw", [](Request&) -> asio::awaitable<Response> {
      throw std::runtime_error("handler's secret");
      co_return Response();
    });
    router.add("GET", "/inject", [](Request& request) -> asio::awaitable<Response> {
      Response response;
      response.headers.emplace_back("X", request.query.front().second);
      co_return response;
    });
  }
  ~ServerTest() override { gate.open(); }

  std::string start() {
    server = std::make_unique<Server>(options, router, error_handler, PlainError(), access_log);
    server->start();
    return server->addresses().front();
  }
  /// The server notices a connection's end by itself; nobody is told.
  void wait_until_gone() {
    auto const deadline = Deadline::in(10s);
    while (server->connections() > 0 && !deadline.expired()) std::this_thread::yield();
    EXPECT_EQ(server->connections(), 0u);
  }
};

TEST_F(ServerTest, KeepsAConnectionAlive) {
  Client client(start());
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(client.get("/text"), AllOf(StartsWith("HTTP/1.1 200 OK\r\nDate: "), HasSubstr("\r\n\r\n/text||")));
  }
  EXPECT_EQ(server->connections(), 1u);
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  Client client(start());
  std::string requests;
  for (int i = 0; i < 1000; ++i) {
    auto const body = std::to_string(i);
    requests += "POST /text HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  std::thread sender([&] { client.send(requests); });
  for (int i = 0; i < 1000; ++i) EXPECT_THAT(client.answer(), HasSubstr("/text|" + std::to_string(i) + "|"));
  sender.join();
}

TEST_F(ServerTest, CarriesLargeBodiesBothWays) {
  options.body_bytes_max = 10'000'000;
  Client client(start());
  std::string const body(5'000'000, 'x');
  std::thread sender(
      [&] { client.send("POST /text HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n").send(body); });
  auto const answer = client.answer();
  sender.join();
  EXPECT_GT(answer.size(), body.size());
  EXPECT_NE(answer.find(body), std::string::npos);
}

TEST_F(ServerTest, EchoesARequestIdOrMakesOne) {
  Client client(start());
  EXPECT_THAT(client.send("GET /text HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine-1\r\n\r\n").answer(),
              AllOf(HasSubstr("X-Request-Id: mine-1\r\n"), HasSubstr("/text||mine-1")));
  auto const answer = client.send("GET /text HTTP/1.1\r\nHost: x\r\nX-Request-Id: not mine\r\n\r\n").answer();
  auto const id = answer.substr(answer.find("X-Request-Id: ") + 14, 16);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << answer;
  EXPECT_THAT(answer, HasSubstr("/text||" + id));
}

TEST_F(ServerTest, HandsWhatAHandlerThrowsToTheErrorHandler) {
  error_handler = [](std::exception_ptr failure, Request const& request) {
    Response response;
    response.status = 418;
    try {
      std::rethrow_exception(failure);
    } catch (std::runtime_error const& error) {
      response.body = request.path + " " + error.what();
    }
    return response;
  };
  Client client(start());
  EXPECT_THAT(client.get("/throw"), AllOf(StartsWith("HTTP/1.1 418 "), HasSubstr("/throw handler's secret")));
  EXPECT_THAT(client.get("/text"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, GivesAPlain500WhenNobodyCanSayBetter) {
  Client without(start());
  EXPECT_THAT(without.get("/throw"),
              AllOf(StartsWith("HTTP/1.1 500 "), HasSubstr(R"({"error":{"message":"Internal server error","type":)")));
  error_handler = [](std::exception_ptr, Request const&) -> Response { throw std::runtime_error("again"); };
  Client with_a_bad_one(start());
  EXPECT_THAT(with_a_bad_one.get("/throw"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(with_a_bad_one.get("/text"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, DoesNotLetAHandlerInjectHeaders) {
  Client client(start());
  auto const answer = client.get("/inject?x=a%0D%0ASet-Cookie:%20b");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 500 "));
  EXPECT_EQ(answer.find("Set-Cookie"), std::string::npos);
  EXPECT_THAT(client.get("/inject?x=a"), HasSubstr("\r\nX: a\r\n"));
}

TEST_F(ServerTest, RefusesInTheApplicationsShape) {
  Client client(start());
  EXPECT_THAT(client.send("nonsense\r\n\r\n").rest(),
              AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr(R"(,"type":"HTTPException"}})")));
}

// The answer must not be lost in a reset, although the client is still sending.
TEST_F(ServerTest, LetsAClientReadTheRefusalOfABodyItIsStillSending) {
  Client client(start());
  std::string const body(3'000'000, 'x');
  client.send("POST /text HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + body.substr(0, 100'000));
  EXPECT_THAT(client.answer(), StartsWith("HTTP/1.1 413 "));
  client.send(body.substr(0, 50'000));
  client.socket().shutdown(tcp::socket::shutdown_send);
  EXPECT_EQ(client.rest(), "");
  EXPECT_TRUE(client.saw_end());
}

TEST_F(ServerTest, TellsTheAccessLogOfEveryAnswer) {
  std::mutex mutex;
  std::vector<std::string> records;
  access_log = [&](AccessRecord const& record) {
    std::lock_guard const lock(mutex);
    records.push_back(std::string(record.method) + ' ' + std::string(record.target) + ' ' + std::string(record.route) +
                      ' ' + std::to_string(record.status) + ' ' + std::string(record.id));
    EXPECT_THAT(std::string(record.peer), StartsWith("127.0.0.1:"));
    EXPECT_GE(record.duration.count(), 0);
    if (record.status == 404) throw std::runtime_error("a log that fails harms nobody");
  };
  Client client(start());
  auto const with_id = [](std::string const& line) { return line + " HTTP/1.1\r\nHost: x\r\nX-Request-Id: i\r\n\r\n"; };
  client.send(with_id("GET /text?secret=1")).answer();
  client.send(with_id("GET /nothing")).answer();
  client.send(with_id("DELETE /text")).answer();
  client.send(with_id("GET relative")).rest();
  std::lock_guard const lock(mutex);
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(records[0], "GET /text?secret=1 /text 200 i");
  EXPECT_EQ(records[1], "GET /nothing  404 i");
  EXPECT_EQ(records[2], "DELETE /text /text 405 i");
  EXPECT_THAT(records[3], StartsWith("GET   400 "));
}

TEST_F(ServerTest, ClosesSlowClientsPhaseByPhase) {
  options.head_timeout = options.body_timeout = options.idle_timeout = 100ms;
  auto const address = start();
  Client silent(address), half_head(address), half_body(address), idle(address);
  half_head.send("GET /te");
  half_body.send("POST /text HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
  EXPECT_THAT(idle.get("/text"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(silent.rest(), "");
  EXPECT_THAT(half_head.answer(), AllOf(StartsWith("HTTP/1.1 408 "), HasSubstr("Connection: close\r\n")));
  EXPECT_THAT(half_body.answer(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(half_head.rest() + half_body.rest() + idle.rest(), "");
  EXPECT_TRUE(silent.saw_end() && half_head.saw_end() && half_body.saw_end() && idle.saw_end());
  wait_until_gone();
}

TEST_F(ServerTest, BreaksOffAClientThatDoesNotRead) {
  options.write_timeout = 100ms;
  options.body_bytes_max = 1'000'000;
  router.add("GET", "/large", [](Request&) -> asio::awaitable<Response> {
    Response response;
    response.body.assign(60'000, 'x');
    co_return response;
  });
  Client client(start());
  std::string requests;
  for (int i = 0; i < 1000; ++i) requests += "GET /large HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(requests);  // 60 MB of answers, more than the kernel holds
  wait_until_gone();
}

TEST_F(ServerTest, SurvivesAClientThatGoesWhileItsHandlerRuns) {
  auto const address = start();
  {
    Client client(address);
    client.send("GET /gate HTTP/1.1\r\nHost: x\r\n\r\n");
    gate.wait_for(1);
    client.socket().set_option(tcp::socket::linger(true, 0));  // a reset, not a polite end
  }
  gate.open();
  wait_until_gone();
  EXPECT_THAT(Client(address).get("/text"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, TurnsConnectionsAwayBeyondTheLimit) {
  options.connections_max = 2;
  auto const address = start();
  Client first(address), second(address);
  EXPECT_THAT(first.get("/text"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(second.get("/text"), StartsWith("HTTP/1.1 200 "));
  Client third(address);
  EXPECT_THAT(third.rest(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Connection: close\r\n")));
  EXPECT_THAT(first.get("/text"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, RefusesRequestsBeyondTheLimitAndKeepsTheirConnection) {
  options.requests_max = 1;
  auto const address = start();
  Client first(address), second(address);
  first.send("GET /gate HTTP/1.1\r\nHost: x\r\n\r\n");
  gate.wait_for(1);
  EXPECT_THAT(second.get("/text"), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("Retry-After: 1\r\n")));
  gate.open();
  EXPECT_THAT(first.answer(), HasSubstr("passed"));
  EXPECT_THAT(second.get("/text"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, DrainsInGoodOrder) {
  auto const address = start();
  Client idle(address), busy(address), speaking(address);
  for (auto* client : {&idle, &busy, &speaking}) EXPECT_THAT(client->get("/text"), StartsWith("HTTP/1.1 200 "));
  speaking.send("POST /text HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
  busy.send("GET /gate HTTP/1.1\r\nHost: x\r\n\r\n");
  gate.wait_for(1);
  auto drained = std::async(std::launch::async, [&] { server->drain(Deadline::in(30s)); });
  EXPECT_EQ(idle.rest(), "");
  EXPECT_TRUE(idle.saw_end()) << "idle connections are closed at once";
  speaking.send("lo");
  EXPECT_THAT(speaking.rest(), AllOf(HasSubstr("/text|hello|"), HasSubstr("Connection: close\r\n")));
  speaking.socket().close();
  gate.open();
  EXPECT_THAT(busy.rest(), AllOf(HasSubstr("passed"), HasSubstr("Connection: close\r\n")));
  busy.socket().close();
  drained.get();
  server->join();
  EXPECT_EQ(server->connections(), 0u);
  EXPECT_THROW(Client{address}, boost::system::system_error) << "nobody listens";
}

TEST_F(ServerTest, CutsWhatIsLeftAtTheDrainsDeadlineAndCancelsItsHandler) {
  Client stuck(start());
  stuck.send("GET /gate HTTP/1.1\r\nHost: x\r\n\r\n");
  gate.wait_for(1);
  server->drain(Deadline::in(50ms));
  server->join();
  EXPECT_EQ(server->connections(), 0u);
  EXPECT_EQ(stuck.rest(), "");
}

TEST_F(ServerTest, StopsAtOnceAndAsOftenAsAsked) {
  auto const address = start();
  Client idle(address), busy(address);
  busy.send("GET /gate HTTP/1.1\r\nHost: x\r\n\r\n");
  gate.wait_for(1);
  server->stop();
  server->stop();
  server->join();
  server->join();
  EXPECT_EQ(idle.rest() + busy.rest(), "");
  server->drain(Deadline::in(1s));
}

TEST_F(ServerTest, CanBeDestroyedWithoutHavingStarted) {
  Server const never_started(options, router);
  EXPECT_TRUE(never_started.addresses().empty());
}

TEST_F(ServerTest, ListensOnSeveralAddresses) {
  options.listen = {"127.0.0.1:0", "[::1]:0", "localhost:0"};
  try {
    start();
  } catch (belay::Error const&) {
    options.listen = {"127.0.0.1:0", "localhost:0"};  // a machine without IPv6
    start();
  }
  EXPECT_GE(server->addresses().size(), 2u);
  for (auto const& address : server->addresses()) {
    EXPECT_THAT(Client(address).get("/text"), StartsWith("HTTP/1.1 200 ")) << address;
  }
}

TEST_F(ServerTest, NamesTheAddressThatIsTaken) {
  auto const address = start();
  options.listen = {address};
  Server second(options, router);
  try {
    second.start();
    ADD_FAILURE() << "two servers on one port";
  } catch (belay::Error const& error) {
    EXPECT_EQ(error.error_class(), belay::ErrorClass::request);
    EXPECT_THAT(error.what(), AllOf(HasSubstr(address), HasSubstr("another port")));
  }
}

TEST_F(ServerTest, RefusesAddressesThatMakeNoSense) {
  for (std::string const listen : {"", "8000", ":8000", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "::1:8000",
                                   "127.0.0.1:-1", "[::1]", "no.such.host.invalid:80", "192.0.2.1:0"}) {
    options.listen = {listen};
    Server unfortunate(options, router);
    try {
      unfortunate.start();
      ADD_FAILURE() << listen;
    } catch (belay::Error const& error) {
      EXPECT_THAT(error.what(), HasSubstr("cannot listen on")) << listen;
    }
  }
  options.listen = {};
  EXPECT_THROW(Server(options, router).start(), belay::Error);
}

TEST_F(ServerTest, SpreadsConnectionsOverItsThreads) {
  std::mutex mutex;
  std::set<std::string> names;
  router.add("GET", "/thread", [&](Request&) -> asio::awaitable<Response> {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    std::lock_guard const lock(mutex);
    names.insert(name.data());
    co_return Response();
  });
  auto const address = start();
  for (int i = 0; i < 4; ++i) Client(address).get("/thread");
  std::lock_guard const lock(mutex);
  EXPECT_EQ(names, (std::set<std::string>{"http-0", "http-1"}));
}

/// Leaves the process without free file descriptors for as long as it lives.
class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    getrlimit(RLIMIT_NOFILE, &before_);
    auto const lowest_free = dup(0);
    close(lowest_free);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(lowest_free);
    setrlimit(RLIMIT_NOFILE, &none);
  }
  NoDescriptorsLeft(NoDescriptorsLeft const&) = delete;
  NoDescriptorsLeft& operator=(NoDescriptorsLeft const&) = delete;
  ~NoDescriptorsLeft() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto const seconds = [](timeval time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

TEST_F(ServerTest, WaitsWithoutSpinningWhenThereAreNoDescriptors) {
  auto const address = start();
  asio::io_context context;
  tcp::socket client(context);
  auto const port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  client.open(tcp::v4());
  {
    NoDescriptorsLeft const none;
    client.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));  // the kernel's queue takes it
    auto const before = cpu_seconds();
    std::this_thread::sleep_for(300ms);
    EXPECT_LT(cpu_seconds() - before, 0.15) << "it spins";
    EXPECT_EQ(server->connections(), 0u);
  }
  client.send(asio::buffer("GET /text HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 50));
  std::string answer;
  error_code error;
  asio::read(client, asio::dynamic_buffer(answer), error);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
}

TEST_F(ServerTest, SurvivesManyClientsThatComeAndGo) {
  auto const address = start();
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        Client client(address);
        if (i % 3 == 0) client.send("GET /te");                                // goes in the middle of a sentence
        if (i % 3 == 1) client.send("GET /text HTTP/1.1\r\nHost: x\r\n\r\n");  // does not wait for the answer
        if (i % 3 == 2 && client.get("/text").starts_with("HTTP/1.1 200")) ++answered;
        if (t == 0) client.socket().set_option(tcp::socket::linger(true, 0));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(answered, 4 * 33);
  wait_until_gone();
}

}  // namespace
}  // namespace casefile::http
