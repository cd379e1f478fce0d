#include "belay/sqlite/statement_digest.hpp"

#include <gtest/gtest.h>

namespace belay::sqlite {
namespace {

TEST(StatementDigest, ReplacesLiteralsAndKeepsTheRest) {
  EXPECT_EQ(statement_digest("select * from t where a = 'secret' and b=12.5e-3 and c = x'00ff'"),
            "select * from t where a = ? and b=? and c = ?");
  EXPECT_EQ(statement_digest("select t1.a2, ?1, :name, \"quoted 'x'\", `b` from t1"),
            "select t1.a2, ?1, :name, \"quoted 'x'\", `b` from t1");
  EXPECT_EQ(statement_digest("select 'it''s', 0xFF, .5, -3"), "select ?, ?, ?, -?");
}

TEST(StatementDigest, DropsCommentsAndFoldsWhiteSpace) {
  EXPECT_EQ(statement_digest("  select\n\t 1 /* 'secret' */ , 2 -- secret\n from t"), "select ? , ? from t");
}

TEST(StatementDigest, SurvivesWhatIsNotClosed) {
  EXPECT_EQ(statement_digest("select 'secret"), "select ?");
  EXPECT_EQ(statement_digest("select /* secret"), "select");
  EXPECT_EQ(statement_digest("select \"x"), "select \"x");
  EXPECT_EQ(statement_digest(""), "");
}

TEST(StatementDigest, IsCutAtACharacter) {
  std::string const sql(150, 'a');
  auto const digest = statement_digest(sql + "é" + std::string(100, 'b'));
  EXPECT_EQ(digest, sql + "é" + std::string(48, 'b') + "…");
  auto const within = statement_digest(std::string(199, 'a') + "é");
  EXPECT_EQ(within, std::string(199, 'a') + "…");
}

TEST(WithoutLiterals, MasksWhatSqliteQuotesFromTheStatement) {
  EXPECT_EQ(without_literals("near \"'pin 1234'\": syntax error"), "near \"?\": syntax error");
  EXPECT_EQ(without_literals("near \"1234\": syntax error"), "near \"?\": syntax error");
  EXPECT_EQ(without_literals("table t has 3 columns but 2 values were supplied"),
            "table t has 3 columns but 2 values were supplied");
}

TEST(FirstKeyword, LooksPastCommentsAndSemicolons) {
  EXPECT_EQ(first_keyword("  /* x */ -- y\n ; vacuum into 'f'"), "VACUUM");
  EXPECT_EQ(first_keyword("Select 1"), "SELECT");
  EXPECT_EQ(first_keyword("(select 1)"), "");
  EXPECT_EQ(first_keyword(""), "");
}

TEST(HoldsNoStatement, AcceptsOnlyBlanksCommentsAndSemicolons) {
  EXPECT_TRUE(holds_no_statement(" ;; -- end"));
  EXPECT_TRUE(holds_no_statement(""));
  EXPECT_TRUE(holds_no_statement("/* open"));
  EXPECT_FALSE(holds_no_statement("; select 1"));
}

}  // namespace
}  // namespace belay::sqlite
