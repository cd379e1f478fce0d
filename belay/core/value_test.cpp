#include "belay/core/value.hpp"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/record_id.hpp"

namespace belay {
namespace {

constexpr auto int64_min = std::numeric_limits<std::int64_t>::min();
constexpr auto int64_max = std::numeric_limits<std::int64_t>::max();
constexpr auto infinite = std::numeric_limits<double>::infinity();
constexpr auto nan = std::numeric_limits<double>::quiet_NaN();

Value decimal(std::string_view text) { return Decimal::parse(text).value(); }

Object numbered_object(int members) {
  Object object;
  for (int i = 0; i < members; ++i) object.set("m" + std::to_string(i * 7919 % members), i);
  return object;
}

/// One value of each kind, in ascending order.
std::vector<Value> one_of_each() {
  return {Value(),
          nullptr,
          false,
          -1,
          0.5,
          decimal("0.75"),
          "text",
          Duration(1, 0),
          Datetime(),
          Uuid(),
          Array{1},
          Set(Array{1}),
          Object{{"a", 1}},
          Geometry::point({1, 2}),
          Bytes{std::byte{1}},
          Table{"person"},
          RecordId("person", 1),
          File{"bucket", "/key"},
          Range{Bound::included(1), Bound::excluded(5)}};
}

TEST(Value, IsNoneUnlessGivenSomething) {
  EXPECT_TRUE(Value().is_none());
  EXPECT_FALSE(Value().is_null());
  EXPECT_TRUE(Value(nullptr).is_null());
  EXPECT_NE(Value(), Value(nullptr)) << "NONE and NULL are two values";
  EXPECT_TRUE(Value().is_empty());
  EXPECT_TRUE(Value(nullptr).is_empty());
  EXPECT_FALSE(Value("").is_empty());
}

TEST(Value, HasTheKindOfItsContent) {
  auto const values = one_of_each();
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i].kind(), static_cast<ValueKind>(i)) << i;
  EXPECT_EQ(Value(std::int8_t{3}).kind(), ValueKind::integer);
  EXPECT_EQ(Value(std::uint32_t{3}).kind(), ValueKind::integer);
  EXPECT_EQ(Value("x").kind(), ValueKind::string) << "not a boolean";
  EXPECT_FALSE((std::is_constructible_v<Value, std::uint64_t>)) << "it would wrap";
  EXPECT_FALSE((std::is_constructible_v<Value, void*>));
}

TEST(Value, GivesItsContentBack) {
  EXPECT_EQ(Value(true).as_bool(), true);
  EXPECT_EQ(Value(int64_min).as_int64(), int64_min);
  EXPECT_EQ(Value(0.5).as_double(), 0.5);
  EXPECT_EQ(decimal("1.50").as_decimal().to_string(), "1.50");
  EXPECT_EQ(Value("x").as_string(), "x");
  EXPECT_EQ(Value(Duration(3, 4)).as_duration(), Duration(3, 4));
  EXPECT_EQ(Value(Datetime::from_unix(3, 4)).as_datetime(), Datetime::from_unix(3, 4));
  EXPECT_EQ(Value(Array{1, 2}).as_array().size(), 2u);
  EXPECT_EQ(Value(Set(Array{1, 1})).as_set().size(), 1u);
  EXPECT_EQ(Value(Object{{"a", 1}}).as_object().at("a"), Value(1));
  EXPECT_EQ(Value(Geometry::point({1, 2})).as_geometry().kind(), Geometry::Kind::point);
  EXPECT_EQ(Value(Bytes(3)).as_bytes().size(), 3u);
  EXPECT_EQ(Value(Table{"t"}).as_table().name, "t");
  EXPECT_EQ(Value(RecordId("t", "k")).as_record_id().table, "t");
  EXPECT_EQ(Value(File{"b", "/k"}).as_file().bucket, "b");
  EXPECT_EQ(Value(Range{}).as_range().begin.kind, Bound::Kind::unbounded);
}

TEST(Value, SaysWhatItIsAndWhatWasWanted) {
  try {
    Value("secret").as_int64();
    FAIL() << "a string is no integer";
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::request);
    EXPECT_STREQ(error.what(), "the value is a string, an integer was wanted");
  }
  EXPECT_THROW(Value(1).as_bool(), Error);
  EXPECT_THROW(Value(1).as_string(), Error);
  EXPECT_THROW(Value().as_object(), Error);
  EXPECT_THROW(Value(nullptr).as_array(), Error);
  EXPECT_THROW(Value(0.5).as_int64(), Error);
}

