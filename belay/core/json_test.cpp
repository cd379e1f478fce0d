#include "belay/core/json.hpp"

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belay/core/datetime.hpp"
#include "belay/core/decimal.hpp"
#include "belay/core/duration.hpp"
#include "belay/core/error.hpp"
#include "belay/core/id.hpp"
#include "belay/core/random.hpp"
#include "belay/core/record_id.hpp"
#include "belay/core/value.hpp"

namespace belay::json {

enum class Status { open, closed };
BOOST_DESCRIBE_ENUM(Status, open, closed)

struct Tag {
  std::string name;
  std::optional<int> weight;
};
BOOST_DESCRIBE_STRUCT(Tag, (), (name, weight))

struct Document {
  Id<Document> id;
  std::string title;
  bool pinned = false;
  std::optional<double> score;
  Status status = Status::open;
  std::vector<Tag> tags;
  Datetime created;
};
BOOST_DESCRIBE_STRUCT(Document, (), (id, title, pinned, score, status, tags, created))

struct Numbers {
  std::int8_t i8 = 0;
  std::uint8_t u8 = 0;
  std::int16_t i16 = 0;
  std::uint16_t u16 = 0;
  std::int32_t i32 = 0;
  std::uint32_t u32 = 0;
  std::int64_t i64 = 0;
  std::uint64_t u64 = 0;
  float f32 = 0;
  double f64 = 0;
};
BOOST_DESCRIBE_STRUCT(Numbers, (), (i8, u8, i16, u16, i32, u32, i64, u64, f32, f64))

struct Node {
  int number = 0;
  std::vector<Node> children;
};
BOOST_DESCRIBE_STRUCT(Node, (), (number, children))

struct Base {
  int first = 0;
};
BOOST_DESCRIBE_STRUCT(Base, (), (first))
struct Derived : Base {
  int second = 0;
};
BOOST_DESCRIBE_STRUCT(Derived, (Base), (second))

struct Scalars {
  Duration duration;
  Uuid uuid;
  Decimal decimal;
  Bytes bytes;
  RecordId record{"t", 1};
};
BOOST_DESCRIBE_STRUCT(Scalars, (), (duration, uuid, decimal, bytes, record))

struct Containers {
  std::array<int, 2> pair{};
  std::map<std::string, int> map;
  std::vector<std::optional<int>> gaps;
  std::optional<std::vector<int>> list;
};
BOOST_DESCRIBE_STRUCT(Containers, (), (pair, map, gaps, list))

struct Free {
  Value any;
  int number = 0;
};
BOOST_DESCRIBE_STRUCT(Free, (), (any, number))

/// A type of an application with a text form of its own.
struct Colour {
  int shade = 0;
};

}  // namespace belay::json

template <>
struct belay::EnumAliases<belay::json::Status> {
  static constexpr std::pair<std::string_view, belay::json::Status> values[] = {{"done", belay::json::Status::closed}};
};

template <>
struct belay::TextForm<belay::json::Colour> {
  static constexpr std::string_view what = "a colour such as #5";
  static std::string to_text(json::Colour const& colour) { return '#' + std::to_string(colour.shade); }
  static std::optional<json::Colour> from_text(std::string_view text) {
    if (text.size() != 2 || text[0] != '#') return std::nullopt;
    return json::Colour{text[1] - '0'};
  }
};

