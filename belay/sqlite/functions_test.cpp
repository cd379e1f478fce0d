#include "belay/sqlite/functions.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "belay/sqlite/decimal_order.hpp"
#include "belay/sqlite/like.hpp"

namespace belay::sqlite {
namespace {

using namespace std::string_literals;

struct FunctionsTest : testing::Test {
  FunctionsTest() {
    sqlite3_open(":memory:", &connection);
    register_functions(connection);
  }
  ~FunctionsTest() override { sqlite3_close(connection); }

  /// The first cell as text, or the error's message after "error: "; nullopt for NULL.
  std::optional<std::string> ask(std::string const& sql, std::vector<std::string> const& params = {}) {
    sqlite3_stmt* statement = nullptr;
    EXPECT_EQ(sqlite3_prepare_v2(connection, sql.c_str(), -1, &statement, nullptr), SQLITE_OK)
        << sqlite3_errmsg(connection);
    std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> const owned(statement, sqlite3_finalize);
    int index = 0;
    for (auto const& param : params) {
      sqlite3_bind_text(statement, ++index, param.data(), static_cast<int>(param.size()), SQLITE_STATIC);
    }
    if (sqlite3_step(statement) != SQLITE_ROW) return "error: "s + sqlite3_errmsg(connection);
    auto const* text = static_cast<char const*>(static_cast<void const*>(sqlite3_column_text(statement, 0)));
    if (text == nullptr) return std::nullopt;
    return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, 0)));
  }

  sqlite3* connection = nullptr;
};

TEST_F(FunctionsTest, FoldsUnicodeCharacterByCharacter) {
  auto const fold = [&](std::string const& text) { return ask("SELECT belay_fold(?1)", {text}); };
  EXPECT_EQ(fold("ÉCOLE d'Été"), "école d'été");
  EXPECT_EQ(fold("ΣΊΣΥΦΟΣ"), fold("σίσυφος")) << "final sigma folds like the others";
  EXPECT_EQ(fold("ЖУК"), "жук");
  EXPECT_EQ(fold("\xC7\x85"), fold("\xC7\x86")) << "title case folds too";
  EXPECT_EQ(fold("𐐀"), "𐐨") << "beyond the basic plane";
  EXPECT_EQ(fold("a\0B"s), "a\0b"s);
  EXPECT_EQ(fold("A\xFF\xC3"s), "a\xFF\xC3"s) << "what is no UTF-8 stays";
  EXPECT_EQ(fold("\xED\xA0\x80 \xC0\x80"s), "\xED\xA0\x80 \xC0\x80"s) << "surrogates and overlong forms are no UTF-8";
  EXPECT_EQ(fold(""), "");
  EXPECT_EQ(ask("SELECT belay_fold(NULL)"), std::nullopt);
  EXPECT_EQ(ask("SELECT belay_fold(12)"), "12");
}

TEST_F(FunctionsTest, MatchesRegularExpressionsAnywhere) {
  EXPECT_EQ(ask("SELECT belay_regexp('b+c', 'aabbcc', 0)"), "1");
  EXPECT_EQ(ask("SELECT belay_regexp('^b', 'ab', 0)"), "0");
  EXPECT_EQ(ask("SELECT belay_regexp('É', 'été', 0)"), "0");
  EXPECT_EQ(ask("SELECT belay_regexp('É', 'été', 1)"), "1");
  EXPECT_EQ(ask("SELECT belay_regexp(?1, ?2, 0)", {"a.b", "a\0b"s}), "1") << "a NUL byte is a character";
  EXPECT_EQ(ask("SELECT belay_regexp('a', NULL, 0)"), std::nullopt);
  EXPECT_EQ(ask("SELECT belay_regexp(NULL, 'a', 0)"), std::nullopt);
}

TEST_F(FunctionsTest, RefusesABadPatternWithoutRepeatingIt) {
  auto const answer = ask("SELECT belay_regexp(?1, 'x', 0)", {"secret("});
  EXPECT_EQ(answer, "error: belay_regexp: not a regular expression: missing closing )");
  auto const too_long = ask("SELECT belay_regexp(?1, 'x', 0)", {std::string(4097, 'a')});
  EXPECT_EQ(too_long, "error: belay_regexp: the pattern has 4097 bytes, the limit is 4096");
  EXPECT_EQ(ask("SELECT belay_regexp(?1, 'x', 0)", {std::string(4096, 'a')}), "0");
  EXPECT_EQ(ask("SELECT belay_regexp('(((a{1000}){1000}){1000})', 'x', 0)"),
            "error: belay_regexp: not a regular expression: repetition count too large");
}

