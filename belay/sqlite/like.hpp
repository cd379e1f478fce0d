#pragma once

#include <string_view>

namespace belay::sqlite {

enum class Case { sensitive, ignored };

/// Whether the whole text matches the pattern: '%' any run of characters, '_' one, '\' the next character itself (a
/// trailing '\' stands for itself). Time at most text times pattern, no allocation, no recursion.
bool matches_like(std::string_view text, std::string_view pattern, Case) noexcept;

}  // namespace belay::sqlite
