#include "apps/casefile/http/target.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace casefile::http {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

Request read(std::string_view target, std::string const& method = "GET", std::size_t pairs_max = 100) {
  Request request;
  request.method = method;
  auto const refusal = read_target(target, pairs_max, request);
  EXPECT_FALSE(refusal) << target << ": " << refusal->message;
  return request;
}

unsigned refusal_of(std::string_view target, std::size_t pairs_max = 100) {
  Request request;
  request.method = "GET";
  auto const refusal = read_target(target, pairs_max, request);
  return refusal ? refusal->status : 0;
}

TEST(PercentDecode, UndoesEscapes) {
  EXPECT_EQ(percent_decode("a%20b%3a%3A+", Plus::is_plus), "a b::+");
  EXPECT_EQ(percent_decode("a+b", Plus::is_space), "a b");
  EXPECT_EQ(percent_decode("%00", Plus::is_plus), std::string(1, '\0'));
  EXPECT_EQ(percent_decode("", Plus::is_plus), "");
}

TEST(PercentDecode, RefusesMalformedEscapes) {
  for (auto const* text : {"%", "%4", "a%", "%zz", "%4g", "%g4", "%%41"}) {
    EXPECT_FALSE(percent_decode(text, Plus::is_plus)) << text;
  }
}

TEST(Utf8, AcceptsTheFirstAndLastOfEachLength) {
  for (auto const* text : {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "caf\xC3\xA9 \xF0\x9F\xA7\x97"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
}

TEST(Utf8, RefusesWhatIsJustOutside) {
  for (auto const* text :
       {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2\x7F", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xEF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "a\xC3\x28"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Target, SplitsPathAndQuery) {
  auto const request = read("/api/dossiers/dossier%3Ax%2Fy?user_id=user%3Ame&q=a+b%2B&flag&=v&&a=1=2");
  EXPECT_EQ(request.path, "/api/dossiers/dossier:x/y");
  EXPECT_EQ(request.target, "/api/dossiers/dossier%3Ax%2Fy?user_id=user%3Ame&q=a+b%2B&flag&=v&&a=1=2");
  EXPECT_THAT(request.query, ElementsAre(Pair("user_id", "user:me"), Pair("q", "a b+"), Pair("flag", ""), Pair("", "v"),
                                         Pair("a", "1=2")));
}

TEST(Target, KeepsRepeatedNames) { EXPECT_THAT(read("/?a=1&a=2").query, ElementsAre(Pair("a", "1"), Pair("a", "2"))); }

TEST(Target, TakesDotsForSegments) {
  EXPECT_EQ(read("/../%2e%2e/etc").path, "/../../etc");
  EXPECT_EQ(read("//").path, "//");
}

TEST(Target, DropsSchemeAndAuthority) {
  EXPECT_EQ(read("http://host:80/a?b=c").target, "/a?b=c");
  EXPECT_EQ(read("HTTPS://host").target, "/");
  EXPECT_EQ(read("http://host?b=c").target, "/?b=c");
  EXPECT_THAT(read("http://host?b=c").query, ElementsAre(Pair("b", "c")));
}

TEST(Target, TakesTheAsteriskWithOptionsOnly) {
  EXPECT_EQ(read("*", "OPTIONS").path, "*");
  EXPECT_EQ(refusal_of("*"), 400u);
}

TEST(Target, RefusesOtherForms) {
  for (auto const* target :
       {"a", "host:80", "ftp://host/a", "http:///a", "http://", "http://user@host/a", "/a#b", "://", "?a=b"}) {
    EXPECT_EQ(refusal_of(target), 400u) << target;
  }
}

TEST(Target, RefusesWhatIsNoUtf8) {
  for (auto const* target : {"/%FF", "/\xFF", "/?a=%FF", "/?%FF=a", "/%00", "/?a=%00", "/?a=%", "/%"}) {
    EXPECT_EQ(refusal_of(target), 400u) << target;
  }
}

TEST(Target, BoundsTheQuery) {
  EXPECT_EQ(refusal_of("/?a&b&c", 3), 0u);
  EXPECT_EQ(refusal_of("/?a&b&c&d", 3), 400u);
  EXPECT_THAT(read("/?").query, IsEmpty());
}

}  // namespace
}  // namespace casefile::http
