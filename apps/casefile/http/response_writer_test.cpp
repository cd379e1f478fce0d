#include "apps/casefile/http/response_writer.hpp"

#include <gtest/gtest.h>

#include "apps/casefile/http/request_id.hpp"

namespace casefile::http {
namespace {

TEST(ResponseHead, HasItsFieldsInOneOrder) {
  Response response;
  response.status = 201;
  response.body = "{}";
  response.headers = {{"Location", "/api/dossiers/x"}, {"Retry-After", "1"}};
  Envelope envelope;
  envelope.date = "now";
  envelope.request_id = "abc";
  envelope.closes = true;
  std::string out = "before ";
  append_head(out, response, envelope);
  EXPECT_EQ(out,
            "before HTTP/1.1 201 Created\r\nDate: now\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
            "X-Request-Id: abc\r\nLocation: /api/dossiers/x\r\nRetry-After: 1\r\nConnection: close\r\n\r\n");
}

TEST(ResponseHead, TellsTheLengthOfAnEmptyBody) {
  Response response;
  response.content_type = "";
  std::string out;
  append_head(out, response, Envelope());
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nDate: \r\nContent-Length: 0\r\n\r\n");
}

TEST(ResponseHead, AllowsTabsAndForeignLetters) {
  Response response;
  response.headers = {{"X", "a\tb caf\xC3\xA9"}};
  EXPECT_FALSE(problem_with(response));
}

TEST(DateText, IsWrittenAsHttpWantsIt) {
  DateText dates;
  EXPECT_EQ(dates.at(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");  // the example of RFC 9110, section 5.6.7
  EXPECT_EQ(dates.at(784111778), "Sun, 06 Nov 1994 08:49:38 GMT");
  EXPECT_EQ(dates.at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(RequestId, AcceptsWhatIsSafeInALog) {
  EXPECT_TRUE(is_acceptable_request_id("a"));
  EXPECT_TRUE(is_acceptable_request_id("0af7651916cd43dd-8448:A_b.c/d"));
  EXPECT_TRUE(is_acceptable_request_id(std::string(128, 'a')));
}

TEST(RequestId, RefusesTheRest) {
  for (std::string const& id : {std::string(), std::string(129, 'a'), std::string("a b"), std::string("a\"b"),
                                std::string("a\nb"), std::string("\xC3\xA9"), std::string("a;b")}) {
    EXPECT_FALSE(is_acceptable_request_id(id)) << id;
  }
}

TEST(RequestId, DoesNotRepeatAndDependsOnTheSeed) {
  RequestIds one(1), again(1), other(2);
  std::string a, b, c, d;
  one.next(a);
  one.next(b);
  again.next(c);
  other.next(d);
  EXPECT_EQ(a.size(), 16u);
  EXPECT_EQ(a.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(a, b);
  EXPECT_EQ(a, c);
  EXPECT_NE(a, d);
}

}  // namespace
}  // namespace casefile::http
