#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "belay/core/enum_names.hpp"
#include "belay/core/json.hpp"
#include "belay/core/text_form.hpp"
#include "belay/orm/scalar.hpp"

/// How a member of each C++ type is written to a ScalarSink and read from a RowSource. Templates only choose; what can
/// fail, and its words, is compiled once in member_codec.cpp.
namespace belay::orm::detail {

template <class V>
inline constexpr bool is_optional = false;
template <class V>
inline constexpr bool is_optional<std::optional<V>> = true;

template <class V>
struct WithoutOptional {
  using type = V;
};
template <class V>
struct WithoutOptional<std::optional<V>> {
  using type = V;
};
template <class V>
using without_optional = typename WithoutOptional<V>::type;

template <class V>
inline constexpr bool is_id = false;
template <class T>
inline constexpr bool is_id<Id<T>> = true;

template <class V>
concept Integer = std::integral<V> && !std::same_as<V, bool> && !std::same_as<V, char> && !std::same_as<V, wchar_t> &&
                  !std::same_as<V, char8_t> && !std::same_as<V, char16_t> && !std::same_as<V, char32_t>;

template <class V>
concept Real = std::same_as<V, float> || std::same_as<V, double>;

/// The kind of a member of type V, which is no optional.
template <class V>
constexpr Kind kind_of() noexcept {
  if constexpr (std::same_as<V, bool>) {
    return Kind::boolean;
  } else if constexpr (Integer<V>) {
    return Kind::integer;
  } else if constexpr (Real<V>) {
    return Kind::real;
  } else if constexpr (std::same_as<V, std::string>) {
    return Kind::text;
  } else if constexpr (std::same_as<V, Bytes>) {
    return Kind::bytes;
  } else if constexpr (std::same_as<V, Datetime>) {
    return Kind::datetime;
  } else if constexpr (std::same_as<V, Duration>) {
    return Kind::duration;
  } else if constexpr (std::same_as<V, Uuid>) {
    return Kind::uuid;
  } else if constexpr (std::same_as<V, Decimal>) {
    return Kind::decimal;
  } else if constexpr (is_id<V>) {
    return Kind::key;
  } else if constexpr (DescribedEnum<V>) {
    return Kind::enumeration;
  } else if constexpr (HasTextForm<V>) {
    return Kind::text_form;
  } else {
    static_assert(!is_optional<V>, "belay::orm: an optional of an optional cannot be told from an empty one");
    static_assert(!std::is_enum_v<V>, "belay::orm stores enums by name: describe this one with BOOST_DESCRIBE_ENUM");
    static_assert(!std::is_arithmetic_v<V>,
                  "belay::orm has no column for characters and long double: use an integer, double or std::string");
    static_assert(!std::is_pointer_v<V> && !std::same_as<V, std::string_view>,
                  "belay::orm stores members that own their value: use std::string or belay::Id<T>");
    return Kind::json;
  }
}

[[noreturn]] void throw_no_enumerator();
[[noreturn]] void throw_out_of_range(std::int64_t found, std::int64_t lowest, std::uint64_t highest);
[[noreturn]] void throw_beyond_int64(std::uint64_t found);
[[noreturn]] void throw_beyond_float(double found);
[[noreturn]] void throw_empty_id();
[[noreturn]] void throw_unknown_name(std::string_view found, std::string_view const* names, std::size_t count);
[[noreturn]] void throw_not_text_form(std::string_view what);
[[noreturn]] void throw_bad_json(std::vector<json::Issue> const&);

template <DescribedEnum E>
[[noreturn]] void throw_unknown_enumerator(std::string_view found) {
  std::string_view names[enumerators_of<E>.size() + 1];
  std::size_t count = 0;
  for (auto const& entry : enumerators_of<E>) names[count++] = entry.first;
  throw_unknown_name(found, names, count);
}

template <Integer V>
std::int64_t to_int64(V value) {
  if constexpr (std::is_unsigned_v<V> && sizeof(V) >= sizeof(std::int64_t)) {
    if (value > static_cast<V>(std::numeric_limits<std::int64_t>::max())) throw_beyond_int64(value);
  }
  return static_cast<std::int64_t>(value);
}

template <class V>
void write_member(V const& value, ScalarSink& sink) {
  if constexpr (is_optional<V>) {
    if (value) {
      write_member(*value, sink);
    } else {
      sink.null();
    }
  } else {
    constexpr Kind kind = kind_of<V>();
    if constexpr (kind == Kind::boolean) {
      sink.boolean(value);
    } else if constexpr (kind == Kind::integer) {
      sink.integer(to_int64(value));
    } else if constexpr (kind == Kind::real) {
      sink.real(static_cast<double>(value));
    } else if constexpr (kind == Kind::text) {
      sink.text(value);
    } else if constexpr (kind == Kind::bytes) {
      sink.bytes(value);
    } else if constexpr (kind == Kind::datetime) {
      sink.datetime(value);
    } else if constexpr (kind == Kind::duration) {
      sink.duration(value);
    } else if constexpr (kind == Kind::uuid) {
      sink.uuid(value);
    } else if constexpr (kind == Kind::decimal) {
      sink.decimal(value);
    } else if constexpr (kind == Kind::key) {
      if (value.empty()) throw_empty_id();
      sink.key(value.key());
    } else if constexpr (kind == Kind::enumeration) {
      auto const name = enum_name(value);
      if (name.empty()) throw_no_enumerator();
      sink.text(name);
    } else if constexpr (kind == Kind::text_form) {
      sink.text(TextForm<V>::to_text(value));
    } else {
      sink.json(json::to_json(value));
    }
  }
}

template <class V>
void read_member(V& value, RowSource const& row, std::size_t column) {
  if constexpr (is_optional<V>) {
    if (row.is_null(column)) {
      value.reset();
    } else {
      read_member(value.emplace(), row, column);
    }
  } else {
    constexpr Kind kind = kind_of<V>();
    if constexpr (kind == Kind::boolean) {
      value = row.boolean(column);
    } else if constexpr (kind == Kind::integer) {
      auto const found = row.integer(column);
      if (!std::in_range<V>(found)) {
        throw_out_of_range(found, std::is_signed_v<V> ? static_cast<std::int64_t>(std::numeric_limits<V>::min()) : 0,
                           static_cast<std::uint64_t>(std::numeric_limits<V>::max()));
      }
      value = static_cast<V>(found);
    } else if constexpr (kind == Kind::real) {
      auto const found = row.real(column);
      if constexpr (std::same_as<V, float>) {
        constexpr double largest = std::numeric_limits<float>::max();
        bool const is_finite = found - found == 0.0;
        if (is_finite && (found > largest || found < -largest)) throw_beyond_float(found);
      }
      value = static_cast<V>(found);
    } else if constexpr (kind == Kind::text) {
      value = row.text(column);
    } else if constexpr (kind == Kind::bytes) {
      auto const found = row.bytes(column);
      value.assign(found.begin(), found.end());
    } else if constexpr (kind == Kind::datetime) {
      value = row.datetime(column);
    } else if constexpr (kind == Kind::duration) {
      value = row.duration(column);
    } else if constexpr (kind == Kind::uuid) {
      value = row.uuid(column);
    } else if constexpr (kind == Kind::decimal) {
      value = row.decimal(column);
    } else if constexpr (kind == Kind::key) {
      value = V(row.key(column));
    } else if constexpr (kind == Kind::enumeration) {
      auto const name = row.text(column);
      auto const found = enum_from_name<V>(name);
      if (!found) throw_unknown_enumerator<V>(name);
      value = *found;
    } else if constexpr (kind == Kind::text_form) {
      auto found = TextForm<V>::from_text(row.text(column));
      if (!found) throw_not_text_form(TextForm<V>::what);
      value = *std::move(found);
    } else {
      auto const issues = json::read_json(row.json(column), value);
      if (!issues.empty()) throw_bad_json(issues);
    }
  }
}

}  // namespace belay::orm::detail
