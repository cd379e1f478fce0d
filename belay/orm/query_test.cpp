#include "belay/orm/query.hpp"

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/value.hpp"
#include "belay/orm/orm.hpp"
#include "belay/orm/test_coroutine.hpp"
#include "belay/orm/test_database.hpp"
#include "belay/orm/test_models.hpp"
#include "belay/orm/test_recorder.hpp"

namespace belay::orm::test {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Query, LeavesTheOneItWasMadeFromAsItWas) {
  Recorder recorder;
  auto const base = from<Note>().where(field<&Note::text> == "a");
  run(base.all(recorder));
  auto const before = recorder.last_text();
  (void)base.limit(1).offset(2).order_by(asc<&Note::id>).where(field<&Note::rank> > 1);
  run(base.first(recorder));
  run(base.all(recorder));
  EXPECT_EQ(recorder.last_text(), before);
}

TEST(Query, TakesTheLastLimitAndOffset) {
  Recorder recorder;
  run(from<Note>().limit(5).offset(6).limit(7).offset(8).all(recorder));
  EXPECT_EQ(recorder.last_values(), (std::vector<Scalar>{std::int64_t{7}, std::int64_t{8}}));
}

TEST(Query, RefusesNegativeLimitsAndOffsets) {
  EXPECT_THROW((void)from<Note>().limit(-1), Error);
  EXPECT_THROW((void)from<Note>().offset(-1), Error);
}

TEST(Query, TakesTheLargestLimit) {
  TestDatabase database;
  run(create_tables<Note>(database.client()));
  auto const query = from<Note>().limit(SIZE_MAX).offset(SIZE_MAX);
  EXPECT_TRUE(run(query.all(database.client())).empty());
}

TEST(Query, RefusesToSetAMemberTwice) {
  Recorder recorder;
  try {
    run(from<Note>().update_many(recorder, set<&Note::rank>(1), set<&Note::text>("a"), set<&Note::rank>(2)));
    FAIL() << "accepted";
  } catch (Error const& error) {
    EXPECT_STREQ(error.what(), "update_many on note sets field rank twice");
  }
  EXPECT_TRUE(recorder.entries.empty());
}

TEST(Query, RefusesToSetAnIntegerThatDoesNotFit) {
  EXPECT_THROW(set<&Note::rank>(std::int64_t{1} << 40), Error);
  EXPECT_NO_THROW(set<&Note::rank>(std::int64_t{1} << 20));
}

TEST(Query, RefusesConditionsNestedTooDeep) {
  auto const lookup = field<&Note::rank> == 1;
  auto nested = lookup;
  for (std::size_t depth = 1; depth < condition_depth_max; ++depth) {
    nested = depth % 2 == 0 ? lookup && nested : lookup || nested;
  }
  EXPECT_THROW(lookup && nested && !(lookup && nested), Error);
  TestDatabase database;
  run(create_tables<Note>(database.client()));
  EXPECT_EQ(run(from<Note>().where(nested).count(database.client())), 0) << "what is accepted must run";
}

TEST(Query, RunsLongConjunctionsAndDisjunctions) {
  TestDatabase database;
  auto& db = database.client();
  run(create_tables<Note>(db));
  Note note;
  note.rank = 3;
  run(insert(db, note));
  std::vector<Condition<Note>> many;
  for (int i = 0; i < 5000; ++i) many.push_back(field<&Note::rank> == i);
  EXPECT_EQ(run(from<Note>().where(any_of(many)).count(db)), 1);
  EXPECT_EQ(run(from<Note>().where(all_of(many)).count(db)), 0);
  EXPECT_EQ(run(from<Note>().where(!any_of(many)).count(db)), 0);
}

TEST(Query, ReportsNoneAndSeveralApart) {
  TestDatabase database;
  auto& db = database.client();
  run(create_tables<Note>(db));
  auto const code = [&](Query<Note> const& query) {
    try {
      (void)run(query.one(db));
      return std::string("one");
    } catch (Error const& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::request);
      EXPECT_EQ(error.send_state(), SendState::executed);
      return error.engine_code();
    }
  };
  EXPECT_EQ(code(from<Note>()), "not_found");
  Note first, second;
  run(insert(db, first));
  EXPECT_EQ(code(from<Note>()), "one");
  run(insert(db, second));
  EXPECT_EQ(code(from<Note>()), "multiple_found");
  EXPECT_EQ(code(from<Note>().limit(1)), "one");
}

