#include "belay/sqlite/classify.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace belay::sqlite {
namespace {

using enum ErrorClass;
using enum SendState;

struct Expectation {
  int code;
  char const* name;
  Verdict opening, beginning, running, committing;
};

class ClassifyTable : public testing::TestWithParam<Expectation> {};

TEST_P(ClassifyTable, JudgesTheCodeInEachPhase) {
  auto const& row = GetParam();
  EXPECT_EQ(code_name(row.code), row.name);
  EXPECT_EQ(classify(row.code, Phase::opening), row.opening);
  EXPECT_EQ(classify(row.code, Phase::beginning), row.beginning);
  EXPECT_EQ(classify(row.code, Phase::running), row.running);
  EXPECT_EQ(classify(row.code, Phase::committing), row.committing);
}

/// The same verdict whatever the phase, except that nothing was sent while opening.
Expectation row(int code, char const* name, ErrorClass error_class) {
  Verdict const verdict{error_class, refused};
  return {code, name, {error_class, never_sent}, verdict, verdict, verdict};
}
Expectation unknown_at_commit(int code, char const* name) {
  auto result = row(code, name, internal);
  result.committing.send_state = unknown;
  return result;
}
Expectation same(int code, char const* name, ErrorClass error_class, SendState send_state) {
  Verdict const verdict{error_class, send_state};
  return {code, name, verdict, verdict, verdict, verdict};
}

INSTANTIATE_TEST_SUITE_P(
    , ClassifyTable,
    testing::Values(
        row(SQLITE_BUSY, "SQLITE_BUSY", overload), row(SQLITE_BUSY_RECOVERY, "SQLITE_BUSY_RECOVERY", overload),
        row(SQLITE_BUSY_TIMEOUT, "SQLITE_BUSY_TIMEOUT", overload),
        same(SQLITE_BUSY_SNAPSHOT, "SQLITE_BUSY_SNAPSHOT", conflict, refused),
        row(SQLITE_LOCKED, "SQLITE_LOCKED", overload),
        row(SQLITE_LOCKED_SHAREDCACHE, "SQLITE_LOCKED_SHAREDCACHE", overload),
        row(SQLITE_PROTOCOL, "SQLITE_PROTOCOL", overload), row(SQLITE_FULL, "SQLITE_FULL", overload),
        row(SQLITE_CORRUPT, "SQLITE_CORRUPT", internal), row(SQLITE_CORRUPT_INDEX, "SQLITE_CORRUPT_INDEX", internal),
        row(SQLITE_NOTADB, "SQLITE_NOTADB", internal), row(SQLITE_NOMEM, "SQLITE_NOMEM", internal),
        unknown_at_commit(SQLITE_IOERR, "SQLITE_IOERR"), unknown_at_commit(SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC"),
        unknown_at_commit(SQLITE_IOERR_WRITE, "SQLITE_IOERR_WRITE"),
        unknown_at_commit(SQLITE_IOERR_SHORT_READ, "SQLITE_IOERR_SHORT_READ"),
        unknown_at_commit(SQLITE_INTERNAL, "SQLITE_INTERNAL"), unknown_at_commit(SQLITE_MISUSE, "SQLITE_MISUSE"),
        same(SQLITE_CANTOPEN, "SQLITE_CANTOPEN", transport, never_sent),
        same(SQLITE_CANTOPEN_ISDIR, "SQLITE_CANTOPEN_ISDIR", transport, never_sent),
        row(SQLITE_READONLY, "SQLITE_READONLY", role), row(SQLITE_READONLY_DBMOVED, "SQLITE_READONLY_DBMOVED", role),
        row(SQLITE_PERM, "SQLITE_PERM", auth), row(SQLITE_SCHEMA, "SQLITE_SCHEMA", conflict),
        row(SQLITE_ABORT_ROLLBACK, "SQLITE_ABORT_ROLLBACK", conflict),
        same(SQLITE_CONSTRAINT, "SQLITE_CONSTRAINT", request, executed),
        same(SQLITE_CONSTRAINT_CHECK, "SQLITE_CONSTRAINT_CHECK", request, executed),
        same(SQLITE_CONSTRAINT_FOREIGNKEY, "SQLITE_CONSTRAINT_FOREIGNKEY", request, executed),
        same(SQLITE_CONSTRAINT_NOTNULL, "SQLITE_CONSTRAINT_NOTNULL", request, executed),
        same(SQLITE_CONSTRAINT_PRIMARYKEY, "SQLITE_CONSTRAINT_PRIMARYKEY", request, executed),
        same(SQLITE_CONSTRAINT_TRIGGER, "SQLITE_CONSTRAINT_TRIGGER", request, executed),
        same(SQLITE_CONSTRAINT_UNIQUE, "SQLITE_CONSTRAINT_UNIQUE", request, executed),
        same(SQLITE_TOOBIG, "SQLITE_TOOBIG", request, executed), same(SQLITE_RANGE, "SQLITE_RANGE", request, executed),
        same(SQLITE_MISMATCH, "SQLITE_MISMATCH", request, executed),
        same(SQLITE_ERROR, "SQLITE_ERROR", request, executed), same(SQLITE_AUTH, "SQLITE_AUTH", request, executed)),
    [](auto const& tested) { return std::string(tested.param.name); });

TEST(Classify, JudgesAnUnknownExtendedCodeByItsPrimaryCode) {
  int const future = SQLITE_CONSTRAINT | (200 << 8);
  EXPECT_EQ(classify(future, Phase::running), (Verdict{request, executed}));
  EXPECT_EQ(code_name(future), "SQLITE_CONSTRAINT");
  EXPECT_EQ(classify(77, Phase::running), (Verdict{internal, refused}));
  EXPECT_EQ(code_name(77), "SQLITE_ERROR");
}

TEST(Classify, NamesTheConstraintAndItsColumns) {
  auto const unique = constraint_details(SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: t.a, t.b");
  ASSERT_EQ(unique.size(), 2U);
  EXPECT_EQ(unique[0], (std::pair<std::string, std::string>("constraint", "unique")));
  EXPECT_EQ(unique[1], (std::pair<std::string, std::string>("column", "t.a, t.b")));
  auto const index = constraint_details(SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: index 'by_name'");
  EXPECT_EQ(index.at(1), (std::pair<std::string, std::string>("name", "index 'by_name'")));
  auto const check = constraint_details(SQLITE_CONSTRAINT_CHECK, "CHECK constraint failed: positive");
  EXPECT_EQ(check.at(1), (std::pair<std::string, std::string>("name", "positive")));
  auto const foreign = constraint_details(SQLITE_CONSTRAINT_FOREIGNKEY, "FOREIGN KEY constraint failed");
  ASSERT_EQ(foreign.size(), 1U);
  EXPECT_EQ(foreign[0].second, "foreign key");
  EXPECT_TRUE(constraint_details(SQLITE_BUSY, "database is locked").empty());
}

TEST(Classify, WritesOneSentenceWithoutValues) {
  auto const error = make_error(SQLITE_ERROR, Phase::running, "SQLite refuses", "near \"'hunter2'\": syntax error",
                                "SELECT  'hunter2', 42 FROM t -- hunter2");
  EXPECT_STREQ(error.what(), "SQLite refuses: near \"?\": syntax error (SQLITE_ERROR) in: SELECT ?, ? FROM t");
  EXPECT_EQ(error.engine_code(), "SQLITE_ERROR");
}

}  // namespace
}  // namespace belay::sqlite