namespace belay::json {
namespace {

using Kind = Issue::Kind;

/// "path: message" of each issue.
template <class T>
std::vector<std::string> issues_of(std::string_view text, T&& out, ReadOptions options = ReadOptions()) {
  std::vector<std::string> lines;
  for (auto const& issue : read_json(text, out, options)) lines.push_back(to_string(issue));
  return lines;
}

template <class T>
Kind only_kind(std::string_view text, T out = T()) {
  auto const issues = read_json(text, out);
  EXPECT_EQ(issues.size(), 1u) << text;
  return issues.size() == 1 ? issues.front().kind : Kind::missing;
}

std::string string_json(std::string_view text) { return to_json(text); }

constexpr std::string_view complete =
    R"({"id":"d1","title":"Vente","pinned":true,"score":0.5,"status":"closed","tags":[{"name":"a","weight":3},{"name":"b"}],"created":"2024-01-02T03:04:05Z"})";

// ---- writing -------------------------------------------------------------------------------------------------------

TEST(JsonWrite, WritesADescribedStructInOrderAndCompact) {
  Document document;
  document.id = Id<Document>("d1");
  document.title = "Vente";
  document.pinned = true;
  document.score = 0.5;
  document.status = Status::closed;
  document.tags = {{"a", 3}, {"b", std::nullopt}};
  document.created = *Datetime::parse("2024-01-02T03:04:05Z");
  EXPECT_EQ(to_json(document), complete);
}

TEST(JsonWrite, OmitsEmptyOptionalsUnlessToldOtherwise) {
  EXPECT_EQ(to_json(Tag{"a", std::nullopt}), R"({"name":"a"})");
  WriteOptions options;
  options.empty_members = EmptyMembers::write_null;
  EXPECT_EQ(to_json(Tag{"a", std::nullopt}, options), R"({"name":"a","weight":null})");
  EXPECT_EQ(to_json(std::optional<int>()), "null");
  EXPECT_EQ(to_json(std::vector<std::optional<int>>{1, std::nullopt}), "[1,null]");
}

TEST(JsonWrite, WritesTheLimitsOfEveryNumber) {
  using Limits64 = std::numeric_limits<std::int64_t>;
  Numbers numbers;
  numbers.i8 = -128;
  numbers.u8 = 255;
  numbers.i16 = -32768;
  numbers.u16 = 65535;
  numbers.i32 = std::numeric_limits<std::int32_t>::min();
  numbers.u32 = std::numeric_limits<std::uint32_t>::max();
  numbers.i64 = Limits64::min();
  numbers.u64 = std::numeric_limits<std::uint64_t>::max();
  numbers.f32 = 0.1f;
  numbers.f64 = 0.1;
  auto const text = to_json(numbers);
  EXPECT_EQ(text, R"({"i8":-128,"u8":255,"i16":-32768,"u16":65535,"i32":-2147483648,"u32":4294967295,)"
                  R"("i64":-9223372036854775808,"u64":18446744073709551615,"f32":0.1,"f64":0.1})");
  EXPECT_EQ(to_json(from_json<Numbers>(text)), text);
}

TEST(JsonWrite, WritesDoublesSoThatTheyReadBackAsTheSameDouble) {
  EXPECT_EQ(to_json(1.0), "1.0");
  EXPECT_EQ(to_json(-0.0), "-0.0");
  EXPECT_EQ(to_json(1e300), "1e+300");
  EXPECT_EQ(to_json(5e-324), "5e-324");
  Random random(1);
  for (int i = 0; i < 10'000; ++i) {
    auto const number = std::ldexp(random.uniform(), static_cast<int>(random.below(2000)) - 1000);
    ASSERT_EQ(from_json<double>(to_json(number)), number);
    auto const short_number = static_cast<float>(random.uniform());
    ASSERT_EQ(from_json<float>(to_json(short_number)), short_number);
  }
}

TEST(JsonWrite, RefusesWhatJsonCannotSay) {
  EXPECT_THROW(to_json(std::numeric_limits<double>::quiet_NaN()), Error);
  EXPECT_THROW(to_json(-std::numeric_limits<double>::infinity()), Error);
  EXPECT_THROW(to_json(std::numeric_limits<float>::infinity()), Error);
  EXPECT_THROW(to_json(Value(std::numeric_limits<double>::quiet_NaN())), Error);
  EXPECT_THROW(to_json(static_cast<Status>(7)), Error);
}

TEST(JsonWrite, EscapesOnlyWhatItMust) {
  EXPECT_EQ(string_json(""), R"("")");
  EXPECT_EQ(string_json("plain /text/"), R"("plain /text/")");
  EXPECT_EQ(string_json("a\"b\\c\b\f\n\r\t"), R"("a\"b\\c\b\f\n\r\t")");
  EXPECT_EQ(string_json(std::string_view("\0\x1f\x7f", 3)), "\"\\u0000\\u001f\x7f\"");
  EXPECT_EQ(string_json("\u00e9\u20ac\U0001f600"), "\"\u00e9\u20ac\U0001f600\"");
}

TEST(JsonWrite, EscapesAtEveryPositionOfALongText) {
  for (std::size_t length = 0; length < 40; ++length) {
    for (std::size_t at = 0; at < length; ++at) {
      for (char const c : {'"', '\\', '\n', '\x1f', '\x01'}) {
        std::string text(length, ' ');
        text[at] = c;
        ASSERT_EQ(from_json<std::string>(string_json(text)), text);
      }
    }
  }
}

TEST(JsonWrite, WritesEveryPlainByteAsItIs) {
  for (int c = 0x20; c < 0x80; ++c) {
    if (c == '"' || c == '\\') continue;
    std::string const text(17, static_cast<char>(c));
    ASSERT_EQ(string_json(text), '"' + text + '"') << c;
  }
}

TEST(JsonWrite, ReplacesBytesThatAreNotUtf8) {
  constexpr std::string_view replacement = "\ufffd";
  for (auto const* bad : {"\x80", "\xc3", "\xc0\xaf", "\xc1\x80", "\xe2\x82", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf5\x80\x80\x80", "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\xff", "\xf0\x9f\x98"}) {
    auto const text = string_json("a" + std::string(bad) + "b");
    EXPECT_THAT(text, testing::HasSubstr(replacement));
    EXPECT_TRUE(text.starts_with("\"a"));
    EXPECT_TRUE(text.ends_with("b\""));
    EXPECT_THAT(issues_of(text, std::string()), testing::IsEmpty()) << "what is written can be read";
  }
}

TEST(JsonWrite, TakesAnythingLikeText) {
  std::string out = "x=";
  append_json(out, "literal");
  append_json(out, std::string("string"));
  append_json(out, std::string_view("view"));
  append_json(out, true);
  append_json(out, 5);
  EXPECT_EQ(out, R"(x="literal""string""view"true5)");
}

TEST(JsonWrite, WritesValuesOfKindsThatJsonLacks) {
  EXPECT_EQ(to_json(Value(Object{{"none", Value()}, {"null", nullptr}, {"list", Array{Value(), 1}}})),
            R"({"null":null,"list":[null,1]})");
  EXPECT_EQ(to_json(Value()), "null");
  EXPECT_EQ(to_json(Value(*Decimal::parse("1.50"))), R"("1.50")");
  EXPECT_EQ(to_json(Value(Datetime())), R"("1970-01-01T00:00:00Z")");
  EXPECT_EQ(to_json(Value(Duration(90, 0))), R"("1m30s")");
  EXPECT_EQ(to_json(Value(Bytes{std::byte{0xff}})), R"("/w==")");
  EXPECT_EQ(to_json(Value(RecordId("p", "a b"))), R"("p:`a b`")");
  EXPECT_EQ(to_json(Value(Set(Array{2, 1}))), "[1,2]");
  EXPECT_EQ(to_json(Value(Table{"t"})), R"("t")");
  EXPECT_EQ(to_json(Value(Range{Bound::included(1), Bound::excluded(2)})), R"("1..2")");
  EXPECT_EQ(to_json(Value(Geometry::line({{1, 2}, {3, 4.5}}))),
            R"({"type":"LineString","coordinates":[[1.0,2.0],[3.0,4.5]]})");
  EXPECT_EQ(to_json(Value(Geometry::collection({Geometry::point({1, 2})}))),
            R"({"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1.0,2.0]}]})");
  EXPECT_EQ(to_json(Free{}), R"({"number":0})") << "a member that is NONE is absent";
}

