#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <boost/describe/members.hpp>
#include <boost/describe/modifiers.hpp>

#include "belay/core/enum_names.hpp"
#include "belay/core/text_form.hpp"

namespace belay {
class Value;
}

/// What the JSON reader and writer know of a C++ type: a constant table per type, so that the code that walks text and
/// objects is compiled once and not once per type.
namespace belay::json::detail {

struct Type;
/// Tables refer to each other by function, because a model may contain itself (a tree of nodes).
using TypeFunction = Type const& (*)() noexcept;

enum class Shape : unsigned char {
  boolean,
  signed_integer,
  unsigned_integer,
  real,
  string,
  string_view,  ///< written only
  text,         ///< a scalar in a JSON string
  optional,
  list,
  map,
  structure,
  value
};

/// How a scalar becomes text and back.
struct TextOperations {
  bool (*append)(std::string& out, void const* scalar);  ///< unescaped; false: it has no text
  bool (*read)(std::string_view, void* scalar);          ///< false: not such a text
  std::string (*what)();                                 ///< completes "is not …"
};

struct OptionalOperations {
  TypeFunction inner;
  void const* (*get)(void const*) noexcept;  ///< nullptr when empty
  void* (*emplace)(void*);
  void (*reset)(void*) noexcept;
};

struct ListOperations {
  TypeFunction inner;
  std::size_t (*size)(void const*) noexcept;
  void const* (*at)(void const*, std::size_t) noexcept;
  void (*clear)(void*);
  void* (*append)(void*, std::size_t index);  ///< nullptr when it cannot hold more
  std::size_t exact_size;                     ///< of an array; 0 for what grows
};

struct MapOperations {
  TypeFunction inner;
  void (*each)(void const*, void* context, void (*visit)(void* context, std::string_view key, void const* value));
  void (*clear)(void*);
  void* (*insert)(void*, std::string_view key);  ///< nullptr when the key is there already
};

struct Member {
  std::string_view name;
  TypeFunction type;
  void* (*address)(void* object) noexcept;
};

struct Type {
  Shape shape;
  unsigned char size = 0;  ///< bytes of a number
  TextOperations const* text = nullptr;
  OptionalOperations const* optional = nullptr;
  ListOperations const* list = nullptr;
  MapOperations const* map = nullptr;
  Member const* members = nullptr;
  std::size_t member_count = 0;
};

/// The most members a described struct may have.
inline constexpr std::size_t members_max = 128;

template <class T>
Type const& type_of() noexcept;

// ---- which C++ types there are -------------------------------------------------------------------------------------

template <class T>
concept Number = std::is_arithmetic_v<T> && !std::same_as<T, bool> && !std::same_as<T, char> &&
                 !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> && !std::same_as<T, char16_t> &&
                 !std::same_as<T, char32_t> && !std::same_as<T, long double>;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = !std::is_same_v<T, bool>;

template <class T>
inline constexpr bool is_array = false;
template <class T, std::size_t n>
inline constexpr bool is_array<std::array<T, n>> = n > 0;

/// std::map, std::unordered_map and their like, with string keys.
template <class T>
concept StringMap = requires(T map, typename T::key_type key) {
  requires std::same_as<typename T::key_type, std::string>;
  typename T::mapped_type;
  { map.try_emplace(key).second } -> std::convertible_to<bool>;
};

template <class T>
concept DescribedStruct = std::is_class_v<T> && boost::describe::has_describe_members<T>::value;

// ---- operations ----------------------------------------------------------------------------------------------------

template <HasTextForm T>
inline constexpr TextOperations text_form_operations{.append =
                                                         [](std::string& out, void const* scalar) {
                                                           out += TextForm<T>::to_text(*static_cast<T const*>(scalar));
                                                           return true;
                                                         },
                                                     .read =
                                                         [](std::string_view text, void* scalar) {
                                                           auto value = TextForm<T>::from_text(text);
                                                           if (!value) return false;
                                                           *static_cast<T*>(scalar) = *std::move(value);
                                                           return true;
                                                         },
                                                     .what = [] { return std::string(TextForm<T>::what); }};

template <DescribedEnum T>
inline constexpr TextOperations enum_operations{.append =
                                                    [](std::string& out, void const* scalar) {
                                                      auto const name = enum_name(*static_cast<T const*>(scalar));
                                                      out += name;
                                                      return !name.empty();
                                                    },
                                                .read =
                                                    [](std::string_view text, void* scalar) {
                                                      auto const value = enum_from_name<T>(text);
                                                      if (value) *static_cast<T*>(scalar) = *value;
                                                      return value.has_value();
                                                    },
                                                .what =
                                                    [] {
                                                      std::string names = "one of";
                                                      for (auto const& entry : enumerators_of<T>)
                                                        (names += names.back() == 'f' ? " " : ", ") += entry.first;
                                                      return names;
                                                    }};

template <class T>
inline constexpr OptionalOperations optional_operations{
    .inner = &type_of<typename T::value_type>,
    .get = [](void const* optional) noexcept -> void const* {
      auto const& value = *static_cast<T const*>(optional);
      return value ? &*value : nullptr;
    },
    .emplace = [](void* optional) -> void* { return &static_cast<T*>(optional)->emplace(); },
    .reset = [](void* optional) noexcept { static_cast<T*>(optional)->reset(); }};

template <class T>
inline constexpr ListOperations vector_operations{
    .inner = &type_of<typename T::value_type>,
    .size = [](void const* list) noexcept { return static_cast<T const*>(list)->size(); },
    .at = [](void const* list, std::size_t i) noexcept -> void const* {
      return static_cast<T const*>(list)->data() + i;
    },
    .clear = [](void* list) { static_cast<T*>(list)->clear(); },
    .append = [](void* list, std::size_t) -> void* { return &static_cast<T*>(list)->emplace_back(); },
    .exact_size = 0};

template <class T>
inline constexpr ListOperations array_operations{.inner = &type_of<typename T::value_type>,
                                                 .size = [](void const*) noexcept { return std::tuple_size_v<T>; },
                                                 .at = [](void const* list, std::size_t i) noexcept -> void const* {
                                                   return static_cast<T const*>(list)->data() + i;
                                                 },
                                                 .clear = [](void*) {},
                                                 .append = [](void* list, std::size_t i) -> void* {
                                                   return i < std::tuple_size_v<T> ? static_cast<T*>(list)->data() + i
                                                                                   : nullptr;
                                                 },
                                                 .exact_size = std::tuple_size_v<T>};

template <class T>
inline constexpr MapOperations map_operations{
    .inner = &type_of<typename T::mapped_type>,
    .each =
        [](void const* map, void* context, void (*visit)(void*, std::string_view, void const*)) {
          for (auto const& [key, value] : *static_cast<T const*>(map)) visit(context, key, &value);
        },
    .clear = [](void* map) { static_cast<T*>(map)->clear(); },
    .insert = [](void* map, std::string_view key) -> void* {
      auto const [place, is_new] = static_cast<T*>(map)->try_emplace(std::string(key));
      return is_new ? &place->second : nullptr;
    }};

template <class T, auto pointer>
void* member_address(void* object) noexcept {
  return &(static_cast<T*>(object)->*pointer);
}

template <class T, auto pointer>
constexpr TypeFunction member_type() noexcept {
  return &type_of<std::remove_reference_t<decltype(std::declval<T&>().*pointer)>>;
}

template <class T, template <class...> class List, class... Descriptor>
constexpr std::array<Member, sizeof...(Descriptor)> member_table(List<Descriptor...>) noexcept {
  static_assert(sizeof...(Descriptor) <= members_max, "this struct has too many members for belay::json");
  return {Member{Descriptor::name, member_type<T, Descriptor::pointer>(), &member_address<T, Descriptor::pointer>}...};
}

template <DescribedStruct T>
inline constexpr auto members_of = member_table<T>(
    boost::describe::describe_members<T, boost::describe::mod_public | boost::describe::mod_inherited>());

template <class T>
constexpr Type make_type() noexcept {
  if constexpr (HasTextForm<T>) {
    return {.shape = Shape::text, .text = &text_form_operations<T>};
  } else if constexpr (std::same_as<T, bool>) {
    return {.shape = Shape::boolean};
  } else if constexpr (Number<T>) {
    return {.shape = std::is_floating_point_v<T> ? Shape::real
                     : std::is_signed_v<T>       ? Shape::signed_integer
                                                 : Shape::unsigned_integer,
            .size = sizeof(T)};
  } else if constexpr (std::same_as<T, std::string>) {
    return {.shape = Shape::string};
  } else if constexpr (std::same_as<T, std::string_view>) {
    return {.shape = Shape::string_view};
  } else if constexpr (DescribedEnum<T>) {
    return {.shape = Shape::text, .text = &enum_operations<T>};
  } else if constexpr (is_optional<T>) {
    return {.shape = Shape::optional, .optional = &optional_operations<T>};
  } else if constexpr (is_vector<T>) {
    return {.shape = Shape::list, .list = &vector_operations<T>};
  } else if constexpr (is_array<T>) {
    return {.shape = Shape::list, .list = &array_operations<T>};
  } else if constexpr (StringMap<T>) {
    return {.shape = Shape::map, .map = &map_operations<T>};
  } else if constexpr (std::same_as<T, Value>) {
    return {.shape = Shape::value};
  } else {
    static_assert(DescribedStruct<T>,
                  "belay::json knows no such type: describe the struct or enum with Boost.Describe, or specialise "
                  "belay::TextForm for it");
    return {.shape = Shape::structure, .members = members_of<T>.data(), .member_count = members_of<T>.size()};
  }
}

template <class T>
Type const& type_of() noexcept {
  static constexpr Type type = make_type<T>();
  return type;
}

}  // namespace belay::json::detail
