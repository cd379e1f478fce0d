#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/orm/orm.hpp"
#include "belay/orm/test_coroutine.hpp"
#include "belay/orm/test_database.hpp"
#include "belay/orm/test_models.hpp"

namespace belay::orm::test {

/// A type of an application's own with a text form.
struct Postcode {
  int number = 0;
  friend bool operator==(Postcode const&, Postcode const&) = default;
};

struct Extremes {
  Id<Extremes> id;
  std::int8_t tiny = 0;
  std::uint8_t byte = 0;
  std::int16_t small = 0;
  std::uint16_t port = 0;
  std::int32_t medium = 0;
  std::uint32_t address = 0;
  std::int64_t large = 0;
  std::uint64_t natural = 0;
  float single = 0;
  double real = 0;
  std::optional<std::int8_t> maybe_tiny;
  std::optional<float> maybe_single;
  std::string text;
  Bytes bytes;
  Postcode postcode;
  std::map<std::string, int> counts;
  std::vector<Address> addresses;
  std::vector<Datetime> dates;
  std::vector<Decimal> amounts;
  std::vector<Uuid> tokens;
  std::vector<Id<Extremes>> others;
  friend bool operator==(Extremes const&, Extremes const&) = default;
};
BOOST_DESCRIBE_STRUCT(Extremes, (),
                      (id, tiny, byte, small, port, medium, address, large, natural, single, real, maybe_tiny,
                       maybe_single, text, bytes, postcode, counts, addresses, dates, amounts, tokens, others))

}  // namespace belay::orm::test

template <>
struct belay::TextForm<belay::orm::test::Postcode> {
  static constexpr std::string_view what = "a postcode such as P-75001";
  static std::string to_text(belay::orm::test::Postcode const& value) { return "P-" + std::to_string(value.number); }
  static std::optional<belay::orm::test::Postcode> from_text(std::string_view text) {
    if (text.substr(0, 2) != "P-") return std::nullopt;
    return belay::orm::test::Postcode{std::stoi(std::string(text.substr(2)))};
  }
};

template <>
struct belay::orm::Table<belay::orm::test::Extremes> {
  static constexpr auto name = "extremes";
};

namespace belay::orm::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct StorageTest : testing::Test {
  TestDatabase database;
  sqlite::Client& db = database.client();
  void SetUp() override { run(create_tables<Extremes, Item, Note>(db)); }

  template <class T>
  T stored(T const& object) {
    auto const id = run(insert(db, object));
    return run(get<T>(db, id));
  }
  Item stored_with(std::function<void(Item&)> const& change) {
    Item item;
    item.token = Uuid(Uuid::Octets{++tokens_});
    change(item);
    return stored(item);
  }

 private:
  std::uint8_t tokens_ = 0;
};

template <class V>
constexpr V lowest = std::numeric_limits<V>::lowest();
template <class V>
constexpr V largest = std::numeric_limits<V>::max();

TEST_F(StorageTest, KeepsTheLargestAndLeastOfEveryNumber) {
  Extremes least;
  least.id = Id<Extremes>(1);
  least.tiny = lowest<std::int8_t>;
  least.small = lowest<std::int16_t>;
  least.medium = lowest<std::int32_t>;
  least.large = lowest<std::int64_t>;
  least.single = lowest<float>;
  least.real = lowest<double>;
  least.maybe_tiny = lowest<std::int8_t>;
  EXPECT_EQ(stored(least), least);

  Extremes most;
  most.id = Id<Extremes>(2);
  most.tiny = largest<std::int8_t>;
  most.byte = largest<std::uint8_t>;
  most.small = largest<std::int16_t>;
  most.port = largest<std::uint16_t>;
  most.medium = largest<std::int32_t>;
  most.address = largest<std::uint32_t>;
  most.large = largest<std::int64_t>;
  most.natural = static_cast<std::uint64_t>(largest<std::int64_t>);
  most.single = largest<float>;
  most.real = largest<double>;
  EXPECT_EQ(stored(most), most);

  Extremes small;
  small.id = Id<Extremes>(3);
  small.single = std::numeric_limits<float>::denorm_min();
  small.real = std::numeric_limits<double>::denorm_min();
  small.maybe_single = std::numeric_limits<float>::infinity();
  EXPECT_EQ(stored(small), small);
  small.id = Id<Extremes>(4);
  small.real = -std::numeric_limits<double>::infinity();
  small.single = 0.1f;
  EXPECT_EQ(stored(small), small);
}

