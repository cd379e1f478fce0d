#include "belay/sqlite/unicode_text.hpp"

#include <locale.h>
#include <wctype.h>

namespace belay::sqlite {

namespace {

constexpr std::uint32_t not_utf8 = 0x110000;

bool is_continuation(unsigned char byte) noexcept { return (byte & 0xC0) == 0x80; }

/// glibc's table for C.UTF-8 covers Unicode whatever the process's own locale is. Never freed: used until the end.
locale_t unicode_locale() noexcept {
  static locale_t const locale = [] {
    auto const utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return utf8 != nullptr ? utf8 : newlocale(LC_CTYPE_MASK, "C", nullptr);
  }();
  return locale;
}

void append(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

}  // namespace

Character first_character(std::string_view text) noexcept {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char const lead = byte(0);
  if (lead < 0x80) return {lead, 1};

  Character const invalid{not_utf8 + lead, 1};
  std::size_t const bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < bytes) return invalid;
  std::uint32_t value = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if (!is_continuation(byte(i))) return invalid;
    value = (value << 6) | (byte(i) & 0x3FU);
  }
  constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  bool const surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (value < smallest[bytes] || surrogate || value >= not_utf8) return invalid;
  return {value, bytes};
}

std::uint32_t fold(std::uint32_t value) noexcept {
  if (value < 0x80) return value >= 'A' && value <= 'Z' ? value + ('a' - 'A') : value;
  if (value >= not_utf8) return value;
  // Upper case first: "ς" has no upper case of its own, so both sigmas meet in "σ". The Kelvin and Ångström signs
  // meet their letters in the same way.
  auto const upper = towupper_l(static_cast<wint_t>(value), unicode_locale());
  return static_cast<std::uint32_t>(towlower_l(upper, unicode_locale()));
}

std::string fold(std::string_view text) {
  std::string folded;
  folded.reserve(text.size());
  while (!text.empty()) {
    auto const character = first_character(text);
    if (character.value >= not_utf8) {
      folded += text.front();
    } else {
      append(folded, fold(character.value));
    }
    text.remove_prefix(character.bytes);
  }
  return folded;
}

}  // namespace belay::sqlite