TEST(Value, RefusesEveryAccessorButItsOwn) {
  using Access = bool (*)(Value const&);
  auto const succeeds = []<auto member>()->Access {
    return [](Value const& value) {
      try {
        static_cast<void>((value.*member)());
        return true;
      } catch (Error const&) {
        return false;
      }
    };
  };
  Access const accessors[] = {
      succeeds.operator()<&Value::as_bool>(),
      succeeds.operator()<&Value::as_int64>(),
      succeeds.operator()<&Value::as_decimal>(),
      succeeds.operator()<&Value::as_string>(),
      succeeds.operator()<&Value::as_duration>(),
      succeeds.operator()<&Value::as_datetime>(),
      succeeds.operator()<&Value::as_uuid>(),
      succeeds.operator()<static_cast<Array const& (Value::*)() const>(&Value::as_array)>(),
      succeeds.operator()<&Value::as_set>(),
      succeeds.operator()<static_cast<Object const& (Value::*)() const>(&Value::as_object)>(),
      succeeds.operator()<&Value::as_geometry>(),
      succeeds.operator()<&Value::as_bytes>(),
      succeeds.operator()<&Value::as_table>(),
      succeeds.operator()<&Value::as_record_id>(),
      succeeds.operator()<&Value::as_file>(),
      succeeds.operator()<&Value::as_range>(),
  };
  for (auto const& value : one_of_each()) {
    int successes = 0;
    for (auto const access : accessors) successes += access(value) ? 1 : 0;
    bool const has_none = value.is_empty() || value.kind() == ValueKind::real;
    EXPECT_EQ(successes, has_none ? 0 : 1) << name_of(value.kind());
  }
}

TEST(Value, ReadsAnIntegerAsADoubleOnlyWhenExact) {
  EXPECT_EQ(Value(3).as_double(), 3.0);
  EXPECT_EQ(Value(std::int64_t{1} << 53).as_double(), 9007199254740992.0);
  EXPECT_THROW(Value((std::int64_t{1} << 53) + 1).as_double(), Error);
  EXPECT_THROW(Value(int64_max).as_double(), Error);
  EXPECT_THROW(decimal("1.5").as_double(), Error);
}

TEST(Value, IsOrderedByKindFirst) {
  auto const values = one_of_each();
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < values.size(); ++j) EXPECT_EQ(values[i] <=> values[j], i <=> j) << i << ' ' << j;
  }
}

TEST(Value, ComparesNumbersByValueWhateverTheirKind) {
  EXPECT_EQ(Value(1), Value(1.0));
  EXPECT_EQ(Value(1), decimal("1.00"));
  EXPECT_EQ(Value(0.5), decimal("0.5"));
  EXPECT_EQ(Value(0.0), Value(-0.0));
  EXPECT_EQ(Value(nan), Value(nan));
  EXPECT_EQ(Value(nan), Value(Decimal::nan()));
  EXPECT_NE(Value(0.1), decimal("0.1")) << "the double nearest to 0.1 is another number";
  std::vector<Value> const ascending = {-infinite,
                                        -1e19,
                                        int64_min,
                                        int64_min + 1,
                                        -1.5,
                                        -1,
                                        decimal("-0.5"),
                                        0,
                                        0.1,
                                        1,
                                        decimal("1.5"),
                                        (std::int64_t{1} << 53),
                                        (std::int64_t{1} << 53) + 1,
                                        decimal("9007199254740993.5"),
                                        int64_max,
                                        9223372036854775808.0,
                                        decimal("9223372036854775809"),
                                        infinite,
                                        nan};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j)
      EXPECT_EQ(ascending[i] <=> ascending[j], i <=> j) << i << ' ' << j;
  }
}

TEST(Value, ComparesListsElementByElement) {
  EXPECT_LT(Value(Array{}), Value(Array{Value()}));
  EXPECT_LT(Value(Array{1}), Value(Array{1, 0}));
  EXPECT_LT(Value(Array{1, 9}), Value(Array{2}));
  EXPECT_LT(Value(Object{{"a", 2}}), Value(Object{{"b", 1}}));
  EXPECT_LT(Value(Object{{"a", 1}}), Value(Object{{"a", 1}, {"b", 0}}));
  EXPECT_LT(Value("Z"), Value("a")) << "by bytes";
  EXPECT_LT(Value(Bytes{std::byte{0x7f}}), Value(Bytes{std::byte{0x80}}));
}

TEST(Value, IsNoneAfterItWasMovedFrom) {
  for (auto& value : one_of_each()) {
    auto const kind = value.kind();
    Value const taken = std::move(value);
    EXPECT_EQ(taken.kind(), kind);
    EXPECT_TRUE(value.is_none());  // NOLINT(bugprone-use-after-move): what is left is what is tested
    EXPECT_TRUE(Value(value).is_none());
  }
}