TEST_F(StorageTest, RefusesUnsignedIntegersBeyondInt64ByName) {
  Extremes object;
  object.id = Id<Extremes>("x");
  object.natural = static_cast<std::uint64_t>(largest<std::int64_t>) + 1;
  try {
    run(insert(db, object));
    FAIL() << "stored";
  } catch (Error const& error) {
    EXPECT_STREQ(error.what(),
                 "extremes:x field natural: integer 9223372036854775808 is beyond 9223372036854775807, "
                 "the largest that is stored");
  }
  EXPECT_THROW(field<&Extremes::natural> == largest<std::uint64_t>, Error);
}

TEST_F(StorageTest, KeepsTextAndBytesWhateverTheyHold) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  Extremes object;
  object.id = Id<Extremes>(1);
  object.text = every_byte;
  for (char const c : every_byte) object.bytes.push_back(static_cast<std::byte>(c));
  EXPECT_EQ(stored(object), object);
  object.id = Id<Extremes>(2);
  object.text = std::string(1 << 20, 'x');
  object.bytes.clear();
  EXPECT_EQ(stored(object), object);
}

TEST_F(StorageTest, KeepsWhatIsStoredAsJson) {
  Extremes object;
  object.id = Id<Extremes>(1);
  object.postcode.number = 75001;
  object.counts = {{"a", 1}, {"é\"\\\n", -2}};
  object.addresses = {{"rue \"A\"", 3, std::nullopt}, {"", 0, "Paris"}};
  object.dates = {Datetime::from_unix(-1, 1), Datetime::from_unix(1'000'000'000, 999'999'999)};
  EXPECT_EQ(stored(object), object);
}

TEST_F(StorageTest, KeepsDatesToTheNanosecondOverTheWholeRange) {
  for (auto const nanoseconds : {lowest<std::int64_t>, std::int64_t{-1}, std::int64_t{0}, largest<std::int64_t>}) {
    auto const at = Datetime::from_unix_nanoseconds(nanoseconds);
    auto const item = stored_with([&](Item& fresh) {
      fresh.created_at = at;
      fresh.closed_at = at;
    });
    EXPECT_EQ(item.created_at, at);
    EXPECT_EQ(item.closed_at, at);
  }
  auto const last = Datetime::from_unix_nanoseconds(largest<std::int64_t>);
  auto const later = Datetime::from_unix(last.seconds(), last.nanoseconds() + 1);
  EXPECT_THROW(stored_with([&](Item& fresh) { fresh.created_at = later; }), Error);
  auto const query = from<Item>().where(field<&Item::created_at, Item> == later);
  EXPECT_THROW(run(query.all(db)), Error) << "an operand is held to the same range";
}

TEST_F(StorageTest, KeepsDurationsToTheNanosecond) {
  auto const longest = Duration::from(std::chrono::nanoseconds::max());
  EXPECT_EQ(stored_with([&](Item& fresh) { fresh.effort = longest; }).effort, longest);
  EXPECT_EQ(stored_with([&](Item& fresh) { fresh.pause = Duration(0, 1); }).pause, Duration(0, 1));
  EXPECT_THROW(stored_with([&](Item& fresh) { fresh.effort = Duration(longest.seconds() + 1, 0); }), Error);
}

TEST_F(StorageTest, KeepsDecimalsDigitByDigit) {
  for (char const* text : {"0", "1.50", "-0.001", "123456789012345678901234567890.123456789", "NaN", "-Infinity"}) {
    auto const item = stored_with([&](Item& fresh) { fresh.price = *Decimal::parse(text); });
    EXPECT_EQ(item.price.to_string(), text);
  }
}

TEST_F(StorageTest, KeepsEmptyApartFromEveryEmptyLookingValue) {
  auto const empty = stored_with([](Item&) {});
  EXPECT_FALSE(empty.note || empty.stock || empty.score || empty.approved || empty.previous_status || empty.closed_at ||
               empty.pause || empty.discount || empty.parent || empty.numbers || empty.address);
  auto const zero = stored_with([](Item& fresh) {
    fresh.note = "";
    fresh.stock = 0;
    fresh.score = 0;
    fresh.approved = false;
    fresh.previous_status = Status::open;
    fresh.closed_at = Datetime();
    fresh.pause = Duration();
    fresh.discount = Decimal();
    fresh.parent = Id<Item>("");
    fresh.numbers.emplace();
    fresh.address.emplace();
  });
  EXPECT_TRUE(zero.note && zero.stock && zero.score && zero.approved && zero.previous_status && zero.closed_at &&
              zero.pause && zero.discount && zero.parent && zero.numbers && zero.address);
  EXPECT_EQ(zero.parent, Id<Item>(""));
}

TEST_F(StorageTest, KeepsReferencesOfEveryKindOfKey) {
  for (auto const& id : {Id<Item>(5), Id<Item>("5"), Id<Item>(Uuid(Uuid::Octets{5}))}) {
    EXPECT_EQ(stored_with([&](Item& fresh) { fresh.parent = id; }).parent, id);
    EXPECT_EQ(run(from<Item>().where(field<&Item::parent> == id).count(db)), 1);
  }
}

TEST_F(StorageTest, ReadsEnumeratorsByTheirAliases) {
  auto const item = stored_with([](Item&) {});
  database.execute("UPDATE item SET status = 'done', history = '[\"finished\",\"open\"]'");
  auto const read = run(get<Item>(db, item.id));
  EXPECT_EQ(read.status, Status::closed);
  EXPECT_EQ(read.history, (std::vector{Status::closed, Status::open}));
  EXPECT_EQ(run(from<Item>().where(field<&Item::status> == Status::closed).count(db)), 1);
  EXPECT_EQ(run(from<Item>().where(field<&Item::history>.contains(Status::closed)).count(db)), 1);
  EXPECT_EQ(run(from<Item>().where(field<&Item::status> != Status::closed).count(db)), 0);
}

TEST_F(StorageTest, FindsElementsThatJsonHoldsAsText) {
  auto const uuid = Uuid(Uuid::Octets{1, 2, 3});
  auto const at = Datetime::from_unix(5, 600'000'000);
  Extremes object;
  object.id = Id<Extremes>(1);
  object.amounts = {*Decimal::parse("1.00"), *Decimal::parse("10")};
  object.tokens = {Uuid(), uuid};
  object.dates = {at};
  object.others = {Id<Extremes>("a")};
  run(insert(db, object));
  auto const count = [&](Condition<Extremes> const& condition) {
    return run(from<Extremes>().where(condition).count(db));
  };
  EXPECT_EQ(count(field<&Extremes::amounts>.contains(1)), 1) << "decimals are equal by value";
  EXPECT_EQ(count(field<&Extremes::amounts>.contains(*Decimal::parse("10.0"))), 1);
  EXPECT_EQ(count(field<&Extremes::amounts>.contains(100)), 0);
  EXPECT_EQ(count(field<&Extremes::tokens>.contains(uuid)), 1);
  EXPECT_EQ(count(field<&Extremes::tokens>.contains(Uuid(Uuid::Octets{9}))), 0);
  EXPECT_EQ(count(field<&Extremes::dates>.contains(at)), 1);
  EXPECT_EQ(count(field<&Extremes::others>.contains(Id<Extremes>("a"))), 1);
  EXPECT_EQ(count(field<&Extremes::others>.contains(Id<Extremes>("b"))), 0);
}

TEST_F(StorageTest, RefusesNanAsAnOperandToo) {
  auto const query = from<Item>().where(field<&Item::weight> == std::numeric_limits<double>::quiet_NaN());
  try {
    (void)run(query.all(db));
    FAIL() << "accepted";
  } catch (Error const& error) {
    EXPECT_THAT(error.what(), StartsWith("field weight: NaN cannot be stored"));
    EXPECT_EQ(error.send_state(), SendState::never_sent);
  }
}

TEST_F(StorageTest, DoesNotTakeTheBeginningOfAnElementForTheElement) {
  stored_with([](Item& fresh) { fresh.tags = {std::string("a\0b", 3)}; });
  EXPECT_EQ(run(from<Item>().where(field<&Item::tags>.contains("a")).count(db)), 0);
}

TEST_F(StorageTest, FindsNothingInMalformedJsonAndFailsNoOtherRow) {
  auto const item = stored_with([](Item& fresh) { fresh.tags = {"a"}; });
  auto const broken = stored_with([](Item& fresh) { fresh.tags = {"a"}; });
  run(from<Item>().where(field<&Item::id> == broken.id).count(db));
  auto const id = broken.id.to_string();
  run(db.write(sqlite::Statement("UPDATE item SET tags = '[\"a\"' WHERE id = ?1", id)));
  auto const found = run(from<Item>().where(field<&Item::tags>.contains("a")).all(db));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].id, item.id);
}

