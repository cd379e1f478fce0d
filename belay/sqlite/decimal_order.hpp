#pragma once

#include <string_view>

namespace belay::sqlite {

/// Compares two numbers by value from their text, however many digits: "10.00" equals "1e1". < 0, 0 or > 0.
///
/// -Infinity < numbers < Infinity < NaN < text that is no number, the latter in byte order: a total order, so that an
/// index on it stays sound whatever was stored. No allocation, linear in the texts.
int compare_decimals(std::string_view a, std::string_view b) noexcept;

}  // namespace belay::sqlite
