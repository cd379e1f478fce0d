#include "belay/orm/sqlite_dialect.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/orm/test_coroutine.hpp"
#include "belay/orm/test_models.hpp"
#include "belay/orm/test_recorder.hpp"

namespace belay::orm::test {
namespace {

using std::int64_t;
using testing::ElementsAre;
using testing::HasSubstr;

/// The text of `SELECT 1`-like statements that count the rows of a query: its WHERE clause and what follows.
Recorder::Entry counted(Query<Item> const& query) {
  Recorder recorder;
  run(query.count(recorder));
  auto entry = recorder.entries.back();
  std::string const prefix = "SELECT count(*) FROM \"item\"";
  EXPECT_EQ(entry.text.substr(0, prefix.size()), prefix);
  entry.text.erase(0, prefix.size());
  return entry;
}

struct Golden {
  Condition<Item> condition;
  std::string where;
  std::vector<Scalar> values;
};

void expect(Golden const& golden) {
  auto const entry = counted(from<Item>().where(golden.condition));
  EXPECT_EQ(entry.text, " WHERE " + golden.where);
  EXPECT_EQ(entry.values, golden.values) << golden.where;
}

Scalar text(char const* value) { return Scalar(std::string(value)); }
Scalar integer(int64_t value) { return Scalar(value); }

constexpr auto name = field<&Item::name>;
constexpr auto note = field<&Item::note>;
constexpr auto quantity = field<&Item::quantity>;
constexpr auto stock = field<&Item::stock>;
constexpr auto weight = field<&Item::weight>;
constexpr auto score = field<&Item::score>;
constexpr auto status = field<&Item::status>;
constexpr auto colour = field<&Item::colour>;
constexpr auto price = field<&Item::price>;
constexpr auto discount = field<&Item::discount>;
constexpr auto tags = field<&Item::tags>;
constexpr auto numbers = field<&Item::numbers>;
constexpr auto created_at = field<&Item::created_at, Item>;

TEST(SqliteDialect, RendersEqualityOfEveryKind) {
  auto const at = Datetime::from_unix(1, 5);
  auto const effort = Duration(90, 0);
  auto const token = Uuid(Uuid::Octets{1, 2});
  expect({name == "a", "\"name\" = ?1", {text("a")}});
  expect({note == "a", "\"note\" = ?1", {text("a")}});
  expect({quantity == 5, "\"quantity\" = ?1", {integer(5)}});
  expect({weight == 0.5, "\"weight\" = ?1", {Scalar(0.5)}});
  expect({weight == 2, "\"weight\" = ?1", {Scalar(2.0)}});
  expect({field<&Item::pinned> == true, "\"pinned\" = ?1", {Scalar(true)}});
  expect({colour == Colour::green, "\"colour\" = ?1", {text("green")}});
  expect({created_at == at, "\"created_at\" = ?1", {Scalar(at)}});
  expect({field<&Item::effort> == effort, "\"effort\" = ?1", {Scalar(effort)}});
  expect({price == 3, "\"price\" COLLATE belay_decimal = ?1", {Scalar(Decimal(3))}});
  expect({field<&Item::token> == token, "\"token\" = ?1", {Scalar(token)}});
  expect({field<&Item::id> == Id<Item>("7"), "\"id\" = ?1", {Scalar(ScalarKey(std::string("7")))}});
  expect({field<&Item::id> == Id<Item>(7), "\"id\" = ?1", {Scalar(ScalarKey(int64_t{7}))}});
  expect({field<&Item::parent> == Id<Item>(token), "\"parent\" = ?1", {Scalar(ScalarKey(token))}});
  expect({field<&Item::content> == Bytes{std::byte{0}}, "\"content\" = ?1", {Scalar(Bytes{std::byte{0}})}});
}

TEST(SqliteDialect, RendersAnEnumeratorWithItsAliases) {
  std::vector<Scalar> const spellings{text("closed"), text("done"), text("finished"), text("finished")};
  expect({status == Status::closed, "\"status\" IN (?1, ?2, ?3, ?4)", spellings});
  expect({status == Status::open, "\"status\" = ?1", {text("open")}});
  expect({status != Status::closed, "NOT (\"status\" IN (?1, ?2, ?3, ?4))", spellings});
}

TEST(SqliteDialect, RendersOrderComparisons) {
  expect({quantity < 5, "\"quantity\" < ?1", {integer(5)}});
  expect({quantity <= 5, "\"quantity\" <= ?1", {integer(5)}});
  expect({quantity > 5, "\"quantity\" > ?1", {integer(5)}});
  expect({quantity >= 5, "\"quantity\" >= ?1", {integer(5)}});
  expect({name < "m", "\"name\" < ?1", {text("m")}});
  expect({price.between(1, 2),
          "(\"price\" COLLATE belay_decimal BETWEEN ?1 AND ?2)",
          {Scalar(Decimal(1)), Scalar(Decimal(2))}});
}

TEST(SqliteDialect, NegatesExactlyWhereNullCannotOccur) {
  expect({name != "a", "\"name\" <> ?1", {text("a")}});
  expect({!(quantity < 5), "\"quantity\" >= ?1", {integer(5)}});
  expect({!(quantity <= 5), "\"quantity\" > ?1", {integer(5)}});
  expect({!(quantity > 5), "\"quantity\" <= ?1", {integer(5)}});
  expect({!(quantity >= 5), "\"quantity\" < ?1", {integer(5)}});
  expect({!name.contains("a"), "NOT (instr(\"name\", ?1) > 0)", {text("a")}});
}

TEST(SqliteDialect, NegatesExactlyWhereNullMayOccur) {
  expect({note != "a", "\"note\" IS NOT ?1", {text("a")}});
  expect({!(stock < 5), "(\"stock\" < ?1) IS NOT TRUE", {integer(5)}});
  expect({!note.like("a%"), "(belay_like(\"note\", ?1, 0)) IS NOT TRUE", {text("a%")}});
  expect({note.not_in("a", "b"), "(\"note\" IN (?1, ?2)) IS NOT TRUE", {text("a"), text("b")}});
  expect({!note.is_null(), "\"note\" IS NOT NULL", {}});
  expect({!!note.is_null(), "\"note\" IS NULL", {}});
}

TEST(SqliteDialect, RendersTextLookups) {
  expect({name.like("a_%"), "belay_like(\"name\", ?1, 0)", {text("a_%")}});
  expect({name.ilike("a_%"), "belay_like(\"name\", ?1, 1)", {text("a_%")}});
  expect({name.contains("50%"), "instr(\"name\", ?1) > 0", {text("50%")}});
  expect({name.icontains("5_0%\\"), "belay_like(\"name\", ?1, 1)", {text("%5\\_0\\%\\\\%")}});
  expect({name.startswith("ab"), "(\"name\" >= ?1 AND \"name\" < ?2)", {text("ab"), text("ac")}});
  expect({name.startswith(""), "(\"name\" >= ?1)", {text("")}});
  expect({name.startswith("a\xFF"), "(\"name\" >= ?1 AND \"name\" < ?2)", {text("a\xFF"), text("b")}});
  expect({name.startswith("\xFF"), "(\"name\" >= ?1)", {text("\xFF")}});
  expect({name.istartswith("a%"), "belay_like(\"name\", ?1, 1)", {text("a\\%%")}});
  expect({name.endswith("a%"), "belay_like(\"name\", ?1, 0)", {text("%a\\%")}});
  expect({name.iendswith("a"), "belay_like(\"name\", ?1, 1)", {text("%a")}});
  expect({name.regex("^a"), "belay_regexp(?1, \"name\", 0)", {text("^a")}});
  expect({name.iregex("^a"), "belay_regexp(?1, \"name\", 1)", {text("^a")}});
}

TEST(SqliteDialect, RendersListsOfValues) {
  std::vector<int> const three{1, 2, 3};
  std::vector<int> const nothing;
  expect({quantity.in(1), "\"quantity\" IN (?1)", {integer(1)}});
  expect({quantity.in(three), "\"quantity\" IN (?1, ?2, ?3, ?4)", {integer(1), integer(2), integer(3), integer(3)}});
  expect({quantity.in(nothing), "FALSE", {}});
  expect({quantity.not_in(nothing), "TRUE", {}});
  expect({status.in(Status::open, Status::in_work), "\"status\" IN (?1, ?2)", {text("open"), text("in_work")}});
}

TEST(SqliteDialect, RendersLookupsIntoLists) {
  auto const has = [](std::string const& placeholders) {
    return "EXISTS (SELECT 1 FROM json_each(iif(json_valid(\"tags\"), \"tags\", NULL)) AS element WHERE element.value "
           "IN (" +
           placeholders + ") AND instr(\"tags\" -> element.fullkey, '\\u0000') = 0)";
  };
  std::vector<std::string> const two{"a", "b"};
  std::vector<std::string> const nothing;
  expect({tags.contains("a"), has("?1"), {text("a")}});
  expect({tags.contains_any(two), has("?1, ?2"), {text("a"), text("b")}});
  expect({tags.contains_all(two), has("?1") + " AND " + has("?2"), {text("a"), text("b")}});
  expect({tags.contains_any(nothing), "FALSE", {}});
  expect({tags.contains_all(nothing), "TRUE", {}});
  expect({numbers.contains(7),
          "EXISTS (SELECT 1 FROM json_each(iif(json_valid(\"numbers\"), \"numbers\", NULL)) AS element WHERE "
          "element.value IN (?1))",
          {integer(7)}});
  expect({numbers.contains_all(std::vector<int>()), "\"numbers\" IS NOT NULL", {}});
  expect({!tags.contains("a"), "NOT (" + has("?1") + ")", {text("a")}});
}

TEST(SqliteDialect, ComparesMembersOfTheSameRow) {
  expect({quantity == quantity, "\"quantity\" = \"quantity\"", {}});
  expect({stock < quantity, "\"stock\" < \"quantity\"", {}});
  expect({!(stock < quantity), "(\"stock\" < \"quantity\") IS NOT TRUE", {}});
  expect({colour != field<&Item::second_colour>, "\"colour\" <> \"second_colour\"", {}});
  expect({note != name, "(\"note\" = \"name\") IS NOT TRUE", {}});
  expect({price > discount, "\"price\" COLLATE belay_decimal > \"discount\" COLLATE belay_decimal", {}});
}

TEST(SqliteDialect, ParenthesisesOnlyWhatNeedsIt) {
  auto const a = quantity == 1, b = quantity == 2, c = quantity == 3;
  std::string const qa = "\"quantity\" = ?1", qb = "\"quantity\" = ?2", qc = "\"quantity\" = ?3";
  std::vector<Scalar> const values{integer(1), integer(2), integer(3)};
  expect({a && b && c, qa + " AND " + qb + " AND " + qc, values});
  expect({a && (b && c), qa + " AND " + qb + " AND " + qc, values});
  expect({a || b || c, qa + " OR " + qb + " OR " + qc, values});
  expect({a && (b || c), qa + " AND (" + qb + " OR " + qc + ")", values});
  expect({(a && b) || c, "(" + qa + " AND " + qb + ") OR " + qc, values});
}

TEST(SqliteDialect, PushesNegationDownToTheLookups) {
  expect({!(quantity == 1 && (stock > 2 || !(name == "a"))),
          "\"quantity\" <> ?1 OR ((\"stock\" > ?2) IS NOT TRUE AND \"name\" = ?3)",
          {integer(1), integer(2), text("a")}});
}

TEST(SqliteDialect, HoldsForEmptyConjunctionsAndFailsForEmptyDisjunctions) {
  std::vector<Condition<Item>> const none;
  expect({all_of(none), "TRUE", {}});
  expect({any_of(none), "FALSE", {}});
  expect({!all_of(none), "FALSE", {}});
  expect({!any_of(none), "TRUE", {}});
  expect({all_of(none) && any_of(none), "FALSE", {}});
  expect({quantity == 1 && all_of(none), "\"quantity\" = ?1", {integer(1)}});
}

TEST(SqliteDialect, WritesClausesInOneOrderWhateverTheOrderOfTheCalls) {
  using Step = std::function<Query<Item>(Query<Item> const&)>;
  std::vector<Step> const steps{
      [](Query<Item> const& query) { return query.where(quantity > 1); },
      [](Query<Item> const& query) { return query.order_by(desc<&Item::name>, asc<&Item::id>); },
      [](Query<Item> const& query) { return query.limit(10); },
      [](Query<Item> const& query) { return query.offset(20); },
  };
  std::vector<std::size_t> order{0, 1, 2, 3};
  int permutations = 0;
  do {
    auto query = from<Item>();
    for (auto const step : order) query = steps[step](query);
    Recorder recorder;
    run(query.all(recorder));
    EXPECT_THAT(recorder.last_text(),
                testing::EndsWith(
                    " FROM \"item\" WHERE \"quantity\" > ?1 ORDER BY \"name\" DESC, \"id\" ASC LIMIT ?2 OFFSET ?3"));
    EXPECT_THAT(recorder.last_values(), ElementsAre(integer(1), integer(10), integer(20)));
    ++permutations;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(permutations, 24);
}

TEST(SqliteDialect, GivesEveryTerminalEveryClause) {
  auto const query = from<Note>().where(field<&Note::text> == "a").order_by(desc<&Note::rank>).limit(3).offset(4);
  Recorder recorder;
  run(query.all(recorder));
  EXPECT_EQ(
      recorder.last_text(),
      "SELECT \"id\", \"text\", \"rank\" FROM \"note\" WHERE \"text\" = ?1 ORDER BY \"rank\" DESC LIMIT ?2 OFFSET ?3");
  run(query.first(recorder));
  EXPECT_EQ(
      recorder.last_text(),
      "SELECT \"id\", \"text\", \"rank\" FROM \"note\" WHERE \"text\" = ?1 ORDER BY \"rank\" DESC LIMIT ?2 OFFSET ?3");
  EXPECT_THAT(recorder.last_values(), ElementsAre(text("a"), integer(1), integer(4)));
  EXPECT_THROW(run(query.one(recorder)), Error);
  EXPECT_THAT(recorder.last_values(), ElementsAre(text("a"), integer(2), integer(4)));
  run(query.count(recorder));
  EXPECT_EQ(recorder.last_text(),
            "SELECT count(*) FROM (SELECT 1 FROM \"note\" WHERE \"text\" = ?1 LIMIT ?2 OFFSET ?3)");
  run(query.exists(recorder));
  EXPECT_EQ(recorder.last_text(), "SELECT EXISTS (SELECT 1 FROM \"note\" WHERE \"text\" = ?1 LIMIT ?2 OFFSET ?3)");
  run(query.update_many(recorder, set<&Note::text>("b"), set<&Note::rank>(std::nullopt)));
  EXPECT_EQ(recorder.last_text(),
            "UPDATE \"note\" SET \"text\" = ?1, \"rank\" = ?2 WHERE \"id\" IN (SELECT \"id\" FROM \"note\" WHERE "
            "\"text\" = ?3 ORDER BY \"rank\" DESC LIMIT ?4 OFFSET ?5)");
  EXPECT_THAT(recorder.last_values(),
              ElementsAre(text("b"), Scalar(std::monostate()), text("a"), integer(3), integer(4)));
  run(query.delete_many(recorder));
  EXPECT_EQ(recorder.last_text(),
            "DELETE FROM \"note\" WHERE \"id\" IN (SELECT \"id\" FROM \"note\" WHERE \"text\" = ?1 ORDER BY \"rank\" "
            "DESC LIMIT ?2 OFFSET ?3)");
}

TEST(SqliteDialect, WritesNoMoreThanIsAsked) {
  Recorder recorder;
  run(from<Note>().all(recorder));
  EXPECT_EQ(recorder.last_text(), "SELECT \"id\", \"text\", \"rank\" FROM \"note\"");
  run(from<Note>().offset(7).all(recorder));
  EXPECT_EQ(recorder.last_text(), "SELECT \"id\", \"text\", \"rank\" FROM \"note\" LIMIT -1 OFFSET ?1");
  run(from<Note>().limit(0).all(recorder));
  EXPECT_EQ(recorder.last_text(), "SELECT \"id\", \"text\", \"rank\" FROM \"note\" LIMIT ?1");
  run(from<Note>().order_by(asc<&Note::rank>).delete_many(recorder));
  EXPECT_EQ(recorder.last_text(), "DELETE FROM \"note\"");
  run(from<Note>().order_by(asc<&Note::rank>).update_many(recorder, set<&Note::rank>(1)));
  EXPECT_EQ(recorder.last_text(), "UPDATE \"note\" SET \"rank\" = ?1");
}

TEST(SqliteDialect, CreatesStrictTablesWithTheirConstraints) {
  Recorder recorder;
  run(create_tables<Item, Note>(recorder));
  ASSERT_EQ(recorder.entries.size(), 6u);
  EXPECT_EQ(recorder.entries[0].text,
            "CREATE TABLE IF NOT EXISTS \"item\" ("
            "\"created_at\" INTEGER NOT NULL, "
            "\"name\" TEXT NOT NULL, "
            "\"id\" ANY NOT NULL PRIMARY KEY, "
            "\"note\" TEXT, "
            "\"quantity\" INTEGER NOT NULL, "
            "\"stock\" INTEGER, "
            "\"weight\" REAL NOT NULL, "
            "\"score\" REAL, "
            "\"pinned\" INTEGER NOT NULL CHECK (\"pinned\" IN (0, 1)), "
            "\"approved\" INTEGER CHECK (\"approved\" IN (0, 1)), "
            "\"status\" TEXT NOT NULL, "
            "\"previous_status\" TEXT, "
            "\"colour\" TEXT NOT NULL, "
            "\"second_colour\" TEXT NOT NULL, "
            "\"closed_at\" INTEGER, "
            "\"effort\" INTEGER NOT NULL, "
            "\"pause\" INTEGER, "
            "\"price\" TEXT COLLATE belay_decimal NOT NULL, "
            "\"discount\" TEXT COLLATE belay_decimal, "
            "\"token\" BLOB NOT NULL, "
            "\"parent\" ANY, "
            "\"tags\" TEXT NOT NULL, "
            "\"numbers\" TEXT, "
            "\"history\" TEXT NOT NULL, "
            "\"address\" TEXT, "
            "\"content\" BLOB NOT NULL) STRICT");
  EXPECT_EQ(recorder.entries[2].text,
            "CREATE INDEX IF NOT EXISTS \"item__status__quantity__index\" ON \"item\" (\"status\", \"quantity\")");
  EXPECT_EQ(recorder.entries[4].text, "CREATE UNIQUE INDEX IF NOT EXISTS \"item__token__key\" ON \"item\" (\"token\")");
}

TEST(SqliteDialect, RefusesByNameWhatSqliteCannotDo) {
  Recorder recorder;
  auto const message_of = [&](Condition<Item> const& condition) {
    try {
      run(from<Item>().where(condition).all(recorder));
    } catch (Error const& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::request);
      EXPECT_EQ(error.send_state(), SendState::never_sent);
      EXPECT_EQ(error.engine_code(), "unsupported");
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message_of(name.match("word")), HasSubstr("sqlite: field name: match (full text search)"));
  EXPECT_THAT(message_of(!note.is_none()), HasSubstr("sqlite: field note: is_none"));
  EXPECT_THAT(message_of(tags.contains(std::string(1, '\0'))), HasSubstr("sqlite: field tags: an element with a NUL"));
  EXPECT_THAT(message_of(tags.contains("\\u0000")), HasSubstr("sqlite: field tags: an element with a NUL"));
  EXPECT_THAT(message_of(quantity.in(std::vector<int>(32767))), HasSubstr("at most 32766 values"));
  EXPECT_TRUE(recorder.entries.empty());
}

TEST(SqliteDialect, AcceptsAsManyValuesAsSqliteDoes) {
  auto const entry = counted(from<Item>().where(quantity.in(std::vector<int>(32766))));
  EXPECT_EQ(entry.values.size(), 32766u);
}

TEST(QuotedName, AcceptsIdentifiersOnly) {
  EXPECT_EQ(quoted_name("_a9"), "\"_a9\"");
  for (std::string_view const bad : {"", "9a", "a\"b", "a b", "a.b", "é", "a;", "a'", "a$", "a?"}) {
    EXPECT_THROW(quoted_name(bad), Error) << bad;
  }
  EXPECT_THROW(quoted_name(std::string_view("a\0", 2)), Error);
  EXPECT_THROW(quoted_name(std::string(64, 'a')), Error);
  EXPECT_EQ(quoted_name(std::string(63, 'a')).size(), 65u);
}

}  // namespace
}  // namespace belay::orm::test