TEST(Query, ReportsABadPatternAsTheCallersFault) {
  TestDatabase database;
  auto& db = database.client();
  run(create_tables<Note>(db));
  Note note;
  run(insert(db, note));
  try {
    (void)run(from<Note>().where(field<&Note::text>.regex("(")).all(db));
    FAIL() << "accepted";
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::request);
  }
}

// ---- indexes
// ---------------------------------------------------------------------------------------------------------

struct PlanTest : testing::Test {
  TestDatabase database;
  sqlite::Client& db = database.client();
  void SetUp() override { run(create_tables<Item>(db)); }

  std::string plan_of(Query<Item> const& query) {
    Recorder recorder;
    run(query.all(recorder));
    auto const rows = run(db.query(sqlite::Statement("EXPLAIN QUERY PLAN " + recorder.last_text(),
                                                     std::vector<sqlite::Param>(recorder.last_values().size(), 1))));
    std::string plan;
    for (std::size_t i = 0; i < rows.size(); ++i) plan += rows.row(i)[3].as_string() + "\n";
    return plan;
  }
};

TEST_F(PlanTest, UsesAnIndexForEquality) {
  EXPECT_THAT(plan_of(from<Item>().where(field<&Item::quantity> == 5)),
              HasSubstr("USING INDEX item__quantity__index (quantity=?)"));
  EXPECT_THAT(plan_of(from<Item>().where(field<&Item::id> == Id<Item>("a"))), HasSubstr("(id=?)"));
  EXPECT_THAT(plan_of(from<Item>().where(field<&Item::status> == Status::closed)),
              HasSubstr("USING INDEX item__status__quantity__index (status=?)"));
}

TEST_F(PlanTest, UsesAnIndexForRangesAndPrefixes) {
  EXPECT_THAT(plan_of(from<Item>().where(field<&Item::quantity>.between(1, 2))),
              HasSubstr("(quantity>? AND quantity<?)"));
  EXPECT_THAT(plan_of(from<Item>().where(field<&Item::name>.startswith("a"))), HasSubstr("(name>? AND name<?)"));
}

TEST_F(PlanTest, UsesAnIndexForTheOrder) {
  auto const sorted = plan_of(from<Item>().order_by(desc<&Item::quantity>));
  EXPECT_THAT(sorted, HasSubstr("USING INDEX item__quantity__index"));
  EXPECT_THAT(sorted, Not(HasSubstr("TEMP B-TREE")));
  auto const both =
      plan_of(from<Item>().where(field<&Item::status> == Status::open).order_by(asc<&Item::quantity>).limit(10));
  EXPECT_THAT(both, HasSubstr("USING INDEX item__status__quantity__index (status=?)"));
  EXPECT_THAT(both, Not(HasSubstr("TEMP B-TREE")));
}

// ---- many at once
// ----------------------------------------------------------------------------------------------------

boost::asio::awaitable<int> write_and_read(sqlite::Client db, int number) {
  int rounds = 0;
  for (; rounds < 25; ++rounds) {
    Note note;
    note.text = "writer " + std::to_string(number) + ".";
    note.rank = rounds;
    co_await insert(db, note);
    auto const stored = co_await get<Note>(db, note.id);
    EXPECT_EQ(stored.text, note.text);
    auto after = stored;
    after.text += " changed";
    co_await update(db, stored, after);
    auto const mine = from<Note>().where(field<&Note::text>.startswith(note.text) && field<&Note::rank> == rounds);
    auto const found = co_await mine.one(db);
    EXPECT_EQ(found.text, after.text);
  }
  co_return rounds;
}

TEST(Query, ServesManyCoroutinesOnSeveralThreads) {
  TestDatabase database;
  run(create_tables<Note>(database.client()));
  boost::asio::thread_pool threads(4);
  std::vector<std::future<int>> results;
  for (int i = 0; i < 16; ++i) {
    auto work = write_and_read(database.client(), i);
    results.push_back(boost::asio::co_spawn(threads, std::move(work), boost::asio::use_future));
  }
  for (auto& result : results) EXPECT_EQ(result.get(), 25);
  threads.join();
  EXPECT_EQ(run(from<Note>().count(database.client())), 16 * 25);
}

}  // namespace
}  // namespace belay::orm::test