TEST(JsonWrite, RefusesToNestTooDeep) {
  Value value(1);
  for (std::size_t i = 0; i < value_depth_max; ++i) value = Array{std::move(value)};
  EXPECT_EQ(to_json(value).size(), 2 * value_depth_max + 1);
  value = Array{std::move(value)};
  EXPECT_THROW(to_json(value), Error);
}

// ---- reading -------------------------------------------------------------------------------------------------------

TEST(JsonRead, ReadsWhatWasWritten) {
  auto const document = from_json<Document>(complete);
  EXPECT_EQ(document.id, Id<Document>("d1"));
  EXPECT_EQ(document.title, "Vente");
  EXPECT_TRUE(document.pinned);
  EXPECT_EQ(document.score, 0.5);
  EXPECT_EQ(document.status, Status::closed);
  ASSERT_EQ(document.tags.size(), 2u);
  EXPECT_EQ(document.tags[0].weight, 3);
  EXPECT_EQ(document.tags[1].weight, std::nullopt);
  EXPECT_EQ(document.created, *Datetime::parse("2024-01-02T03:04:05Z"));
}

TEST(JsonRead, TakesMembersInAnyOrderWithAnyWhiteSpaceAndEscapes) {
  auto const tag = from_json<Tag>("\r\n\t { \"weight\" : 5 , \"n\\u0061me\" : \"\\u00e9\\ud83d\\ude00\\/\\n\" } \n");
  EXPECT_EQ(tag.weight, 5);
  EXPECT_EQ(tag.name, "\u00e9\U0001f600/\n");
}

