#include "belay/sqlite/functions.hpp"

#include <algorithm>
#include <exception>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <re2/re2.h>
#include <sqlite3.h>

#include "belay/core/error.hpp"
#include "belay/sqlite/decimal_order.hpp"
#include "belay/sqlite/like.hpp"
#include "belay/sqlite/unicode_text.hpp"

namespace belay::sqlite {

namespace {

constexpr std::size_t pattern_bytes_max = 4096;
constexpr std::size_t compiled_patterns_max = 32;
constexpr std::int64_t pattern_memory_max = 4 << 20;

std::string_view text_of(sqlite3_value* value) noexcept {
  auto const* data = static_cast<char const*>(static_cast<void const*>(sqlite3_value_text(value)));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_value_bytes(value))};
}

bool is_null(sqlite3_value* value) noexcept { return sqlite3_value_type(value) == SQLITE_NULL; }

Case case_of(sqlite3_value* ignore_case) noexcept {
  return sqlite3_value_int(ignore_case) != 0 ? Case::ignored : Case::sensitive;
}

void fail(sqlite3_context* context, std::string const& sentence) {
  sqlite3_result_error(context, sentence.data(), static_cast<int>(sentence.size()));
}

/// Exceptions must not cross SQLite's C frames.
template <class Body>
void guarded(sqlite3_context* context, Body body) noexcept {
  try {
    body();
  } catch (std::bad_alloc const&) {
    sqlite3_result_error_nomem(context);
  } catch (std::exception const& failure) {
    sqlite3_result_error(context, failure.what(), -1);
  }
}

/// RE2's own text quotes the pattern, and a pattern is a value.
std::string_view reason(RE2::ErrorCode code) noexcept {
  switch (code) {
    case RE2::NoError: return "no error";
    case RE2::ErrorInternal: return "internal failure";
    case RE2::ErrorBadEscape: return "bad escape sequence";
    case RE2::ErrorBadCharClass: return "bad character class";
    case RE2::ErrorBadCharRange: return "bad range in a character class";
    case RE2::ErrorMissingBracket: return "missing closing ]";
    case RE2::ErrorMissingParen: return "missing closing )";
    case RE2::ErrorUnexpectedParen: return "unexpected )";
    case RE2::ErrorTrailingBackslash: return "trailing backslash";
    case RE2::ErrorRepeatArgument: return "nothing to repeat before * + ? or {}";
    case RE2::ErrorRepeatSize: return "repetition count too large";
    case RE2::ErrorRepeatOp: return "bad repetition operator";
    case RE2::ErrorBadPerlOp: return "unknown (? operator";
    case RE2::ErrorBadUTF8: return "not UTF-8";
    case RE2::ErrorBadNamedCapture: return "bad named group";
    case RE2::ErrorPatternTooLarge: return "too large when compiled";
  }
  return "unknown reason";
}

/// The compiled patterns of one connection, most recently used first.
class PatternCache {
 public:
  RE2 const& get(std::string_view pattern, Case mode) {
    auto const found = std::find_if(entries_.begin(), entries_.end(), [&](Entry const& entry) {
      return entry.mode == mode && entry.compiled->pattern() == pattern;
    });
    if (found != entries_.end()) {
      entries_.splice(entries_.begin(), entries_, found);
    } else {
      auto entry = Entry{mode, compile(pattern, mode)};
      entries_.push_front(std::move(entry));
      if (entries_.size() > compiled_patterns_max) entries_.pop_back();
    }
    return *entries_.front().compiled;
  }

 private:
  struct Entry {
    Case mode;
    std::unique_ptr<RE2> compiled;
  };

  static std::unique_ptr<RE2> compile(std::string_view pattern, Case mode) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_case_sensitive(mode == Case::sensitive);
    options.set_max_mem(pattern_memory_max);
    return std::make_unique<RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
  }

  std::list<Entry> entries_;
};

void regexp_function(sqlite3_context* context, int, sqlite3_value** arguments) noexcept {
  guarded(context, [&] {
    if (is_null(arguments[0]) || is_null(arguments[1])) return;
    auto const pattern = text_of(arguments[0]);
    if (pattern.size() > pattern_bytes_max) {
      return fail(context, "belay_regexp: the pattern has " + std::to_string(pattern.size()) + " bytes, the limit is " +
                               std::to_string(pattern_bytes_max));
    }
    auto& cache = *static_cast<PatternCache*>(sqlite3_user_data(context));
    auto const& compiled = cache.get(pattern, case_of(arguments[2]));
    if (!compiled.ok()) {
      return fail(context, "belay_regexp: not a regular expression: " + std::string(reason(compiled.error_code())));
    }
    auto const text = text_of(arguments[1]);
    sqlite3_result_int(context, RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled) ? 1 : 0);
  });
}

void like_function(sqlite3_context* context, int, sqlite3_value** arguments) noexcept {
  if (is_null(arguments[0]) || is_null(arguments[1])) return;
  bool const matches = matches_like(text_of(arguments[0]), text_of(arguments[1]), case_of(arguments[2]));
  sqlite3_result_int(context, matches ? 1 : 0);
}

void fold_function(sqlite3_context* context, int, sqlite3_value** arguments) noexcept {
  guarded(context, [&] {
    if (is_null(arguments[0])) return;
    auto const folded = fold(text_of(arguments[0]));
    sqlite3_result_text64(context, folded.data(), folded.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  });
}

int decimal_collation(void*, int a_bytes, void const* a, int b_bytes, void const* b) noexcept {
  return compare_decimals({static_cast<char const*>(a), static_cast<std::size_t>(a_bytes)},
                          {static_cast<char const*>(b), static_cast<std::size_t>(b_bytes)});
}

void require(int code) {
  if (code != SQLITE_OK) {
    throw Error(ErrorClass::internal, SendState::never_sent, "cannot register belay's SQL functions: out of memory",
                "SQLITE_NOMEM");
  }
}

}  // namespace

void register_functions(sqlite3* connection) {
  // Innocuous: they touch nothing, so views and triggers may call them although the schema is not trusted.
  int const flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
  auto patterns = std::make_unique<PatternCache>();
  auto const drop_patterns = [](void* cache) { delete static_cast<PatternCache*>(cache); };
  require(sqlite3_create_function_v2(connection, "belay_fold", 1, flags, nullptr, fold_function, nullptr, nullptr,
                                     nullptr));
  require(sqlite3_create_function_v2(connection, "belay_like", 3, flags, nullptr, like_function, nullptr, nullptr,
                                     nullptr));
  // SQLite calls the destructor also when it fails.
  require(sqlite3_create_function_v2(connection, "belay_regexp", 3, flags, patterns.release(), regexp_function, nullptr,
                                     nullptr, drop_patterns));
  require(sqlite3_create_collation_v2(connection, "belay_decimal", SQLITE_UTF8, nullptr, decimal_collation, nullptr));
}

}  // namespace belay::sqlite
