#include "belay/orm/schema.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/orm/orm.hpp"
#include "belay/orm/test_coroutine.hpp"
#include "belay/orm/test_database.hpp"
#include "belay/orm/test_models.hpp"

namespace belay::orm::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

struct SchemaTest : testing::Test {
  TestDatabase database;
  sqlite::Client& db = database.client();

  std::string problem_with(std::string const& create_note) {
    database.execute(create_note);
    try {
      run(verify_table<Note>(db));
    } catch (Error const& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::request);
      EXPECT_EQ(error.send_state(), SendState::executed);
      EXPECT_EQ(error.engine_code(), "schema_mismatch");
      EXPECT_EQ(error.detail("table"), "note");
      return error.what();
    }
    return {};
  }
};

TEST_F(SchemaTest, AcceptsWhatItCreates) {
  run(create_tables<Item, Note>(db));
  EXPECT_NO_THROW(run(verify_table<Item>(db)));
  EXPECT_NO_THROW(run(verify_table<Note>(db)));
}

TEST_F(SchemaTest, CreatesTwiceWithoutHarm) {
  run(create_tables<Note>(db));
  Note note;
  run(insert(db, note));
  run(create_tables<Item, Note>(db));
  EXPECT_EQ(run(find<Note>(db, note.id))->id, note.id);
}

TEST_F(SchemaTest, CreatesInsideATransaction) {
  auto const creating = [](sqlite::Transaction& transaction) -> boost::asio::awaitable<void> {
    co_await create_tables<Item, Note>(transaction);
    co_await verify_table<Item>(transaction, Deadline::in(std::chrono::seconds(10)));
  };
  run(db.transaction(creating));
  EXPECT_NO_THROW(run(verify_table<Note>(db)));
}

TEST_F(SchemaTest, ReportsAMissingTable) {
  try {
    run(verify_table<Note>(db));
    FAIL() << "accepted";
  } catch (Error const& error) {
    EXPECT_STREQ(error.what(),
                 "table note does not fit its model: it does not exist: call create_tables, or run the migrations");
  }
}

TEST_F(SchemaTest, ReportsAMissingColumnAndHowToAddIt) {
  EXPECT_THAT(problem_with("CREATE TABLE note (id ANY NOT NULL PRIMARY KEY, text TEXT NOT NULL) STRICT"),
              HasSubstr("column rank is missing: run ALTER TABLE \"note\" ADD COLUMN \"rank\" INTEGER"));
}

TEST_F(SchemaTest, ReportsATypeThatDiffers) {
  EXPECT_THAT(problem_with("CREATE TABLE note (id ANY NOT NULL PRIMARY KEY, text BLOB NOT NULL, rank INTEGER) STRICT"),
              HasSubstr("column text has type 'BLOB' but a member of kind text needs TEXT"));
}

TEST_F(SchemaTest, ReportsNullabilityThatDiffers) {
  EXPECT_THAT(problem_with("CREATE TABLE note (id ANY NOT NULL PRIMARY KEY, text TEXT, rank INTEGER NOT NULL) STRICT"),
              AllOf(HasSubstr("column text may be NULL but its member cannot be empty"),
                    HasSubstr("column rank is NOT NULL but its member is std::optional")));
}

TEST_F(SchemaTest, ReportsAnotherPrimaryKey) {
  EXPECT_THAT(
      problem_with("CREATE TABLE note (id ANY NOT NULL, text TEXT NOT NULL PRIMARY KEY, rank INTEGER) STRICT"),
      AllOf(HasSubstr("column id is not the primary key"), HasSubstr("column text is part of the primary key")));
}

TEST_F(SchemaTest, ReportsAFurtherColumnThatBlocksInserts) {
  EXPECT_THAT(problem_with("CREATE TABLE note (id ANY NOT NULL PRIMARY KEY, text TEXT NOT NULL, rank INTEGER, "
                           "author TEXT NOT NULL) STRICT"),
              HasSubstr("column author is no member but is NOT NULL without a default"));
}

TEST_F(SchemaTest, AcceptsFurtherColumnsThatDoNotHinder) {
  EXPECT_EQ(problem_with("CREATE TABLE note (id ANY NOT NULL PRIMARY KEY, text TEXT NOT NULL, rank INTEGER, "
                         "author TEXT, version INTEGER NOT NULL DEFAULT 1, "
                         "size INTEGER NOT NULL GENERATED ALWAYS AS (length(text))) STRICT"),
            "");
  Note note;
  run(insert(db, note));
  database.execute("UPDATE note SET author = 'ann', version = 7");
  auto after = note;
  after.text = "new";
  run(update(db, note, after));
  auto const kept = run(db.query(sqlite::Statement("SELECT 1 FROM note WHERE author = 'ann' AND version = 7")));
  EXPECT_EQ(kept.size(), 1u) << "an update must not touch columns the model does not know";
}

TEST_F(SchemaTest, EnforcesUniqueIndexesAndNamesTheColumn) {
  run(create_tables<Item>(db));
  Item item;
  run(insert(db, item));
  Item twin;
  try {
    run(insert(db, twin));
    FAIL() << "two rows with one token";
  } catch (Error const& error) {
    EXPECT_EQ(error.engine_code(), "SQLITE_CONSTRAINT_UNIQUE");
    EXPECT_EQ(error.detail("column"), "item.token");
  }
}

TEST_F(SchemaTest, KeepsWrongTypesOut) {
  run(create_tables<Item>(db));
  Item item;
  run(insert(db, item));
  EXPECT_THROW(database.execute("UPDATE item SET quantity = 'x'"), Error);
  EXPECT_THROW(database.execute("UPDATE item SET pinned = 2"), Error);
  EXPECT_THROW(database.execute("UPDATE item SET name = NULL"), Error);
}

TEST_F(SchemaTest, FailsAQueryOnAColumnThatIsNotThere) {
  database.execute("CREATE TABLE note (id ANY NOT NULL PRIMARY KEY, text TEXT NOT NULL) STRICT");
  // SQLite can take a quoted name it does not know for a text: that would be an answer, and a wrong one.
  EXPECT_THROW(run(from<Note>().where(field<&Note::rank>.is_null()).count(db)), Error);
}

}  // namespace
}  // namespace belay::orm::test
