// JSON strings: what every answer of an HTTP server consists of, so plain runs are copied as a whole.
#include <cstdint>
#include <cstring>

#include "belay/core/json.hpp"

namespace belay::json {

namespace {

/// Whether none of eight bytes needs a look: all are ASCII from 0x20 on, and neither '"' nor '\\'.
bool are_plain(char const* bytes) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101u;
  constexpr std::uint64_t high_bits = 0x8080808080808080u;
  std::uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  // Subtracting borrows into the high bit of a byte that is too small; a borrow from the byte below can only flag
  // one byte too many, which the careful loop then passes.
  auto const control = word - ones * 0x20;
  auto const quote = (word ^ ones * '"') - ones;
  auto const backslash = (word ^ ones * '\\') - ones;
  return ((word | control | quote | backslash) & high_bits) == 0;
}

bool is_continuation(unsigned char byte) noexcept { return (byte & 0xc0u) == 0x80u; }

/// The length of the UTF-8 sequence at the front, which is not ASCII; 0 when it is malformed (RFC 3629: no overlong
/// forms, no surrogates, nothing above U+10FFFF).
std::size_t sequence_length(std::string_view text) noexcept {
  auto const byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto const continues = [&](std::size_t i) { return is_continuation(static_cast<unsigned char>(byte(i))); };
  auto const first = byte(0);
  auto const second = byte(1);
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;
    return continues(1) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;
    return continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

/// How many bytes at the front stand for themselves in a JSON string.
std::size_t plain_length(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i < text.size()) {
    if (i + 8 <= text.size() && are_plain(text.data() + i)) {
      i += 8;
      continue;
    }
    auto const byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      if (byte < 0x20 || byte == '"' || byte == '\\') return i;
      ++i;
    } else {
      auto const length = sequence_length(text.substr(i));
      if (length == 0) return i;
      i += length;
    }
  }
  return i;
}

void append_escape(std::string& out, unsigned char byte) {
  switch (byte) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    default: break;
  }
  constexpr std::string_view hex = "0123456789abcdef";
  if (byte >= 0x80) {
    out += "\ufffd";
  } else {
    out += "\\u00";
    out += hex[byte >> 4];
    out += hex[byte & 15u];
  }
}

}  // namespace

void append_json(std::string& out, std::string_view text) {
  out += '"';
  while (true) {
    auto const plain = plain_length(text);
    out.append(text.data(), plain);
    if (plain == text.size()) break;
    append_escape(out, static_cast<unsigned char>(text[plain]));
    text.remove_prefix(plain + 1);
  }
  out += '"';
}

}  // namespace belay::json
