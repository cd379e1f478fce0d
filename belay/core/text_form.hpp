#pragma once

#include <concepts>
#include <optional>
#include <string>
#include <string_view>

namespace belay {

/// How a scalar type is written as text, in JSON strings above all. Specialise it for a type of your own:
///
///     template <> struct belay::TextForm<Colour> {
///       static constexpr std::string_view what = "a colour such as #ff8800";  // completes "is not …"
///       static std::string to_text(Colour const&);
///       static std::optional<Colour> from_text(std::string_view);             // nullopt: the text is not one
///     };
///
/// The specialisation must precede the first use of the type in JSON.
template <class T>
struct TextForm;

template <class T>
concept HasTextForm = requires(T const& value, std::string_view text) {
  { TextForm<T>::to_text(value) } -> std::convertible_to<std::string>;
  { TextForm<T>::from_text(text) } -> std::same_as<std::optional<T>>;
  { TextForm<T>::what } -> std::convertible_to<std::string_view>;
};

}  // namespace belay