TEST(JsonRead, CollectsAllIssuesWithTheirPaths) {
  EXPECT_THAT(
      issues_of(
          R"({"title":5,"pinned":"yes","score":null,"status":"lost","tags":[{"name":"a"},{"weight":1.5},7],"extra":{"a":1}})",
          Document()),
      testing::ElementsAre("title is a number, not a string", "pinned is a string, not true or false",
                           "status is not one of open, closed",
                           "tags.1.weight is a number with a fraction, not a whole number", "tags.1.name is missing",
                           "tags.2 is a number, not an object",
                           "extra is not a member; the members are id, title, pinned, score, status, tags, created",
                           "id is missing", "created is missing"));
}

TEST(JsonRead, SaysWhatKindEachIssueIs) {
  EXPECT_EQ(only_kind<Tag>("{}"), Kind::missing);
  EXPECT_EQ(only_kind<Tag>(R"({"name":"a","b":1})"), Kind::unknown);
  EXPECT_EQ(only_kind<Tag>(R"({"name":1})"), Kind::wrong_type);
  EXPECT_EQ(only_kind<Tag>(R"({"name":"a","weight":3000000000})"), Kind::out_of_range);
  EXPECT_EQ(only_kind<Tag>(R"({"name":"a","name":"b"})"), Kind::invalid);
  EXPECT_EQ(only_kind<Tag>(R"({"name":)"), Kind::invalid);
  EXPECT_EQ(only_kind<Tag>("[]"), Kind::wrong_type);
}

TEST(JsonRead, RefusesNullForWhatCannotBeEmpty) {
  EXPECT_THAT(issues_of(R"({"name":null})", Tag()), testing::ElementsAre("name is null, not a string"));
  EXPECT_THAT(issues_of("null", Tag()), testing::ElementsAre("the JSON text is null, not an object"));
  Tag tag{"", 5};
  EXPECT_THAT(issues_of(R"({"name":"a","weight":null})", tag), testing::IsEmpty());
  EXPECT_EQ(tag.weight, std::nullopt);
}