// ---- rows that others wrote wrongly
// ----------------------------------------------------------------------------------

struct BadRowTest : testing::Test {
  TestDatabase database;
  sqlite::Client& db = database.client();

  void SetUp() override {
    run(create_tables<Item>(db));
    Item item;
    item.id = Id<Item>("7f");
    run(insert(db, item));
    // Without types, as a table made by others may be.
    database.execute("CREATE TABLE loose AS SELECT * FROM item");
    database.execute("DROP TABLE item");
    database.execute("ALTER TABLE loose RENAME TO item");
  }

  std::string message_after(std::string const& column, std::string const& sql_value) {
    database.execute("UPDATE item SET \"" + column + "\" = " + sql_value);
    try {
      (void)run(from<Item>().all(db));
    } catch (Error const& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::internal);
      EXPECT_EQ(error.send_state(), SendState::executed);
      EXPECT_EQ(error.engine_code(), "bad_row");
      EXPECT_EQ(error.detail("table"), "item");
      EXPECT_EQ(error.detail("id"), "item:7f");
      EXPECT_EQ(error.detail("field"), column);
      std::string const message = error.what();
      std::string const begin = "item:7f field " + column + ": ";
      EXPECT_THAT(message, StartsWith(begin));
      EXPECT_EQ(error.detail("found"), message.substr(begin.size()));
      return message.substr(begin.size());
    }
    ADD_FAILURE() << "the row was accepted";
    return {};
  }
};

