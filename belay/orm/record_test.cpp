#include "belay/orm/record.hpp"

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/orm/test_coroutine.hpp"
#include "belay/orm/test_database.hpp"
#include "belay/orm/test_models.hpp"
#include "belay/orm/test_recorder.hpp"

namespace belay::orm::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

Error error_of(std::function<void()> const& action) {
  try {
    action();
  } catch (Error const& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorClass::internal, SendState::never_sent, "no error");
}

Note make_note(Id<Note> id, std::string text) {
  Note note;
  note.id = std::move(id);
  note.text = std::move(text);
  return note;
}

struct RecordTest : testing::Test {
  TestDatabase database;
  sqlite::Client& db = database.client();

  void SetUp() override { run(create_tables<Note, Item>(db)); }
};

TEST_F(RecordTest, FindsWhatWasInserted) {
  auto note = make_note(Id<Note>("a"), "text");
  note.rank = 7;
  EXPECT_EQ(run(insert(db, note)), note.id);
  auto const found = run(get<Note>(db, note.id));
  EXPECT_EQ(found.id, note.id);
  EXPECT_EQ(found.text, "text");
  EXPECT_EQ(found.rank, 7);
}

TEST_F(RecordTest, GeneratesAnIdForARowWithoutOne) {
  Note note;
  auto const id = run(insert(db, note));
  EXPECT_EQ(note.id, id);
  EXPECT_THAT(id.to_string(), MatchesRegex("[a-z0-9]{20}"));
  Note const unchanged;
  auto const other = run(insert(db, unchanged));
  EXPECT_TRUE(unchanged.id.empty());
  EXPECT_NE(other, id);
  EXPECT_EQ(run(from<Note>().count(db)), 2);
}

TEST_F(RecordTest, LeavesTheIdEmptyWhenTheInsertFails) {
  database.execute("CREATE TRIGGER never BEFORE INSERT ON note BEGIN SELECT RAISE(ABORT, 'never'); END");
  Note note;
  EXPECT_THROW(run(insert(db, note)), Error);
  EXPECT_TRUE(note.id.empty());
}

TEST_F(RecordTest, RefusesADuplicateIdWithTheEnginesCode) {
  auto note = make_note(Id<Note>("a"), "first");
  run(insert(db, note));
  note.text = "second";
  auto const error = error_of([&] { run(insert(db, note)); });
  EXPECT_EQ(error.error_class(), ErrorClass::request);
  EXPECT_EQ(error.engine_code(), "SQLITE_CONSTRAINT_PRIMARYKEY");
  EXPECT_EQ(run(get<Note>(db, note.id)).text, "first");
}

TEST_F(RecordTest, TellsKindsOfKeysApart) {
  auto const uuid = Uuid(Uuid::Octets{0x35});
  std::vector<Id<Note>> const ids{Id<Note>(5), Id<Note>("5"), Id<Note>(uuid), Id<Note>(0), Id<Note>("")};
  for (auto const& id : ids) {
    auto const note = make_note(id, id.to_string());
    run(insert(db, note));
  }
  for (auto const& id : ids) {
    auto const found = run(get<Note>(db, id));
    EXPECT_EQ(found.id, id);
    EXPECT_EQ(found.text, id.to_string());
  }
  run(remove(db, Id<Note>(0)));
  EXPECT_EQ(run(find<Note>(db, Id<Note>(0))), std::nullopt);
  EXPECT_EQ(run(from<Note>().count(db)), 4);
}

TEST_F(RecordTest, TakesAnyKeyThroughEveryFunctionThatTakesAnId) {
  std::vector<Id<Note>> const ids{
      Id<Note>("'; DROP TABLE note; --"),
      Id<Note>("\"note\""),
      Id<Note>("note:1"),
      Id<Note>("$token"),
      Id<Note>("?1"),
      Id<Note>("`a`"),
      Id<Note>("⟨é⟩ 🙂"),
      Id<Note>(std::string("a\0b", 3)),
      Id<Note>("a"),
      Id<Note>("line\nbreak\\"),
      Id<Note>("0"),
      Id<Note>("9lives"),
      Id<Note>(std::numeric_limits<std::int64_t>::min()),
      Id<Note>(std::numeric_limits<std::int64_t>::max()),
      Id<Note>(Uuid()),
  };
  for (auto const& id : ids) {
    auto const note = make_note(id, "before");
    EXPECT_EQ(run(insert(db, note)), id);
  }
  for (auto const& id : ids) {
    SCOPED_TRACE(id.to_string());
    auto const found = run(get<Note>(db, id));
    EXPECT_EQ(found.id, id);
    auto after = found;
    after.text = "after " + id.to_string();
    EXPECT_TRUE(run(update(db, found, after)));
    auto const one = run(from<Note>().where(field<&Note::id> == id).one(db));
    EXPECT_EQ(one.text, after.text);
    EXPECT_EQ(run(from<Note>().where(field<&Note::id>.in(id)).count(db)), 1);
  }
  EXPECT_EQ(run(from<Note>().count(db)), static_cast<std::int64_t>(ids.size()));
  for (auto const& id : ids) run(remove(db, id));
  EXPECT_FALSE(run(from<Note>().exists(db)));
}

