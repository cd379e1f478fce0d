#pragma once

#include <concepts>
#include <cstddef>
#include <iterator>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "belay/core/await_safe.hpp"
#include "belay/orm/detail/member_codec.hpp"
#include "belay/orm/table.hpp"

/// Operands of conditions and updates: checked against the member's type at compile time, kept as Scalars.
namespace belay::orm::detail {

/// Error(request, never_sent) that names the column.
[[noreturn]] void throw_bad_operand(Column const&, BadScalar const&);

/// A prvalue of such a type inside a co_await expression is destroyed twice by g++ 12.
template <class U>
inline constexpr bool breaks_in_co_await =
    temporaries_break_in_co_await && !std::is_lvalue_reference_v<U> && std::is_aggregate_v<std::remove_cvref_t<U>> &&
    !std::is_trivially_destructible_v<std::remove_cvref_t<U>>;

template <class V>
Scalar scalar_of(Column const& column, V const& value) {
  ScalarCapture capture;
  try {
    write_member(value, capture);
  } catch (BadScalar const& bad) {
    throw_bad_operand(column, bad);
  }
  return capture.take();
}

template <class U>
inline constexpr bool is_missing = std::is_same_v<U, std::nullopt_t> || std::is_null_pointer_v<U> || is_optional<U>;

template <class V, class U>
constexpr bool is_comparable() noexcept {
  constexpr Kind kind = kind_of<V>();
  if constexpr (kind == Kind::integer) {
    return Integer<U>;
  } else if constexpr (kind == Kind::real) {
    return Integer<U> || Real<U>;
  } else if constexpr (kind == Kind::text) {
    return std::convertible_to<U const&, std::string_view>;
  } else if constexpr (kind == Kind::decimal) {
    return std::same_as<U, Decimal> || Integer<U>;
  } else {
    return std::same_as<U, V>;
  }
}

/// The operand `value` for a column that holds V; instantiated only when is_comparable.
template <class V, class U>
Scalar operand(Column const& column, U const& value) {
  constexpr Kind kind = kind_of<V>();
  if constexpr (kind == Kind::real) {
    return scalar_of(column, static_cast<double>(value));
  } else if constexpr (kind == Kind::text) {
    return Scalar(std::string(std::string_view(value)));
  } else if constexpr (kind == Kind::decimal && Integer<U>) {
    return scalar_of(column, Decimal(to_int64(value)));
  } else {
    return scalar_of(column, value);
  }
}

/// All texts that an enumerator is read from: a row that holds an alias equals the enumerator.
template <DescribedEnum E>
void append_spellings(std::vector<Scalar>& values, Column const& column, E value) {
  values.push_back(scalar_of(column, value));
  for (auto const& [alias, enumerator] : EnumAliases<E>::values) {
    if (enumerator == value) values.emplace_back(std::string(alias));
  }
}

template <class E>
inline constexpr bool has_aliases = false;
template <DescribedEnum E>
inline constexpr bool has_aliases<E> = std::ranges::size(EnumAliases<E>::values) > 0;

template <class V, class U>
void append_equals(std::vector<Scalar>& values, Column const& column, U const& value) {
  if constexpr (DescribedEnum<V>) {
    append_spellings(values, column, value);
  } else {
    values.push_back(operand<V>(column, value));
  }
}

template <class V>
struct ListElement {
  using type = void;
};
template <class E>
struct ListElement<std::vector<E>> {
  using type = E;
};
template <class E, std::size_t n>
struct ListElement<std::array<E, n>> {
  using type = E;
};
/// The type of a list member's elements, void when it is no list.
template <class V>
using element_of = typename ListElement<V>::type;

/// Elements live inside JSON, so they are compared in the form that JSON gives them: dates, UUIDs, ids as text.
template <class E, class U>
void append_element(std::vector<Scalar>& values, Column const& column, U const& value) {
  constexpr Kind kind = kind_of<E>();
  if constexpr (kind == Kind::enumeration) {
    append_spellings(values, column, value);
  } else if constexpr (kind == Kind::integer || kind == Kind::text || kind == Kind::decimal) {
    values.push_back(operand<E>(column, value));
  } else {
    values.emplace_back(std::string(TextForm<E>::to_text(value)));
  }
}

/// Element types that can be looked for. Real numbers are left out: what a JSON reader makes of their text differs in
/// the last digit.
template <class E>
constexpr bool can_look_for_element() noexcept {
  if constexpr (std::is_void_v<E> || is_optional<E>) {
    return false;
  } else if constexpr (DescribedEnum<E> || HasTextForm<E> || Integer<E> || std::same_as<E, std::string>) {
    return true;
  } else {
    return false;
  }
}

template <class R>
concept ListOf =
    std::ranges::input_range<R const> && !std::convertible_to<R const&, std::string_view> && !std::same_as<R, Bytes>;

}  // namespace belay::orm::detail