TEST_F(FunctionsTest, StaysLinearOnPatternsThatBacktrackElsewhere) {
  EXPECT_EQ(ask("SELECT belay_regexp('(a*)*b', ?1, 0)", {std::string(100'000, 'a')}), "0");
}

TEST_F(FunctionsTest, KeepsMoreThanOnePatternCompiled) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 100; ++i) {
      auto const number = std::to_string(i);
      EXPECT_EQ(ask("SELECT belay_regexp(?1, ?2, 0)", {"^" + number + "$", number}), "1");
    }
  }
}

TEST_F(FunctionsTest, AreUsableInIndexesAndViews) {
  char const* const sql =
      "CREATE TABLE t(name TEXT, amount TEXT COLLATE belay_decimal);"
      "CREATE INDEX by_fold ON t(belay_fold(name));"
      "CREATE VIEW v AS SELECT belay_fold(name) AS folded FROM t;"
      "INSERT INTO t VALUES ('É', '10'), ('b', '9.5'), ('c', '-1')";
  ASSERT_EQ(sqlite3_exec(connection, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(connection);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  EXPECT_EQ(ask("SELECT name FROM t INDEXED BY by_fold WHERE belay_fold(name) = 'é'"), "É");
  EXPECT_EQ(ask("SELECT folded FROM v ORDER BY folded LIMIT 1"), "b");
  EXPECT_EQ(ask("SELECT group_concat(amount) FROM (SELECT amount FROM t ORDER BY amount)"), "-1,9.5,10");
  EXPECT_EQ(ask("SELECT count(*) FROM t WHERE amount = '10.00'"), "1");
}

struct LikeCase {
  std::string text, pattern;
  bool sensitive, ignored;
};

TEST(Like, MatchesWholeTexts) {
  std::vector<LikeCase> const cases{
      {"", "", true, true},
      {"", "%", true, true},
      {"", "_", false, false},
      {"abc", "abc", true, true},
      {"abc", "ABC", false, true},
      {"ÉTÉ", "é_é", false, true},
      {"été", "___", true, true},
      {"été", "____", false, false},
      {"abc", "a%", true, true},
      {"abc", "%b%", true, true},
      {"abc", "%b", false, false},
      {"abcbcd", "a%bcd", true, true},
      {"mississippi", "m%iss%ppi", true, true},
      {"mississippi", "m%iss%ppx", false, false},
      {"50%", "50\\%", true, true},
      {"500", "50\\%", false, false},
      {"a_b", "a\\_b", true, true},
      {"axb", "a\\_b", false, false},
      {"a\\b", "a\\\\b", true, true},
      {"a\\", "a\\", true, true},
      {"a\0b"s, "a_b", true, true},
      {"a\xFF"s, "a_", true, true},
      {"a\xFF"s, "a\xFE"s, false, false},
      {"\xC3\x89"s, "\xC3"s, false, false},
  };
  for (auto const& [text, pattern, sensitive, ignored] : cases) {
    EXPECT_EQ(matches_like(text, pattern, Case::sensitive), sensitive) << text << " like " << pattern;
    EXPECT_EQ(matches_like(text, pattern, Case::ignored), ignored) << text << " ilike " << pattern;
  }
}

/// Straight from the definition, exponential: what the quick one must agree with.
bool matches_slowly(std::string_view text, std::string_view pattern) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '%') {
    for (std::size_t skip = 0; skip <= text.size(); ++skip) {
      if (matches_slowly(text.substr(skip), pattern.substr(1))) return true;
    }
    return false;
  }
  auto rest = pattern;
  bool const escaped = rest.front() == '\\' && rest.size() > 1;
  if (escaped) rest.remove_prefix(1);
  if (text.empty()) return false;
  bool const same = (!escaped && rest.front() == '_') || rest.front() == text.front();
  return same && matches_slowly(text.substr(1), rest.substr(1));
}

TEST(Like, AgreesWithTheDefinitionOnEveryShortTextAndPattern) {
  std::vector<std::string> texts{""};
  std::vector<std::string> patterns{""};
  for (std::size_t i = 0; i < texts.size() && texts[i].size() < 4; ++i) {
    for (char const c : {'a', 'b', '%'}) texts.push_back(texts[i] + c);
  }
  for (std::size_t i = 0; i < patterns.size() && patterns[i].size() < 5; ++i) {
    for (char const c : {'a', 'b', '%', '_', '\\'}) patterns.push_back(patterns[i] + c);
  }
  for (auto const& text : texts) {
    for (auto const& pattern : patterns) {
      ASSERT_EQ(matches_like(text, pattern, Case::sensitive), matches_slowly(text, pattern))
          << "'" << text << "' like '" << pattern << "'";
    }
  }
}

TEST(DecimalOrder, ComparesByValue) {
  std::vector<std::vector<std::string>> const ascending{
      {"-Infinity", "-inf"},
      {"-1e400", "-10e399"},
      {"-100"},
      {"-99.9"},
      {"-1.5", "-1.50", "-15e-1"},
      {"-0.0001"},
      {"0", "-0", "0.000", "0e99", "+0", ".0"},
      {"1e-400", "0.1e-399"},
      {"0.05", ".05", "5e-2"},
      {"0.5", "00.50"},
      {"9", "9.0", "+9"},
      {"10", "10.00", "1e1", "1E+1", "100e-1"},
      {"10.000000000000000000000000000000000000001"},
      {"12345678901234567890123456789012345678901234567890"},
      {"1e400"},
      {"1e999999999999"},
      {"Infinity", "INF"},
      {"NaN", "nan"},
      {""},
      {"."},
      {"1.2.3"},
      {"1e"},
      {"abc"},
  };
  for (std::size_t i = 0; i < ascending.size(); ++i) {
    for (std::size_t j = 0; j < ascending.size(); ++j) {
      for (auto const& a : ascending[i]) {
        for (auto const& b : ascending[j]) {
          int const order = compare_decimals(a, b);
          EXPECT_EQ((order > 0) - (order < 0), (i > j) - (i < j)) << "'" << a << "' against '" << b << "'";
        }
      }
    }
  }
}

}  // namespace
}  // namespace belay::sqlite
