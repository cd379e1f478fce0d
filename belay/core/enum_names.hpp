#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <boost/describe/enumerators.hpp>

namespace belay {

/// An enumeration described with BOOST_DESCRIBE_ENUM, whose enumerators therefore have names at run time.
template <class E>
concept DescribedEnum = std::is_enum_v<E> && boost::describe::has_describe_enumerators<E>::value;

/// Further names accepted on input. Specialise it for an enumeration whose stored or received text has older spellings:
///
///     template <> struct belay::EnumAliases<Status> {
///       static constexpr std::pair<std::string_view, Status> values[] = {{"done", Status::finished}};
///     };
template <class E>
struct EnumAliases {
  static constexpr std::array<std::pair<std::string_view, E>, 0> values{};
};

namespace detail {

template <class E, template <class...> class List, class... Enumerator>
constexpr auto enumerator_table(List<Enumerator...>) noexcept {
  return std::array<std::pair<std::string_view, E>, sizeof...(Enumerator)>{
      {{std::string_view(Enumerator::name), Enumerator::value}...}};
}

}  // namespace detail

/// Names and values in the order of the description, without aliases.
template <DescribedEnum E>
inline constexpr auto enumerators_of = detail::enumerator_table<E>(boost::describe::describe_enumerators<E>());

/// The enumerator's own name: "en_analyse". Empty for a value that is no enumerator.
template <DescribedEnum E>
constexpr std::string_view enum_name(E value) noexcept {
  for (auto const& [name, enumerator] : enumerators_of<E>) {
    if (enumerator == value) return name;
  }
  return {};
}

/// The enumerator of that very name (case matters), or of that alias; nullopt when there is none.
template <DescribedEnum E>
constexpr std::optional<E> enum_from_name(std::string_view text) noexcept {
  for (auto const& [name, enumerator] : enumerators_of<E>) {
    if (name == text) return enumerator;
  }
  for (auto const& [name, enumerator] : EnumAliases<E>::values) {
    if (name == text) return enumerator;
  }
  return std::nullopt;
}

}  // namespace belay
