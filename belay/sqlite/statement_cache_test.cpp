#include "belay/sqlite/statement_cache.hpp"

#include <string>

#include <gtest/gtest.h>

namespace belay::sqlite {
namespace {

void keep(StatementCache& cache, std::string const& sql) { cache.keep(PreparedStatement{sql, nullptr, 0, true}); }

TEST(StatementCache, FindsByTextAndCountsAFindAsAUse) {
  StatementCache cache(2);
  EXPECT_EQ(cache.find("a"), nullptr);
  keep(cache, "a");
  keep(cache, "b");
  ASSERT_NE(cache.find("a"), nullptr);
  EXPECT_EQ(cache.find("a")->sql, "a");
  keep(cache, "c");
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_EQ(cache.find("b"), nullptr) << "the least recently used one leaves";
  EXPECT_NE(cache.find("a"), nullptr);
  EXPECT_NE(cache.find("c"), nullptr);
}

TEST(StatementCache, HoldsAtLeastTheLastOne) {
  StatementCache cache(1);
  for (int i = 0; i < 10; ++i) {
    auto const sql = std::to_string(i);
    keep(cache, sql);
    EXPECT_EQ(cache.size(), 1U);
    ASSERT_NE(cache.find(sql), nullptr);
    EXPECT_EQ(cache.find(std::to_string(i - 1)), nullptr);
  }
}

}  // namespace
}  // namespace belay::sqlite
