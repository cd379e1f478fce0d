#pragma once

#include <string_view>

namespace casefile::http {

/// HTTP's own character classes (RFC 9110, section 5.6.2): ASCII only, whatever the locale.

constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_alphanumeric(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// A character of a method or a header's name.
constexpr bool is_token_character(char c) noexcept {
  return is_alphanumeric(c) || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

constexpr bool is_token(std::string_view text) noexcept {
  for (char const c : text) {
    if (!is_token_character(c)) return false;
  }
  return !text.empty();
}

/// Whether it may stand in a header's value or a request line: everything but control characters, tab excepted.
constexpr bool is_field_character(char c) noexcept {
  auto const byte = static_cast<unsigned char>(c);
  return (byte >= 0x20 && byte != 0x7F) || c == '\t';
}

}  // namespace casefile::http