TEST(JsonRead, LeavesWhatIsMissingAsItWas) {
  Document document;
  document.title = "kept";
  document.score = 0.25;
  ReadOptions patch;
  patch.keep_missing = true;
  EXPECT_THAT(issues_of(R"({"pinned":true})", document, patch), testing::IsEmpty());
  EXPECT_EQ(document.title, "kept");
  EXPECT_EQ(document.score, 0.25);
  EXPECT_TRUE(document.pinned);
}

TEST(JsonRead, IgnoresUnknownMembersWhenToldTo) {
  ReadOptions lenient;
  lenient.unknown_members = UnknownMembers::ignore;
  Tag tag;
  EXPECT_THAT(issues_of(R"({"x":[1,{"name":5}],"name":"a","y":{"z":null}})", tag, lenient), testing::IsEmpty());
  EXPECT_EQ(tag.name, "a");
}

TEST(JsonRead, EmptiesAnOptionalThatCannotBeRead) {
  Tag tag{"", 5};
  EXPECT_EQ(issues_of(R"({"name":"a","weight":"x"})", tag).size(), 1u);
  EXPECT_EQ(tag.weight, std::nullopt);
  Containers containers;
  EXPECT_EQ(issues_of(R"({"pair":[1,2],"map":{},"gaps":[],"list":{}})", containers).size(), 1u);
  EXPECT_EQ(containers.list, std::nullopt);
}

TEST(JsonRead, RefusesAMemberGivenTwiceAndKeepsTheFirst) {
  Tag tag;
  EXPECT_THAT(issues_of(R"({"name":"a","name":"b","name":7})", tag),
              testing::ElementsAre("name is given more than once", "name is given more than once"));
  EXPECT_EQ(tag.name, "a");
  std::map<std::string, int> map;
  EXPECT_THAT(issues_of(R"({"k":1,"k":2})", map), testing::ElementsAre("k is given more than once"));
  EXPECT_EQ(map.at("k"), 1);
  Value value;
  EXPECT_THAT(issues_of(R"({"a":{"k":1,"b":0,"k":2,"k":3}})", value),
              testing::ElementsAre("a.k is given more than once", "a.k is given more than once"));
  EXPECT_EQ(value, Value(Object{{"a", Object{{"k", 1}, {"b", 0}}}}));
}

TEST(JsonRead, AcceptsWholeNumbersInAnyFormAsLongAsTheyAreExact) {
  EXPECT_EQ(from_json<int>("1.0"), 1);
  EXPECT_EQ(from_json<int>("-1.50e1"), -15);
  EXPECT_EQ(from_json<int>("1e3"), 1000);
  EXPECT_EQ(from_json<std::int64_t>("9007199254740993.0"), 9007199254740993);
  EXPECT_EQ(from_json<int>("-0"), 0);
  EXPECT_EQ(only_kind<int>("1.5"), Kind::wrong_type);
  EXPECT_EQ(only_kind<int>("1e-1"), Kind::wrong_type);
  EXPECT_EQ(only_kind<int>("1e10"), Kind::out_of_range);
  EXPECT_EQ(only_kind<int>("1e99999"), Kind::out_of_range);
}