TEST(Value, IsCopiedInDepth) {
  Value original(Object{{"list", Array{1, 2}}});
  Value const copy = original;
  original.as_object().find("list")->as_array().push_back(3);
  EXPECT_EQ(copy.as_object().at("list").as_array().size(), 2u);
  for (auto const& value : one_of_each()) {
    Value assigned("other");
    assigned = value;
    EXPECT_EQ(assigned, value);
    EXPECT_EQ(assigned.kind(), value.kind());
  }
}

TEST(Value, MayBeAssignedAPartOfItself) {
  Value value(Array{Array{1, 2}});
  value = value.as_array().front();
  EXPECT_EQ(value, Value(Array{1, 2}));
  value = std::move(value.as_array()[1]);
  EXPECT_EQ(value, Value(2));
}

TEST(Value, IsWrittenAsSurrealql) {
  std::pair<Value, std::string_view> const cases[] = {
      {Value(), "NONE"},
      {nullptr, "NULL"},
      {true, "true"},
      {-5, "-5"},
      {1.0, "1.0"},
      {1e300, "1e+300"},
      {nan, "NaN"},
      {decimal("1.50"), "1.50dec"},
      {"it's \\ a\nline", R"('it\'s \\ a\nline')"},
      {Duration(5400, 0), "1h30m"},
      {Datetime(), "d'1970-01-01T00:00:00Z'"},
      {Uuid(), "u'00000000-0000-0000-0000-000000000000'"},
      {Array{1, "a", Array{}}, "[1, 'a', []]"},
      {Set(Array{2, 1, 2}), "{1, 2}"},
      {Set(Array{1}), "{1,}"},
      {Set(), "{,}"},
      {Object{}, "{}"},
      {Object{{"b", 1}, {"a b", nullptr}}, "{ b: 1, 'a b': NULL }"},
      {Bytes{std::byte{0}, std::byte{0xff}}, "b\"00FF\""},
      {Table{"person"}, "person"},
      {Table{"a b"}, "`a b`"},
      {File{"b", "/a\"c"}, R"(f"b:/a\"c")"},
      {Range{Bound::included(1), Bound::excluded(5)}, "1..5"},
      {Range{Bound::excluded(1), Bound::included(5)}, "1>..=5"},
      {Range{}, ".."},
      {Geometry::point({1.5, 2}), "{ type: 'Point', coordinates: [1.5, 2.0] }"},
      {Geometry::polygon({{{0, 0}, {1, 0}, {0, 0}}}),
       "{ type: 'Polygon', coordinates: [[[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]] }"},
      {Geometry::collection({Geometry::multi_point({{1, 2}})}),
       "{ type: 'GeometryCollection', geometries: [{ type: 'MultiPoint', coordinates: [[1.0, 2.0]] }] }"},
  };
  for (auto const& [value, text] : cases) EXPECT_EQ(value.to_string(), text);
}

TEST(Value, RefusesToWriteWhatIsNestedTooDeep) {
  auto const nested = [](std::size_t depth) {
    Value value(1);
    for (std::size_t i = 0; i < depth; ++i) value = Array{std::move(value)};
    return value;
  };
  EXPECT_EQ(nested(value_depth_max).to_string().size(), 2 * value_depth_max + 1);
  EXPECT_THROW(nested(value_depth_max + 1).to_string(), Error);
}

TEST(Set, KeepsEachValueOnceInOrder) {
  Set set(Array{3, 1, "a", 1, 2.0, 2});
  EXPECT_EQ(set.values(), (Array{1, 2.0, 3, "a"}));
  EXPECT_TRUE(set.contains(2));
  EXPECT_FALSE(set.contains("b"));
  EXPECT_FALSE(set.insert(3));
  EXPECT_TRUE(set.insert(0));
  EXPECT_EQ(set.values().front(), Value(0));
  EXPECT_EQ(Set(Array{1, 2}), Set(Array{2, 1, 1}));
  EXPECT_LT(Set(Array{1}), Set(Array{2}));
}

TEST(Object, KeepsTheOrderOfInsertion) {
  Object object{{"b", 1}, {"a", 2}};
  object.set("c", 3);
  object.set("b", 4);
  std::string names;
  for (auto const& [name, value] : object) names += name + value.to_string();
  EXPECT_EQ(names, "b4a2c3");
  EXPECT_EQ(object.size(), 3u);
}