TEST_F(RecordTest, ReportsAMissingRowByName) {
  Id<Note> const id("7f");
  auto const note = make_note(id, "a");
  auto const changed = make_note(id, "b");
  EXPECT_FALSE(run(find<Note>(db, id)));
  for (auto const& error : {error_of([&] { run(get<Note>(db, id)); }), error_of([&] { run(remove(db, id)); }),
                            error_of([&] { run(update(db, note, changed)); })}) {
    EXPECT_STREQ(error.what(), "note:7f does not exist");
    EXPECT_EQ(error.error_class(), ErrorClass::request);
    EXPECT_EQ(error.send_state(), SendState::executed);
    EXPECT_EQ(error.engine_code(), "not_found");
    EXPECT_EQ(error.detail("table"), "note");
    EXPECT_EQ(error.detail("id"), "note:7f");
  }
}

TEST_F(RecordTest, RefusesAnEmptyId) {
  Note const nowhere;
  auto changed = nowhere;
  changed.text = "a";
  for (auto const& error :
       {error_of([&] { run(get<Note>(db, Id<Note>())); }), error_of([&] { run(find<Note>(db, Id<Note>())); }),
        error_of([&] { run(remove(db, Id<Note>())); }), error_of([&] { run(update(db, nowhere, changed)); })}) {
    EXPECT_STREQ(error.what(), "an id of note is needed, but this one is empty");
    EXPECT_EQ(error.send_state(), SendState::never_sent);
  }
  EXPECT_THROW(field<&Note::id> == Id<Note>(), Error);
}

TEST_F(RecordTest, UpdatesChangedMembersOnly) {
  auto before = make_note(Id<Note>("a"), "old");
  run(insert(db, before));
  run(from<Note>().update_many(db, set<&Note::rank>(9)));  // by somebody else meanwhile
  auto after = before;
  after.text = "new";
  EXPECT_TRUE(run(update(db, before, after)));
  auto const found = run(get<Note>(db, before.id));
  EXPECT_EQ(found.text, "new");
  EXPECT_EQ(found.rank, 9) << "a member that did not change was written";
}

TEST(Record, RunsNoStatementWhenNothingChanged) {
  Recorder recorder;
  auto const note = make_note(Id<Note>("a"), "text");
  EXPECT_FALSE(run(update(recorder, note, note)));
  EXPECT_TRUE(recorder.entries.empty());
}

TEST(Record, RendersTheChangedColumnsAndTheIdLast) {
  Recorder recorder;
  auto const before = make_note(Id<Note>("a"), "old");
  auto after = before;
  after.rank = 3;
  run(update(recorder, before, after));
  EXPECT_EQ(recorder.last_text(), "UPDATE \"note\" SET \"rank\" = ?1 WHERE \"id\" = ?2");
  EXPECT_THAT(recorder.last_values(), ElementsAre(Scalar(std::int64_t{3}), Scalar(ScalarKey(std::string("a")))));
  auto const empty_again = before;  // NOLINT(performance-unnecessary-copy-initialization): an object of its own
  run(update(recorder, after, empty_again));
  EXPECT_THAT(recorder.last_values(), ElementsAre(Scalar(std::monostate()), Scalar(ScalarKey(std::string("a")))));
}

TEST(Record, SeesChangesInsideListsAndNestedStructs) {
  Recorder recorder;
  Item before;
  before.id = Id<Item>("a");
  before.tags = {"x", "y"};
  before.address.emplace();
  auto after = before;
  after.tags[1] = "z";
  after.address->number = 4;
  run(update(recorder, before, after));
  EXPECT_EQ(recorder.last_text(), "UPDATE \"item\" SET \"tags\" = ?1, \"address\" = ?2 WHERE \"id\" = ?3");
  EXPECT_EQ(recorder.last_values()[0], Scalar(JsonText{"[\"x\",\"z\"]"}));
}

TEST(Record, SeesTheScaleOfADecimalAsAChange) {
  Recorder recorder;
  Item before;
  before.id = Id<Item>("a");
  before.price = *Decimal::parse("1.5");
  auto after = before;
  after.price = *Decimal::parse("1.50");
  EXPECT_TRUE(run(update(recorder, before, after)));
  EXPECT_EQ(recorder.last_text(), "UPDATE \"item\" SET \"price\" = ?1 WHERE \"id\" = ?2");
}

