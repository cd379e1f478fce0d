#include "belay/sqlite/authorizer.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include <sqlite3.h>

namespace belay::sqlite {

namespace {

/// They answer a question about what they are given.
constexpr std::array<std::string_view, 11> questions{
    "table_info",       "table_xinfo",       "table_list",      "index_list",  "index_info",   "index_xinfo",
    "foreign_key_list", "foreign_key_check", "integrity_check", "quick_check", "function_list"};

/// They answer only as long as no value is given; data_version is also what full-text tables ask.
constexpr std::array<std::string_view, 17> readings{
    "application_id", "cache_size",   "collation_list", "compile_options", "data_version", "database_list",
    "encoding",       "foreign_keys", "freelist_count", "journal_mode",    "module_list",  "page_count",
    "page_size",      "pragma_list",  "schema_version", "synchronous",     "user_version"};

std::string lower(char const* text) {
  std::string result(text == nullptr ? "" : text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

template <class Names>
bool contains(Names const& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string pragma_refusal(char const* name_given, char const* value) {
  auto const name = lower(name_given);
  if (contains(questions, name)) return {};
  if (contains(readings, name)) {
    return value == nullptr ? std::string() : "PRAGMA " + name + " may be read here, not set";
  }
  return "PRAGMA " + name + " is not available: the client sets what it needs itself, see sqlite::Options";
}

}  // namespace

std::string refusal(int action, char const* first, char const* second) {
  switch (action) {
    case SQLITE_TRANSACTION: return std::string(first) + " is not available: use Client::transaction";
    case SQLITE_SAVEPOINT:
      return "SAVEPOINT, RELEASE and ROLLBACK TO are not available: a statement that fails inside "
             "Client::transaction rolls back only itself";
    case SQLITE_ATTACH: return "ATTACH is not available: open a client of its own for each file";
    case SQLITE_DETACH: return "DETACH is not available: no other file is ever attached";
    case SQLITE_PRAGMA: return pragma_refusal(first, second);
    case SQLITE_FUNCTION:
      if (lower(second) == "load_extension") return "load_extension() is not available: extensions are code";
      return {};
    default: return {};
  }
}

}  // namespace belay::sqlite
