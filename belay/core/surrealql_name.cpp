#include "belay/core/detail/surrealql_name.hpp"

#include <algorithm>
#include <array>

namespace belay::detail {

namespace {

/// In alphabetical order. Too many do no harm: a quoted name is the same name.
constexpr std::array<std::string_view, 58> reserved = {
    "access",  "alter",    "analyze",  "and",    "as",     "begin",  "break",  "by",      "cancel", "commit",
    "content", "continue", "create",   "define", "delete", "else",   "end",    "explain", "false",  "fetch",
    "for",     "from",     "function", "group",  "if",     "in",     "info",   "insert",  "into",   "is",
    "kill",    "let",      "limit",    "live",   "merge",  "none",   "not",    "null",    "only",   "option",
    "or",      "order",    "rebuild",  "relate", "remove", "return", "select", "set",     "show",   "sleep",
    "then",    "throw",    "true",     "update", "upsert", "use",    "value",  "where"};
static_assert(std::is_sorted(reserved.begin(), reserved.end()));

}  // namespace

bool is_plain_name(std::string_view name) noexcept {
  return !name.empty() && is_name_start(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_name_start(c) || is_digit(c); });
}

bool is_plain_key(std::string_view key) noexcept {
  return std::all_of(key.begin(), key.end(), [](char c) { return is_name_start(c) || is_digit(c); }) &&
         std::any_of(key.begin(), key.end(), is_name_start);
}

bool is_reserved(std::string_view name) noexcept {
  std::array<char, 16> lower{};
  if (name.size() > lower.size()) return false;
  std::transform(name.begin(), name.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return std::binary_search(reserved.begin(), reserved.end(), std::string_view(lower.data(), name.size()));
}

std::string in_backticks(std::string_view name) {
  std::string text = "`";
  for (char const c : name) {
    if (c == '`' || c == '\\') text += '\\';
    text += c;
  }
  return text += '`';
}

}  // namespace belay::detail
