#include "belay/orm/detail/record_name.hpp"

#include <algorithm>

namespace belay::orm::detail {

namespace {

bool is_plain(std::string_view key) noexcept {
  auto const is_letter_or_mark = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  };
  auto const is_plain_character = [&](char c) { return is_letter_or_mark(c) || (c >= '0' && c <= '9'); };
  // A key of digits alone would look like an integer.
  return key.size() <= 40 && std::all_of(key.begin(), key.end(), is_plain_character) &&
         std::any_of(key.begin(), key.end(), is_letter_or_mark);
}

}  // namespace

std::string record_name(TableInfo const& table, ScalarKey const& key) {
  auto name = std::string(table.name) + ":";
  if (auto const* text = std::get_if<std::string>(&key)) {
    name += is_plain(*text) ? *text : quoted_for_message(*text);
  } else {
    name += to_string(key);
  }
  return name;
}

}  // namespace belay::orm::detail