TEST(Record, RefusesToChangeAnId) {
  Recorder recorder;
  auto const before = make_note(Id<Note>(5), "a");
  auto const after = make_note(Id<Note>("5"), "a");
  auto const error = error_of([&] { run(update(recorder, before, after)); });
  EXPECT_STREQ(error.what(), "a row keeps its id: note:5 cannot become note:'5'");
  EXPECT_TRUE(recorder.entries.empty());
}

TEST(Record, KeepsTheTextOfAStatementWhateverTheValues) {
  Recorder recorder;
  auto const plain = make_note(Id<Note>("a"), "b");
  auto const odd = make_note(Id<Note>("'\"`$?;--\\"), std::string("'); DROP TABLE note; --\0 $1 ?1 :x @y", 36));
  std::vector<std::string> texts;
  for (auto const& note : {plain, odd}) {
    run(insert(recorder, note));
    run(find<Note>(recorder, note.id));
    run(remove(recorder, note.id));
    auto const text = field<&Note::text>;
    auto const condition = text == note.text || text.contains(note.text) || text.like(note.text) ||
                           text.iendswith(note.text) || text.in(note.text) || text.regex(note.text) ||
                           field<&Note::id> == note.id;
    run(from<Note>().where(condition).all(recorder));
    run(from<Note>().where(condition).update_many(recorder, set<&Note::text>(note.text)));
    run(from<Note>().where(condition).delete_many(recorder));
  }
  ASSERT_EQ(recorder.entries.size(), 12u);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(recorder.entries[i].text, recorder.entries[i + 6].text);
  EXPECT_EQ(std::get<std::string>(recorder.entries[6].values[1]), odd.text);
}

TEST_F(RecordTest, StoresTextThatLooksLikeSomethingElseAsItIs) {
  for (std::string const text : {"$token", "note:1", "2024-01-02T03:04:05Z", "1h30m", "NULL", "1", "'", "\\n", "?1"}) {
    Note note;
    note.text = text;
    run(insert(db, note));
    EXPECT_EQ(run(get<Note>(db, note.id)).text, text);
    EXPECT_EQ(run(from<Note>().where(field<&Note::text> == text).one(db)).id, note.id);
  }
}

TEST_F(RecordTest, RefusesWhatCannotBeStoredByName) {
  auto const refused = [&](std::function<void(Item&)> const& spoil) {
    Item item;
    item.id = Id<Item>("x");
    spoil(item);
    auto const error = error_of([&] { run(insert(db, item)); });
    EXPECT_EQ(error.error_class(), ErrorClass::request);
    EXPECT_EQ(error.send_state(), SendState::never_sent);
    EXPECT_EQ(error.engine_code(), "bad_value");
    return std::string(error.what());
  };
  EXPECT_THAT(refused([](Item& item) { item.weight = std::numeric_limits<double>::quiet_NaN(); }),
              HasSubstr("item:x field weight: NaN cannot be stored"));
  EXPECT_THAT(refused([](Item& item) { item.created_at = Datetime::from_unix(1'000'000'000'000, 0); }),
              HasSubstr("item:x field created_at: the datetime"));
  EXPECT_THAT(refused([](Item& item) { item.effort = Duration(std::numeric_limits<std::int64_t>::max(), 0); }),
              HasSubstr("item:x field effort: the duration"));
  EXPECT_THAT(refused([](Item& item) { item.status = static_cast<Status>(99); }), HasSubstr("field status: the value"));
  EXPECT_THAT(refused([](Item& item) { item.parent = Id<Item>(); }), HasSubstr("field parent: the id is empty"));
  EXPECT_EQ(run(from<Item>().count(db)), 0);
}

TEST_F(RecordTest, WorksInATransactionAndIsUndoneWithIt) {
  auto const failing = [](sqlite::Transaction& transaction) -> boost::asio::awaitable<void> {
    auto const note = make_note(Id<Note>("a"), "text");
    co_await insert(transaction, note);
    auto const seen = co_await from<Note>().count(transaction);
    EXPECT_EQ(seen, 1);
    throw std::runtime_error("undo");
  };
  EXPECT_THROW(run(db.transaction(failing)), std::runtime_error);
  EXPECT_EQ(run(from<Note>().count(db)), 0);

  auto const creating = [](sqlite::Transaction& transaction) -> boost::asio::awaitable<Note> {
    Note note;
    co_await insert(transaction, note);
    co_return co_await get<Note>(transaction, note.id, Deadline::in(std::chrono::seconds(10)));
  };
  auto const stored = run(db.transaction(creating));
  EXPECT_EQ(run(get<Note>(db, stored.id)).id, stored.id);
}

TEST_F(RecordTest, HonoursTheDeadline) {
  auto const error = error_of([&] { run(get<Note>(db, Id<Note>("a"), Deadline::in(std::chrono::seconds(-1)))); });
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
}

}  // namespace
}  // namespace belay::orm::test