TEST(JsonRead, RefusesIntegersThatDoNotFit) {
  EXPECT_EQ(from_json<std::int8_t>("-128"), -128);
  EXPECT_EQ(only_kind<std::int8_t>("-129"), Kind::out_of_range);
  EXPECT_EQ(only_kind<std::int8_t>("128"), Kind::out_of_range);
  EXPECT_EQ(from_json<std::uint8_t>("255"), 255);
  EXPECT_EQ(only_kind<std::uint8_t>("256"), Kind::out_of_range);
  EXPECT_EQ(only_kind<std::uint8_t>("-1"), Kind::out_of_range);
  EXPECT_EQ(only_kind<std::int16_t>("32768"), Kind::out_of_range);
  EXPECT_EQ(only_kind<std::uint16_t>("65536"), Kind::out_of_range);
  EXPECT_EQ(only_kind<std::int32_t>("2147483648"), Kind::out_of_range);
  EXPECT_EQ(only_kind<std::uint32_t>("4294967296"), Kind::out_of_range);
  EXPECT_EQ(from_json<std::int64_t>("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(only_kind<std::int64_t>("9223372036854775808"), Kind::out_of_range);
  EXPECT_EQ(only_kind<std::int64_t>("-9223372036854775809"), Kind::out_of_range);
  EXPECT_EQ(from_json<std::uint64_t>("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(only_kind<std::uint64_t>("18446744073709551616"), Kind::out_of_range);
  EXPECT_EQ(only_kind<std::uint64_t>("-1"), Kind::out_of_range);
  EXPECT_EQ(only_kind<Value>("9223372036854775808"), Kind::out_of_range);
}

TEST(JsonRead, ReadsTheNearestDoubleAndRefusesInfiniteOnes) {
  EXPECT_EQ(from_json<double>("1"), 1.0);
  EXPECT_EQ(from_json<double>("0.1"), 0.1);
  EXPECT_EQ(from_json<double>("1.7976931348623157e308"), std::numeric_limits<double>::max());
  EXPECT_EQ(from_json<double>("2.2250738585072011e-308"), 2.2250738585072011e-308);
  EXPECT_EQ(from_json<double>("5e-324"), 5e-324);
  EXPECT_EQ(from_json<double>("1e-400"), 0.0);
  EXPECT_TRUE(std::signbit(from_json<double>("-1e-99999")));
  EXPECT_EQ(from_json<float>("1e-60"), 0.0f);
  EXPECT_EQ(only_kind<double>("1e309"), Kind::out_of_range);
  EXPECT_EQ(only_kind<double>("-1e99999"), Kind::out_of_range);
  EXPECT_EQ(only_kind<float>("1e39"), Kind::out_of_range);
  EXPECT_EQ(only_kind<Value>("1e309"), Kind::out_of_range);
  EXPECT_EQ(from_json<double>("1" + std::string(300, '0')), 1e300) << "a long run of digits";
}

TEST(JsonRead, ReadsTextForms) {
  auto const text =
      R"({"duration":"1h30m","uuid":"018e3c3c-1111-7abc-8def-0123456789ab","decimal":"12.50","bytes":"AP8=","record":"p:`a b`"})";
  auto const scalars = from_json<Scalars>(text);
  EXPECT_EQ(scalars.duration, Duration(5400, 0));
  EXPECT_EQ(scalars.decimal.to_string(), "12.50");
  EXPECT_EQ(scalars.bytes, (Bytes{std::byte{0}, std::byte{0xff}}));
  EXPECT_EQ(scalars.record, RecordId("p", "a b"));
  EXPECT_EQ(to_json(scalars), text);
  EXPECT_EQ(from_json<Colour>(R"("#7")").shade, 7);
  EXPECT_EQ(to_json(Colour{4}), R"("#4")");
  EXPECT_THAT(issues_of(R"("blue")", Colour()), testing::ElementsAre("the JSON text is not a colour such as #5"));
  EXPECT_THAT(issues_of(R"("yesterday")", Datetime()),
              testing::ElementsAre("the JSON text is not a date and time such as 2024-01-02T03:04:05Z"));
  EXPECT_EQ(only_kind<Decimal>("12.5"), Kind::wrong_type) << "a JSON number has lost its digits on the way";
}

TEST(JsonRead, AcceptsAliasesOfEnumerators) {
  EXPECT_EQ(from_json<Status>(R"("done")"), Status::closed);
  EXPECT_EQ(to_json(Status::closed), R"("closed")");
}

TEST(JsonRead, ReadsContainers) {
  auto const containers = from_json<Containers>(R"({"pair":[1,2],"map":{"b":2,"a":1},"gaps":[1,null,3],"list":[]})");
  EXPECT_EQ(containers.pair, (std::array{1, 2}));
  EXPECT_EQ(containers.map, (std::map<std::string, int>{{"a", 1}, {"b", 2}}));
  EXPECT_THAT(containers.gaps, testing::ElementsAre(1, std::nullopt, 3));
  EXPECT_EQ(containers.list, std::vector<int>());
  EXPECT_EQ(to_json(containers), R"({"pair":[1,2],"map":{"a":1,"b":2},"gaps":[1,null,3],"list":[]})");
}

TEST(JsonRead, WantsExactlyAsManyElementsAsAnArrayHas) {
  using Pair = std::array<int, 2>;
  EXPECT_THAT(issues_of("[1]", Pair()), testing::ElementsAre("the JSON text has 1 elements, not 2"));
  EXPECT_THAT(issues_of("[1,2,3,[]]", Pair()), testing::ElementsAre("the JSON text has 4 elements, not 2"));
}

TEST(JsonRead, ReplacesWhatContainersHeld) {
  std::vector<int> list = {7, 8, 9};
  std::map<std::string, int> map = {{"old", 1}};
  EXPECT_TRUE(read_json("[1]", list).empty());
  EXPECT_TRUE(read_json(R"({"new":2})", map).empty());
  EXPECT_EQ(list, std::vector<int>{1});
  EXPECT_EQ(map, (std::map<std::string, int>{{"new", 2}}));
}

TEST(JsonRead, ReadsInheritedMembers) {
  Derived derived;
  EXPECT_TRUE(read_json(R"({"second":2,"first":1})", derived).empty());
  EXPECT_EQ(derived.first, 1);
  EXPECT_EQ(derived.second, 2);
}

TEST(JsonRead, ReadsModelsThatContainThemselves) {
  auto const text = R"({"number":1,"children":[{"number":2,"children":[]},{"number":3,"children":[]}]})";
  EXPECT_EQ(to_json(from_json<Node>(text)), text);
}

TEST(JsonRead, ReadsValues) {
  auto const text = R"({"b":[null,true,-5,1.5,"x",{}],"a":1e2,"none":null})";
  auto const value = from_json<Value>(text);
  EXPECT_EQ(value, Value(Object{{"b", Array{nullptr, true, -5, 1.5, "x", Object()}}, {"a", 100.0}, {"none", nullptr}}));
  EXPECT_EQ(value.as_object().at("a").kind(), ValueKind::real);
  EXPECT_EQ(value.as_object().at("b").as_array()[2].kind(), ValueKind::integer);
  EXPECT_EQ(to_json(value), R"({"b":[null,true,-5,1.5,"x",{}],"a":100.0,"none":null})");
  EXPECT_EQ(from_json<Free>(R"({"number":1})").any, Value()) << "an absent value is NONE";
  EXPECT_EQ(from_json<Free>(R"({"number":1,"any":null})").any, Value(nullptr));
}

TEST(JsonRead, BoundsTheDepth) {
  auto const nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  Value value;
  EXPECT_TRUE(read_json(nested(64), value).empty());
  EXPECT_THAT(issues_of(nested(65), value), testing::ElementsAre(testing::HasSubstr("is not valid JSON")));
  EXPECT_EQ(issues_of(nested(1'000'000), value).size(), 1u);
  ReadOptions options;
  options.depth_max = 1000;  // clamped to what values may be nested
  EXPECT_TRUE(read_json(nested(value_depth_max), value, options).empty());
  EXPECT_FALSE(read_json(nested(value_depth_max + 1), value, options).empty());
  options.depth_max = 2;
  EXPECT_TRUE(read_json("[[]]", value, options).empty());
  EXPECT_FALSE(read_json("[[[]]]", value, options).empty());
}

TEST(JsonRead, SaysWhereAMalformedTextBreaks) {
  auto const issues = issues_of("{\n  \"name\": \"\u00e9\" ?\n}", Tag());
  ASSERT_EQ(issues.size(), 1u);
  EXPECT_THAT(issues[0], testing::StartsWith("the JSON text is not valid JSON: "));
  EXPECT_THAT(issues[0], testing::EndsWith(" at line 2, column 15"));
}

TEST(JsonRead, RefusesMalformedTextAsOneIssue) {
  for (auto const* text : {"",
                           " ",
                           "{",
                           "}",
                           "[",
                           "{]",
                           "{\"name\"}",
                           "{\"name\":}",
                           "{\"name\":\"a\",}",
                           "[1,]",
                           "{name:1}",
                           "{'name':'a'}",
                           "\"a",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud800\"",
                           "\"\\ud800\\u0041\"",
                           "\"\n\"",
                           "\"\x01\"",
                           "01",
                           "+1",
                           "1.",
                           ".5",
                           "1e",
                           "-",
                           "nul",
                           "nulL",
                           "NaN",
                           "Infinity",
                           "1 2",
                           "{} {}",
                           "[1]x",
                           "/**/1",
                           "1//",
                           "\xef\xbb\xbf{}",
                           "\"\xff\"",
                           "\"\xc0\xaf\"",
                           "\"\xed\xa0\x80\"",
                           "{\"\xff\":1}",
                           "0x10",
                           "tru",
                           "\"a\"b"}) {
    Value value;
    auto const issues = read_json(text, value);
    ASSERT_EQ(issues.size(), 1u) << text;
    EXPECT_EQ(issues[0].kind, Kind::invalid);
    EXPECT_TRUE(issues[0].path.empty());
  }
  EXPECT_EQ(only_kind<Value>(std::string_view("1\0", 2)), Kind::invalid);
}

TEST(JsonRead, SurvivesATextCutOffAtEveryByte) {
  for (std::size_t length = 0; length < complete.size(); ++length) {
    Document document;
    auto const issues = read_json(complete.substr(0, length), document);
    ASSERT_EQ(issues.size(), 1u) << length;
    EXPECT_EQ(issues[0].kind, Kind::invalid);
  }
}

TEST(JsonRead, NeverRepeatsAValue) {
  for (auto const* text : {R"({"title":"hunter2")", R"({"pinned":"hunter2"})", R"({"status":"hunter2"})",
                           R"({"created":"hunter2"})", R"({"id":["hunter2"]})", R"("hunter2")", "hunter2"}) {
    for (auto const& issue : issues_of(text, Document()))
      EXPECT_THAT(issue, testing::Not(testing::HasSubstr("hunter2")));
  }
}

TEST(JsonRead, BoundsWhatItReports) {
  std::string text = "[";
  for (int i = 0; i < 1000; ++i) text += "\"x\",";
  text += "1]";
  EXPECT_EQ(issues_of(text, std::vector<int>()).size(), issues_max);

  auto const issues = issues_of("{\"" + std::string(63, 'a') + "\u00e9" + std::string(100'000, 'b') + "\":1}", Tag());
  ASSERT_EQ(issues.size(), 2u);
  EXPECT_THAT(issues[0], testing::StartsWith(std::string(63, 'a') + "\u2026 "))
      << "cut before the character it would split";
}

TEST(JsonRead, HandlesManyMembersInReasonableTime) {
  std::string text = "{";
  for (int i = 0; i < 100'000; ++i) text += "\"k" + std::to_string(i) + "\":" + std::to_string(i) + ',';
  text += "\"k0\":1}";
  Value value;
  EXPECT_EQ(issues_of(text, value).size(), 1u);
  EXPECT_EQ(value.as_object().size(), 100'000u);
}

TEST(JsonRead, ThrowsTheFirstIssueWhenAskedForTheValueItself) {
  try {
    from_json<Document>(R"({"id":"a","tags":[{"name":5}]})");
    FAIL() << "a number is no name";
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::request);
    EXPECT_STREQ(error.what(), "tags.0.name is a number, not a string");
  }
}

}  // namespace
}  // namespace belay::json
