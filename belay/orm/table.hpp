#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <boost/describe/members.hpp>
#include <boost/describe/modifiers.hpp>

#include "belay/core/id.hpp"
#include "belay/orm/detail/member_codec.hpp"
#include "belay/orm/detail/sql_cache.hpp"
#include "belay/orm/scalar.hpp"

namespace belay::orm {

/// Says which table a described struct is a row of. Specialise it for each model:
///
///     template <> struct belay::orm::Table<Dossier> {
///       static constexpr auto name = "dossier";
///       static constexpr auto indexes = std::tuple{index<&Dossier::user_id, &Dossier::created_at>,   // optional
///                                                  unique_index<&Dossier::number>};
///     };
///
/// A model is described with BOOST_DESCRIBE_STRUCT, default-constructible, and has a public member `belay::Id<T> id`,
/// at any place. Each described member is a column of the same name. Names are ASCII: letters, digits and underscores,
/// not beginning with a digit.
template <class T>
struct Table;

/// One column of a table: what non-template code needs to know of a member. Constant, with static storage.
struct Column {
  std::string_view name;
  Kind kind;
  bool nullable;  ///< the member is a std::optional
  /// Both throw BadScalar.
  void (*write)(void const* object, ScalarSink&);
  void (*read)(void* object, RowSource const&, std::size_t column);
};

/// Columns are compared by address: each has one object in the program.
using ColumnPointer = Column const*;

struct IndexInfo {
  std::span<std::size_t const> columns;  ///< positions in TableInfo::columns
  bool unique;
};

/// A model's table: constant, with static storage.
struct TableInfo {
  std::string_view name;
  std::span<Column const> columns;
  std::size_t id_position;
  std::span<IndexInfo const> indexes;
  detail::SqlCache* cache;

  Column const& id() const noexcept { return columns[id_position]; }
};

/// Whether `name` may be an identifier in every engine without surprises: [A-Za-z_][A-Za-z0-9_]*, at most 63 bytes.
constexpr bool is_identifier(std::string_view name) noexcept {
  auto const is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty() || name.size() > 63 || !is_letter(name.front())) return false;
  for (char const c : name) {
    if (!is_letter(c) && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

template <auto... members>
struct Index {
  bool unique;
};

/// An index over these members, in this order; for Table<T>::indexes.
template <auto... members>
inline constexpr Index<members...> index{false};

/// The same, and no two rows may agree in all of them. Rows in which one is missing never agree.
template <auto... members>
inline constexpr Index<members...> unique_index{true};

namespace detail {

template <class M>
struct MemberPointer;
template <class V, class C>
struct MemberPointer<V C::*> {
  using Value = V;
  using Class = C;
};
template <auto member>
using value_of_member = typename MemberPointer<decltype(member)>::Value;
template <auto member>
using class_of_member = typename MemberPointer<decltype(member)>::Class;

template <class T>
concept Described = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;

template <class T>
using members_of = boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>;

template <class T, auto member>
void write_member_of(void const* object, ScalarSink& sink) {
  write_member(static_cast<T const*>(object)->*member, sink);
}
template <class T, auto member>
void read_member_of(void* object, RowSource const& row, std::size_t column) {
  read_member(static_cast<T*>(object)->*member, row, column);
}

template <class T, auto member>
constexpr Column make_column(std::string_view name) noexcept {
  using Value = value_of_member<member>;
  return {name, kind_of<without_optional<Value>>(), is_optional<Value>, &write_member_of<T, member>,
          &read_member_of<T, member>};
}

template <class T, template <class...> class List, class... Descriptor>
constexpr std::array<Column, sizeof...(Descriptor)> column_table(List<Descriptor...>) noexcept {
  static_assert((is_identifier(Descriptor::name) && ...),
                "belay::orm: a column's name is made of ASCII letters, digits and underscores, 63 at most");
  return {make_column<T, Descriptor::pointer>(Descriptor::name)...};
}

template <class T>
inline constexpr auto columns_of = column_table<T>(members_of<T>());

template <auto a, auto b>
constexpr bool same_member() noexcept {
  if constexpr (std::is_same_v<decltype(a), decltype(b)>) {
    return a == b;
  } else {
    return false;
  }
}

template <auto member, template <class...> class List, class... Descriptor>
constexpr std::size_t find_member(List<Descriptor...>) noexcept {
  std::size_t position = 0;
  (void)((same_member<member, Descriptor::pointer>() || (++position, false)) || ...);
  return position;
}

/// Its position among T's columns; a described member of a base counts as T's.
template <class T, auto member>
inline constexpr std::size_t position_of = find_member<member>(members_of<T>());

template <class T>
constexpr std::size_t find_id() noexcept {
  constexpr auto count = columns_of<T>.size();
  for (std::size_t i = 0; i < count; ++i) {
    if (columns_of<T>[i].name == "id") return i;
  }
  return count;
}

template <class T>
concept HasIdMember = requires(T object) {
  { object.id } -> std::same_as<Id<T>&>;
};

template <class T, auto... members>
struct IndexColumns {
  static_assert(((position_of<T, members> < columns_of<T>.size()) && ...),
                "belay::orm: an index names a member that the struct does not describe");
  static constexpr std::array<std::size_t, sizeof...(members)> positions{position_of<T, members>...};
};

template <class T, auto... members>
constexpr IndexInfo make_index(Index<members...> given) noexcept {
  return {IndexColumns<T, members...>::positions, given.unique};
}

template <class T>
constexpr auto make_indexes() noexcept {
  if constexpr (requires { Table<T>::indexes; }) {
    return std::apply([](auto... each) { return std::array<IndexInfo, sizeof...(each)>{make_index<T>(each)...}; },
                      Table<T>::indexes);
  } else {
    return std::array<IndexInfo, 0>{};
  }
}

template <class T>
inline constexpr auto indexes_of = make_indexes<T>();

template <class T>
inline constinit SqlCache sql_cache_of{};

template <class T>
constexpr TableInfo make_table() noexcept {
  static_assert(Described<T>, "belay::orm: describe the struct with BOOST_DESCRIBE_STRUCT");
  static_assert(
      requires { Table<T>::name; }, "belay::orm: specialise belay::orm::Table for the struct, with its name");
  static_assert(is_identifier(Table<T>::name),
                "belay::orm: a table's name is made of ASCII letters, digits and underscores, 63 at most");
  static_assert(HasIdMember<T> && find_id<T>() < columns_of<T>.size(),
                "belay::orm: a model has a described member `belay::Id<T> id`");
  return {Table<T>::name, columns_of<T>, find_id<T>(), indexes_of<T>, &sql_cache_of<T>};
}

template <class T>
inline constexpr TableInfo table_of = make_table<T>();

template <class T, auto member>
constexpr ColumnPointer column_of() noexcept {
  static_assert(position_of<T, member> < columns_of<T>.size(),
                "belay::orm: this member is not among the described ones of the struct");
  return &columns_of<T>[position_of<T, member>];
}

}  // namespace detail

/// A struct that the ORM stores: see Table.
template <class T>
concept Model = detail::Described<T> && requires {
  Table<T>::name;
};

/// The table of a model. Thread-safe.
template <Model T>
constexpr TableInfo const& table_of() noexcept {
  return detail::table_of<T>;
}

}  // namespace belay::orm
