#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace belay::sqlite {

/// One character of a text: a code point, or a byte that is no UTF-8 as 0x110000 + byte, so that it equals only itself.
struct Character {
  std::uint32_t value;
  std::size_t bytes;  ///< how many the text spends on it, 1…4
};

/// The first character of a text that is not empty. Overlong forms, surrogates and truncated sequences are not UTF-8.
Character first_character(std::string_view text) noexcept;

/// Simple (one to one) Unicode case folding of a character value; bytes that are no UTF-8 stay.
std::uint32_t fold(std::uint32_t value) noexcept;

/// The text with every character folded; bytes that are no UTF-8 stay.
std::string fold(std::string_view text);

}  // namespace belay::sqlite
