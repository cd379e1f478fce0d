#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace belay {

/// The integer types whose every value int64 holds: what the engines store. Truth values and characters are no numbers,
/// and the wide unsigned types would wrap without a word.
template <class T>
concept FitsInt64 = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
                    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t> &&
                    sizeof(T) <= sizeof(std::int64_t) && (std::is_signed_v<T> || sizeof(T) < sizeof(std::int64_t));

}  // namespace belay