TEST_F(BadRowTest, NamesTheEnumeratorsWhenATextIsNone) {
  EXPECT_EQ(message_after("status", "'foo'"), "text 'foo' is not one of open, in_work, closed");
}

TEST_F(BadRowTest, ShortensAndCleansTheTextItShows) {
  EXPECT_EQ(message_after("status", "char(10) || replace(hex(zeroblob(30)), '00', 'é')"),
            "text '?ééééééééééééééééééé…' is not one of open, in_work, closed");
}

TEST_F(BadRowTest, RefusesNullWhereTheMemberCannotBeEmpty) {
  EXPECT_EQ(message_after("name", "NULL"), "null was found where text is expected");
}
TEST_F(BadRowTest, RefusesAnIntegerThatDoesNotFit) {
  EXPECT_EQ(message_after("quantity", "2147483648"),
            "integer 2147483648 does not fit the member (-2147483648 to 2147483647)");
}
TEST_F(BadRowTest, RefusesTextForAnInteger) {
  EXPECT_EQ(message_after("quantity", "'five'"), "text was found where an integer is expected");
}
TEST_F(BadRowTest, RefusesTextForAReal) {
  EXPECT_EQ(message_after("weight", "'x'"), "text was found where a real number is expected");
}
TEST_F(BadRowTest, RefusesOtherIntegersForABoolean) {
  EXPECT_EQ(message_after("pinned", "2"), "integer 2 is no boolean (0 or 1)");
}
TEST_F(BadRowTest, RefusesANegativeDuration) {
  EXPECT_EQ(message_after("effort", "-1"), "integer -1 is negative, durations are not");
}
TEST_F(BadRowTest, RefusesAUuidOfOtherLength) {
  EXPECT_EQ(message_after("token", "x'0102'"), "a blob of 2 bytes is no UUID, which has 16");
}
TEST_F(BadRowTest, RefusesTextThatIsNoDecimal) {
  EXPECT_EQ(message_after("price", "'1,5'"), "text '1,5' is no decimal number");
}
TEST_F(BadRowTest, RefusesARealKey) {
  EXPECT_THAT(message_after("parent", "1.5"), HasSubstr("real was found where a record key"));
}
TEST_F(BadRowTest, TellsWhereInTheJsonItIs) {
  EXPECT_THAT(message_after("address", "'{\"street\":1,\"number\":2}'"), StartsWith("in its JSON, street "));
}
TEST_F(BadRowTest, RefusesUnknownMembersInJsonThatAnUpdateWouldLose) {
  EXPECT_THAT(message_after("address", "'{\"street\":\"a\",\"number\":2,\"floor\":3}'"), HasSubstr("floor"));
}
TEST_F(BadRowTest, StillNamesTheTableWhenTheIdIsBad) {
  database.execute("UPDATE item SET id = 1.5");
  try {
    (void)run(from<Item>().all(db));
    FAIL() << "the row was accepted";
  } catch (Error const& error) {
    EXPECT_THAT(error.what(), StartsWith("item:? field id: real was found"));
  }
}

TEST_F(StorageTest, RefusesARealBeyondAFloat) {
  Extremes object;
  object.id = Id<Extremes>(1);
  run(insert(db, object));
  database.execute("UPDATE extremes SET single = 1e39");
  try {
    (void)run(get<Extremes>(db, object.id));
    FAIL() << "the row was accepted";
  } catch (Error const& error) {
    EXPECT_STREQ(error.what(), "extremes:1 field single: real 9.9999999999999994e+38 does not fit a float");
  }
}

TEST_F(StorageTest, RefusesTextThatIsNotOfItsForm) {
  Extremes object;
  object.id = Id<Extremes>(1);
  run(insert(db, object));
  database.execute("UPDATE extremes SET postcode = '75001'");
  try {
    (void)run(get<Extremes>(db, object.id));
    FAIL() << "the row was accepted";
  } catch (Error const& error) {
    EXPECT_STREQ(error.what(), "extremes:1 field postcode: the text is not a postcode such as P-75001");
  }
}

}  // namespace
}  // namespace belay::orm::test
