#include "apps/casefile/http/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/casefile/http/session_driver.hpp"

namespace casefile::http {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;

std::string const get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

/// The answer of echo() to a request that is told with `text`.
std::string answer(std::string const& text, std::string const& more_headers = "") {
  return "HTTP/1.1 200 OK\r\nDate: today\r\nContent-Type: text/plain\r\nContent-Length: " +
         std::to_string(text.size()) + "\r\n" + more_headers + "\r\n" + text;
}

struct Scenario {
  std::string name;
  std::string input;
  std::vector<std::string> requests;
  std::vector<unsigned> refusals;
  bool ends_open;  ///< the connection lives on afterwards
};

void PrintTo(Scenario const& scenario, std::ostream* out) { *out << scenario.name; }

std::string post(std::string const& headers, std::string const& body) {
  return "POST /p HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
}

std::vector<Scenario> const scenarios = {
    {"OneRequest", get, {"GET /a "}, {}, true},
    {"SeveralRequests", get + get + get, {"GET /a ", "GET /a ", "GET /a "}, {}, true},
    {"EmptyLinesBefore", "\r\n\r\n" + get + "\r\n" + get, {"GET /a ", "GET /a "}, {}, true},
    {"Body", post("Content-Length: 5\r\n", "hello") + get, {"POST /p hello", "GET /a "}, {}, true},
    {"EmptyBody", post("Content-Length: 0\r\n", "") + get, {"POST /p ", "GET /a "}, {}, true},
    {"NoLength", post("", "") + get, {"POST /p ", "GET /a "}, {}, true},
    {"ChunkedBody",
     post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n") + get,
     {"POST /p hello world", "GET /a "},
     {},
     true},
    {"ChunkedAndEmpty", post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n") + get, {"POST /p ", "GET /a "}, {}, true},
    {"ChunkedInCapitals", post("TRANSFER-ENCODING: Chunked\r\n", "1\r\na\r\n0\r\n\r\n"), {"POST /p a"}, {}, true},
    {"Trailers",
     post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nHost: evil\r\nX: y\r\n\r\n") + get,
     {"POST /p a", "GET /a "},
     {},
     true},
    {"ConnectionClose", "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + get, {"GET /a "}, {}, false},
    {"CloseAmongOthers", "GET /a HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n", {"GET /a "}, {}, false},
    {"Http10", "GET /a HTTP/1.0\r\n\r\n", {"GET /a "}, {}, false},
    {"Http10KeepAlive", "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + get, {"GET /a ", "GET /a "}, {}, true},
    {"Http10Expect",
     "POST /p HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
     {"POST /p a"},
     {},
     false},
    {"AbsoluteForm", "GET http://x/a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", {"GET /a "}, {}, true},
    {"UnknownMethod", "BREW /a HTTP/1.1\r\nHost: x\r\n\r\n", {"BREW /a "}, {}, true},
    {"OptionsAsterisk", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", {"OPTIONS * "}, {}, true},
    {"EmptyHost", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", {"GET /a "}, {}, true},
    {"Ipv6Host", "GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", {"GET /a "}, {}, true},
    {"LatinHeader", "GET /a HTTP/1.1\r\nHost: x\r\nX: caf\xE9\tb\r\n\r\n", {"GET /a "}, {}, true},

    {"NoHost", "GET /a HTTP/1.1\r\n\r\n", {}, {400}, false},
    {"TwoHosts", "GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"HostWithBlank", "GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", {}, {400}, false},
    {"Http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {}, {505}, false},
    {"Http12", "GET /a HTTP/1.2\r\nHost: x\r\n\r\n", {}, {505}, false},
    {"NoVersion", "GET /a\r\n\r\n", {}, {400}, false},
    {"MisspeltVersion", "GET /a HTP/1.1\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"TwoLengths", post("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), {}, {400}, false},
    {"LengthList", post("Content-Length: 1, 1\r\n", "a"), {}, {400}, false},
    {"NegativeLength", post("Content-Length: -1\r\n", "a"), {}, {400}, false},
    {"SignedLength", post("Content-Length: +1\r\n", "a"), {}, {400}, false},
    {"HexLength", post("Content-Length: 0x1\r\n", "a"), {}, {400}, false},
    {"EmptyLength", post("Content-Length:\r\n", "a"), {}, {400}, false},
    {"HugeLength", post("Content-Length: 99999999999999999999\r\n", "a"), {}, {400}, false},
    {"LengthAndChunked",
     post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n"),
     {},
     {400},
     false},
    {"ChunkedAndLength",
     post("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "1\r\na\r\n0\r\n\r\n"),
     {},
     {400},
     false},
    {"ChunkedTwice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", ""), {}, {400}, false},
    {"Gzip", post("Transfer-Encoding: gzip\r\n", "a"), {}, {501}, false},
    {"GzipChunked", post("Transfer-Encoding: gzip, chunked\r\n", "a"), {}, {501}, false},
    {"ChunkedGzip", post("Transfer-Encoding: chunked, gzip\r\n", "a"), {}, {501}, false},
    {"ChunkedAfterControl",
     post("Transfer-Encoding:\x0B"
          "chunked\r\n",
          "a"),
     {},
     {400},
     false},
    {"Http10Chunked", "POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {}, {400}, false},
    {"BadChunkSize", post("Transfer-Encoding: chunked\r\n", "g\r\n"), {}, {400}, false},
    {"HugeChunkSize", post("Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFFF\r\n"), {}, {400}, false},
    {"ChunkWithoutEnd", post("Transfer-Encoding: chunked\r\n", "1\r\nabc\r\n0\r\n\r\n"), {}, {400}, false},
    {"BareLineFeed", "GET /a HTTP/1.1\nHost: x\n\n", {}, {400}, false},
    {"BareCarriageReturn", "GET /a HTTP/1.1\r\nHost: x\rX: y\r\n\r\n", {}, {400}, false},
    {"FoldedHeader", "GET /a HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", {}, {400}, false},
    {"BlankBeforeColon", "GET /a HTTP/1.1\r\nHost : x\r\n\r\n", {}, {400}, false},
    {"NoColon", "GET /a HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n", {}, {400}, false},
    {"NoName", "GET /a HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", {}, {400}, false},
    {"NulInHeader", "GET /a HTTP/1.1\r\nHost: x\r\nX: a" + std::string(1, '\0') + "b\r\n\r\n", {}, {400}, false},
    {"ControlInTarget", "GET /a\x01 HTTP/1.1\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"DeleteInHeader", "GET /a HTTP/1.1\r\nHost: x\r\nX: \x7F\r\n\r\n", {}, {400}, false},
    {"TlsHello", "\x16\x03\x01\x02", {}, {400}, false},
    {"BlankFirst", " GET /a HTTP/1.1\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"TwoBlanks", "GET  /a HTTP/1.1\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"BlankInTarget", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"RelativeTarget", "GET a HTTP/1.1\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"AuthorityForm", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"AsteriskWithGet", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"BadEscape", "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"PathNoUtf8", "GET /%C3%28 HTTP/1.1\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"PathWithNul", "GET /a%00 HTTP/1.1\r\nHost: x\r\n\r\n", {}, {400}, false},
    {"UnknownExpectation", post("Expect: 200-ok\r\nContent-Length: 1\r\n", "a"), {}, {417}, false},
    {"SecondIsBad", get + "nonsense\r\n\r\n" + get, {"GET /a "}, {400}, false},
};

struct SessionScenario : testing::TestWithParam<Scenario> {};

// However the bytes are cut, the outcome is the same.
TEST_P(SessionScenario, IsTheSameHoweverTheInputIsCut) {
  auto const& scenario = GetParam();
  for (std::size_t cut = 0; cut <= scenario.input.size(); ++cut) {
    SessionDriver driver;
    driver.receive(std::string_view(scenario.input).substr(0, cut));
    driver.receive(std::string_view(scenario.input).substr(cut));
    EXPECT_EQ(driver.requests, scenario.requests) << "cut at " << cut;
    EXPECT_EQ(driver.refusals, scenario.refusals) << "cut at " << cut;
    driver.end_input();
    EXPECT_TRUE(driver.is_closed());
  }
}

TEST_P(SessionScenario, IsTheSameByteByByte) {
  auto const& scenario = GetParam();
  SessionDriver driver;
  for (char const byte : scenario.input) driver.receive({&byte, 1});
  EXPECT_EQ(driver.requests, scenario.requests);
  EXPECT_EQ(driver.refusals, scenario.refusals);
  driver.pass(2s);  // longer than an ended connection lingers, shorter than a living one may idle
  EXPECT_EQ(!driver.is_closed(), scenario.ends_open);
}

INSTANTIATE_TEST_SUITE_P(Session, SessionScenario, testing::ValuesIn(scenarios),
                         [](auto const& scenario) { return scenario.param.name; });

TEST(Session, WritesStatusHeadersAndBody) {
  SessionDriver driver;
  driver.receive(get);
  EXPECT_EQ(driver.output, answer("GET /a "));
}

TEST(Session, TellsTheClientWhetherTheConnectionLivesOn) {
  SessionDriver closing;
  closing.receive("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(closing.output, answer("GET /a ", "Connection: close\r\n"));
  SessionDriver old;
  old.receive("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(old.output, answer("GET /a ", "Connection: keep-alive\r\n"));
}

TEST(Session, AnswersHeadWithTheLengthButWithoutTheBody) {
  SessionDriver driver;
  driver.receive("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n" + get);
  EXPECT_EQ(driver.output, "HTTP/1.1 200 OK\r\nDate: today\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\n" +
                               answer("GET /a "));
}

TEST(Session, SendsNoBodyWith204) {
  SessionDriver driver({}, [](Request&) {
    Response response;
    response.status = 204;
    response.body = "not this";
    return response;
  });
  driver.receive(get);
  EXPECT_EQ(driver.output, "HTTP/1.1 204 No Content\r\nDate: today\r\n\r\n");
}

TEST(Session, SendsALargeBodyWhole) {
  std::string const large(100'000, 'x');
  SessionDriver driver({}, [&](Request&) {
    Response response;
    response.body = large;
    return response;
  });
  driver.receive(get + get);
  auto const first_end = driver.output.find(large) + large.size();
  EXPECT_THAT(driver.output, HasSubstr("Content-Length: 100000\r\n"));
  EXPECT_THAT(driver.output.substr(first_end), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(driver.output.ends_with("\r\n\r\n" + large));
}

TEST(Session, AsksForTheBodyOfAClientThatWaitsForIt) {
  SessionDriver driver;
  driver.receive(post("Expect: 100-continue\r\nContent-Length: 5\r\n", ""));
  EXPECT_EQ(driver.output, "HTTP/1.1 100 Continue\r\n\r\n");
  driver.receive("hello");
  EXPECT_EQ(driver.output, "HTTP/1.1 100 Continue\r\n\r\n" + answer("POST /p hello"));
}

TEST(Session, DoesNotAskForABodyThatIsThereAlready) {
  SessionDriver driver;
  driver.receive(post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"));
  EXPECT_EQ(driver.output, answer("POST /p hello"));
}

TEST(Session, DoesNotAskForABodyThatIsTooLarge) {
  Limits limits;
  limits.body_bytes_max = 4;
  SessionDriver driver(limits);
  driver.receive(post("Expect: 100-continue\r\nContent-Length: 5\r\n", ""));
  EXPECT_THAT(driver.output, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(driver.output, HasSubstr("Connection: close\r\n"));
}

TEST(Session, TakesABodyOfExactlyTheLimit) {
  Limits limits;
  limits.body_bytes_max = 5;
  for (auto const& input :
       {post("Content-Length: 5\r\n", "hello"), post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")}) {
    SessionDriver driver(limits);
    driver.receive(input);
    EXPECT_THAT(driver.requests, ElementsAre("POST /p hello"));
  }
}

TEST(Session, ThrowsALittleTooMuchAwayAndGoesOn) {
  Limits limits;
  limits.body_bytes_max = 4;
  limits.discard_bytes_max = 1;
  for (auto const& input :
       {post("Content-Length: 5\r\n", "hello"), post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n")}) {
    SessionDriver driver(limits);
    driver.receive(input + get);
    EXPECT_THAT(driver.output, StartsWith("HTTP/1.1 413 "));
    EXPECT_THAT(driver.refusals, ElementsAre(413));
    EXPECT_THAT(driver.requests, ElementsAre("GET /a ")) << "the connection is in step";
  }
}

TEST(Session, ClosesAfterMuchTooMuch) {
  Limits limits;
  limits.body_bytes_max = 4;
  limits.discard_bytes_max = 1;
  for (auto const& input :
       {post("Content-Length: 6\r\n", "hello!"), post("Transfer-Encoding: chunked\r\n", "6\r\nhello!\r\n0\r\n\r\n")}) {
    SessionDriver driver(limits);
    driver.receive(input + get);
    EXPECT_THAT(driver.refusals, ElementsAre(413));
    EXPECT_THAT(driver.requests, IsEmpty());
    EXPECT_THAT(driver.output, HasSubstr("Connection: close\r\n"));
  }
}

TEST(Session, RefusesAHeadBeyondTheLimit) {
  Limits limits;
  limits.head_bytes_max = 200;
  auto const head_of = [](std::size_t bytes) {
    std::string const rest = "GET /a HTTP/1.1\r\nHost: x\r\nX: \r\n\r\n";
    return "GET /a HTTP/1.1\r\nHost: x\r\nX: " + std::string(bytes - rest.size(), 'y') + "\r\n\r\n";
  };
  SessionDriver at_limit(limits);
  at_limit.receive(head_of(200));
  EXPECT_THAT(at_limit.requests, SizeIs(1));
  SessionDriver beyond(limits);
  beyond.receive(head_of(201));
  EXPECT_THAT(beyond.refusals, ElementsAre(431));
}

TEST(Session, RefusesTooManyHeaders) {
  Limits limits;
  limits.headers_max = 3;
  for (int extra = 2; extra <= 3; ++extra) {
    std::string input = "GET /a HTTP/1.1\r\nHost: x\r\n";
    for (int i = 0; i < extra; ++i) input += "X: y\r\n";
    SessionDriver driver(limits);
    driver.receive(input + "\r\n");
    EXPECT_EQ(driver.requests.size(), extra == 2 ? 1u : 0u);
    EXPECT_EQ(driver.refusals, extra == 2 ? std::vector<unsigned>{} : std::vector<unsigned>{431});
  }
}

TEST(Session, RefusesATargetBeyondTheLimit) {
  Limits limits;
  limits.target_bytes_max = 100;
  limits.head_bytes_max = 1000;
  for (std::size_t size : {100u, 101u, 170u, 900u, 2000u}) {
    SessionDriver driver(limits);
    driver.receive("GET /" + std::string(size - 1, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(driver.refusals, size == 100 ? std::vector<unsigned>{} : std::vector<unsigned>{414}) << size;
  }
}

TEST(Session, RefusesAnEndlessChunkHeader) {
  SessionDriver driver;
  driver.receive(post("Transfer-Encoding: chunked\r\n", "1;" + std::string(100'000, 'x')));
  EXPECT_THAT(driver.refusals, ElementsAre(400));
}

TEST(Session, RefusesEndlessTrailers) {
  std::string trailers = "0\r\n";
  for (int i = 0; i < 10'000; ++i) trailers += "X: yyyyyyyyyy\r\n";
  SessionDriver driver;
  driver.receive(post("Transfer-Encoding: chunked\r\n", trailers));
  EXPECT_THAT(driver.refusals, ElementsAre(400));
}

TEST(Session, RefusesARequestThatIsCutShort) {
  for (auto const& input : {std::string("GET /a HT"), post("Content-Length: 5\r\n", "hel")}) {
    SessionDriver driver;
    driver.receive(input);
    driver.end_input();
    EXPECT_THAT(driver.refusals, ElementsAre(400));
    EXPECT_TRUE(driver.is_closed());
  }
}

TEST(Session, ClosesWithoutAWordWhenNothingWasAsked) {
  SessionDriver driver;
  driver.end_input();
  EXPECT_TRUE(driver.is_closed());
  EXPECT_EQ(driver.output, "");
}

// A response that could carry a second one inside is not sent.
TEST(Session, RefusesResponsesThatWouldInjectHeaders) {
  struct Case {
    unsigned status;
    std::string type, name, value;
  };
  for (auto const& [status, type, name, value] : std::vector<Case>{
           {200, "a", "X", "a\r\nSet-Cookie: b"},
           {200, "a", "X", "a\nb"},
           {200, "a", "X", std::string(1, '\0')},
           {200, "a", "X\r\nY", "a"},
           {200, "a", "", "a"},
           {200, "a", "X Y", "a"},
           {200, "a\r\nX: b", "X", "a"},
           {200, "a", "content-length", "1"},
           {200, "a", "Transfer-Encoding", "chunked"},
           {200, "a", "Connection", "close"},
           {199, "a", "X", "a"},
           {600, "a", "X", "a"},
       }) {
    Response response;
    response.status = status;
    response.content_type = type;
    response.headers.emplace_back(name, value);
    SessionDriver driver({}, [&](Request&) { return response; });
    driver.receive(get);
    EXPECT_THAT(driver.output, StartsWith("HTTP/1.1 500 ")) << status << type << name << value;
    EXPECT_THAT(driver.output, Not(HasSubstr("Set-Cookie")));
  }
}

struct SessionTime : testing::Test {
  Limits limits;
  SessionTime() {
    limits.head_timeout = 10s;
    limits.body_timeout = 30s;
    limits.write_timeout = 20s;
    limits.idle_timeout = 75s;
  }
};

TEST_F(SessionTime, ClosesAConnectionThatNeverSpokeWithoutAWord) {
  SessionDriver driver(limits);
  driver.pass(10s - 1ms);
  EXPECT_FALSE(driver.is_closed());
  driver.pass(1ms);
  EXPECT_TRUE(driver.is_closed());
  EXPECT_EQ(driver.output, "");
}

TEST_F(SessionTime, RefusesAHeadThatTrickles) {
  SessionDriver driver(limits);
  driver.pass(9s);
  driver.receive("G");
  for (char const byte : std::string_view("ET /a HTT")) {
    driver.pass(1s);
    driver.receive({&byte, 1});
  }
  EXPECT_THAT(driver.refusals, IsEmpty()) << "nine seconds after its first byte";
  driver.pass(1s);
  EXPECT_THAT(driver.refusals, ElementsAre(408));
  EXPECT_THAT(driver.output, HasSubstr("Connection: close\r\n"));
  driver.pass(1s);
  EXPECT_TRUE(driver.is_closed());
}

TEST_F(SessionTime, RefusesABodyThatTrickles) {
  SessionDriver driver(limits);
  driver.receive(post("Content-Length: 1000\r\n", ""));
  for (int i = 0; i < 29; ++i) {
    driver.pass(1s);
    driver.receive("x");
  }
  EXPECT_THAT(driver.refusals, IsEmpty());
  driver.pass(1s);
  EXPECT_THAT(driver.refusals, ElementsAre(408));
}

TEST_F(SessionTime, ClosesAnIdleConnectionWithoutAWord) {
  SessionDriver driver(limits);
  driver.receive(get);
  auto const output = driver.output;
  driver.pass(75s - 1ms);
  EXPECT_FALSE(driver.is_closed());
  driver.pass(1ms);
  EXPECT_TRUE(driver.is_closed());
  EXPECT_EQ(driver.output, output);
}

TEST_F(SessionTime, LetsAHandlerTakeItsTime) {
  Session session(limits, {});
  auto const room = session.room();
  std::copy(get.begin(), get.end(), room.begin());
  session.received(get.size(), {});
  ASSERT_EQ(session.step(), Session::Step::handle);
  session.expire(Session::time_point() + 24h);
  EXPECT_EQ(session.step(), Session::Step::handle);
  EXPECT_EQ(session.deadline(), Session::time_point::max());
}

TEST_F(SessionTime, BreaksOffAnAnswerThatIsNotTakenAndGivesALargeOneLonger) {
  for (auto const& [bytes, allowed] : {std::pair<std::size_t, std::chrono::seconds>{1000, 20s}, {640 * 1024, 30s}}) {
    Session session(limits, {});
    auto const room = session.room();
    std::copy(get.begin(), get.end(), room.begin());
    session.received(get.size(), {});
    Response response;
    response.body.assign(bytes, 'x');
    ASSERT_TRUE(session.try_respond(response, "", "today", {}));
    session.written(10, Session::time_point() + 15s);
    session.expire(Session::time_point() + allowed - 1ms);
    EXPECT_EQ(session.step(), Session::Step::write) << bytes;
    session.expire(Session::time_point() + allowed);
    EXPECT_EQ(session.step(), Session::Step::close) << "some progress does not help";
  }
}

TEST_F(SessionTime, LingersAfterARefusalSoThatItIsRead) {
  SessionDriver driver(limits);
  driver.receive("nonsense\r\n\r\n");
  EXPECT_TRUE(driver.was_shut_down);
  EXPECT_FALSE(driver.is_closed());
  driver.receive(std::string(100'000, 'x'));
  EXPECT_FALSE(driver.is_closed());
  driver.end_input();
  EXPECT_TRUE(driver.is_closed());
}

TEST_F(SessionTime, DoesNotLingerForever) {
  SessionDriver silent(limits);
  silent.receive("nonsense\r\n\r\n");
  silent.pass(1s);
  EXPECT_TRUE(silent.is_closed());
  SessionDriver chatty(limits);
  chatty.receive("nonsense\r\n\r\n");
  chatty.receive(std::string(1'000'000, 'x'));
  EXPECT_TRUE(chatty.is_closed());
}

TEST(SessionDrain, ClosesIdleConnectionsAtOnce) {
  SessionDriver fresh;
  fresh.drain();
  EXPECT_TRUE(fresh.is_closed());
  SessionDriver idle;
  idle.receive(get);
  idle.drain();
  EXPECT_TRUE(idle.is_closed());
}

TEST(SessionDrain, AnswersARequestThatHasBegunAndCloses) {
  SessionDriver driver;
  driver.receive("GET /a HT");
  driver.drain();
  EXPECT_FALSE(driver.is_closed());
  driver.receive("TP/1.1\r\nHost: x\r\n\r\n" + get);
  EXPECT_THAT(driver.requests, ElementsAre("GET /a "));
  EXPECT_EQ(driver.output, answer("GET /a ", "Connection: close\r\n"));
  driver.end_input();
  EXPECT_TRUE(driver.is_closed());
}

TEST(Session, TurnsAConnectionAwayBeforeItSpeaks) {
  Limits const limits;
  Session session(limits, {});
  session.turn_away({503, "full"});
  ASSERT_EQ(session.step(), Session::Step::refuse);
  EXPECT_EQ(session.refusal().status, 503u);
  auto response = default_plain_error(503, "HTTPException", "full");
  ASSERT_TRUE(session.try_respond(response, "", "today", {}));
  EXPECT_THAT(std::string(session.output()[0]), HasSubstr("Connection: close\r\n"));
}

}  // namespace
}  // namespace casefile::http