TEST(Object, IsEqualWhateverTheOrder) {
  EXPECT_EQ((Object{{"b", 1}, {"a", 2}}), (Object{{"a", 2}, {"b", 1}}));
  EXPECT_NE((Object{{"b", 1}, {"a", 2}}), (Object{{"a", 1}, {"b", 2}}));
  EXPECT_NE((Object{{"a", 1}}), (Object{{"a", 1}, {"b", Value()}}));
  EXPECT_NE(Object(), (Object{{"a", Value()}}));
}

TEST(Object, RefusesAMemberGivenTwice) {
  try {
    Object const object({{"a", 1}, {"b", 2}, {"a", 3}});
    FAIL() << "which value counts?";
  } catch (Error const& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("'a'"));
  }
}

TEST(Object, SaysWhichMemberIsMissing) {
  Object const object{{"a", 1}};
  EXPECT_EQ(object.find("b"), nullptr);
  try {
    object.at("b");
    FAIL() << "there is no b";
  } catch (Error const& error) {
    EXPECT_STREQ(error.what(), "the object has no member 'b'");
  }
}

TEST(Object, FindsMembersBelowAtAndAboveTheSizeThatIsIndexed) {
  for (int const members : {1, 2, 15, 16, 17, 18, 100, 1000}) {
    auto object = numbered_object(members);
    ASSERT_EQ(object.size(), static_cast<std::size_t>(members));
    for (int i = 0; i < members; ++i) ASSERT_TRUE(object.contains("m" + std::to_string(i))) << i << " of " << members;
    EXPECT_FALSE(object.contains("m"));
    EXPECT_FALSE(object.contains("z"));
    EXPECT_EQ(object, Object(std::vector<Object::Member>(object.begin(), object.end())));
  }
}

TEST(Object, ForgetsErasedMembersAtEverySize) {
  for (int const members : {1, 16, 17, 18, 40}) {
    auto object = numbered_object(members);
    EXPECT_FALSE(object.erase("absent"));
    for (int i = 0; i < members; ++i) {
      auto const name = "m" + std::to_string(i);
      ASSERT_TRUE(object.erase(name));
      ASSERT_FALSE(object.contains(name));
      ASSERT_EQ(object.size(), static_cast<std::size_t>(members - i - 1));
      if (i + 1 < members) {
        ASSERT_TRUE(object.contains("m" + std::to_string(members - 1)));
      }
    }
  }
}

TEST(Range, IsOrderedByItsBeginThenByItsEnd) {
  std::vector<Range> const ascending = {
      {Bound::unbounded(), Bound::excluded(1)}, {Bound::unbounded(), Bound::included(1)},
      {Bound::unbounded(), Bound::unbounded()}, {Bound::included(1), Bound::excluded(9)},
      {Bound::included(1), Bound::included(9)}, {Bound::included(1), Bound::unbounded()},
      {Bound::excluded(1), Bound::excluded(2)}, {Bound::included(2), Bound::excluded(2)}};
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j)
      EXPECT_EQ(ascending[i] <=> ascending[j], i <=> j) << i << ' ' << j;
  }
}

TEST(Geometry, NamesItsTypesAsGeoJsonDoes) {
  EXPECT_EQ(Geometry::point({}).type_name(), "Point");
  EXPECT_EQ(Geometry::line({}).type_name(), "LineString");
  EXPECT_EQ(Geometry::polygon({{}}).type_name(), "Polygon");
  EXPECT_EQ(Geometry::multi_point({}).type_name(), "MultiPoint");
  EXPECT_EQ(Geometry::multi_line({}).type_name(), "MultiLineString");
  EXPECT_EQ(Geometry::multi_polygon({}).type_name(), "MultiPolygon");
  EXPECT_EQ(Geometry::collection({}).type_name(), "GeometryCollection");
}

TEST(Geometry, NeedsTheOuterRingOfAPolygon) {
  EXPECT_THROW(Geometry::polygon({}), Error);
  EXPECT_THROW(Geometry::multi_polygon({{}}), Error);
}

TEST(Geometry, IsOrderedByKindThenByCoordinates) {
  EXPECT_LT(Geometry::point({9, 9}), Geometry::line({}));
  EXPECT_LT(Geometry::point({1, 2}), Geometry::point({1, 3}));
  EXPECT_EQ(Geometry::line({{1, 2}}), Geometry::line({{1, 2}}));
  EXPECT_NE(Geometry::line({{1, 2}}), Geometry::multi_point({{1, 2}}));
  EXPECT_LT(Geometry::collection({Geometry::point({1, 2})}), Geometry::collection({Geometry::line({})}));
}

}  // namespace
}  // namespace belay
