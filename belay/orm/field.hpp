#pragma once

#include <concepts>
#include <ranges>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "belay/orm/condition.hpp"
#include "belay/orm/detail/operand.hpp"
#include "belay/orm/table.hpp"

namespace belay::orm {

/// A member of a model as the subject of conditions: `field<&Dossier::user_id> == "ann"`.
///
/// What does not fit the member's type does not compile, with a sentence that says what does. Values are always bound,
/// whatever they contain. Error(request) for values that no column can hold: unsigned integers beyond int64, empty ids.
///
/// What each lookup means, for all engines, is in docs/orm-semantics.md. Stateless.
template <auto member, Model T>
class Field {
 public:
  using Member = detail::value_of_member<member>;
  /// The member's type without std::optional.
  using Value = detail::without_optional<Member>;
  static constexpr Kind kind = detail::kind_of<Value>();

  /// Equal, enumerators also under their aliases. False where the member is missing.
  template <class U>
  Condition<T> operator==(U const& value) const {
    return equals(value);
  }
  /// Exactly the rows for which == is false, so also those where the member is missing.
  template <class U>
  Condition<T> operator!=(U const& value) const {
    return !equals(value);
  }
  template <class U>
  Condition<T> operator<(U const& value) const {
    return orders(Lookup::less, value);
  }
  template <class U>
  Condition<T> operator<=(U const& value) const {
    return orders(Lookup::less_equal, value);
  }
  template <class U>
  Condition<T> operator>(U const& value) const {
    return orders(Lookup::greater, value);
  }
  template <class U>
  Condition<T> operator>=(U const& value) const {
    return orders(Lookup::greater_equal, value);
  }

  /// With another member of the same row; false when either is missing.
  template <auto other>
  Condition<T> operator==(Field<other, T>) const {
    return compares<other>(Lookup::equal);
  }
  template <auto other>
  Condition<T> operator!=(Field<other, T>) const {
    return !compares<other>(Lookup::equal);
  }
  template <auto other>
  Condition<T> operator<(Field<other, T>) const {
    check_has_order();
    return compares<other>(Lookup::less);
  }
  template <auto other>
  Condition<T> operator<=(Field<other, T>) const {
    check_has_order();
    return compares<other>(Lookup::less_equal);
  }
  template <auto other>
  Condition<T> operator>(Field<other, T>) const {
    check_has_order();
    return compares<other>(Lookup::greater);
  }
  template <auto other>
  Condition<T> operator>=(Field<other, T>) const {
    check_has_order();
    return compares<other>(Lookup::greater_equal);
  }

  /// Between both, which are included; nothing when low > high.
  template <class Low, class High>
  Condition<T> between(Low const& low, High const& high) const {
    check_order<Low>();
    check_order<High>();
    return lookup(Lookup::between, {detail::operand<Value>(*column, low), detail::operand<Value>(*column, high)});
  }

  /// Equal to one of the values: in(a, b, c), or in(list). An empty list has no rows. (On g++ 12 a braced list is no
  /// argument inside a co_await expression.)
  template <class First, class... Others>
  Condition<T> in(First&& first, Others&&... others) const {
    static_assert(!detail::breaks_in_co_await<First>, "belay::orm: name the list first, then pass the name");
    std::vector<Scalar> values;
    if constexpr (sizeof...(Others) == 0 && detail::ListOf<std::remove_cvref_t<First>>) {
      for (std::ranges::range_value_t<std::remove_cvref_t<First>> const& value : first) append(values, value);
    } else {
      append(values, first);
      (append(values, others), ...);
    }
    return lookup(Lookup::in, std::move(values));
  }
  /// Exactly the rows for which in() is false.
  template <class First, class... Others>
  Condition<T> not_in(First&& first, Others&&... others) const {
    return !in(std::forward<First>(first), std::forward<Others>(others)...);
  }

  /// The member is a std::optional without a value. A column read from SurrealDB has none for NONE and for NULL.
  Condition<T> is_null() const {
    static_assert(detail::is_optional<Member>, "belay::orm: only a std::optional member can be missing");
    return lookup(Lookup::is_null, {});
  }
  /// The field is NONE and not NULL: only where the engine tells them apart; others refuse the query by name.
  Condition<T> is_none() const {
    static_assert(detail::is_optional<Member>, "belay::orm: only a std::optional member can be missing");
    return lookup(Lookup::is_none, {});
  }

  /// SQL's pattern over the whole text: '%' any run, '_' any one character, '\' takes the next one literally.
  Condition<T> like(std::string_view pattern) const { return text_lookup(Lookup::like, pattern); }
  Condition<T> ilike(std::string_view pattern) const { return text_lookup(Lookup::ilike, pattern); }
  Condition<T> icontains(std::string_view part) const { return text_lookup(Lookup::icontains, part); }
  Condition<T> startswith(std::string_view part) const { return text_lookup(Lookup::starts_with, part); }
  Condition<T> istartswith(std::string_view part) const { return text_lookup(Lookup::istarts_with, part); }
  Condition<T> endswith(std::string_view part) const { return text_lookup(Lookup::ends_with, part); }
  Condition<T> iendswith(std::string_view part) const { return text_lookup(Lookup::iends_with, part); }
  /// RE2's dialect, anywhere in the text; anchor with ^ and $ for all of it. A bad pattern is Error(request).
  Condition<T> regex(std::string_view pattern) const { return text_lookup(Lookup::regex, pattern); }
  Condition<T> iregex(std::string_view pattern) const { return text_lookup(Lookup::iregex, pattern); }
  /// Full text search, where the engine has it; others refuse the query by name.
  Condition<T> match(std::string_view words) const { return text_lookup(Lookup::match, words); }

  /// Of a text member: it contains this text. Of a list member: it has this element.
  template <class U>
  Condition<T> contains(U const& part) const {
    if constexpr (kind == Kind::text) {
      static_assert(std::convertible_to<U const&, std::string_view>,
                    "belay::orm: contains on a text member takes a text");
      return text_lookup(Lookup::contains, part);
    } else {
      std::vector<Scalar> values;
      append_element(values, part);
      return lookup(Lookup::has_any_of, std::move(values));
    }
  }
  /// Of a list member: each of these is among its elements. An empty list asks only that the member is there.
  template <detail::ListOf List>
  Condition<T> contains_all(List const& parts) const {
    std::vector<detail::NodePointer> nodes;
    if constexpr (detail::is_optional<Member>) nodes.push_back((!is_null()).node());
    for (auto const& part : parts) nodes.push_back(contains(part).node());
    return Condition<T>(detail::conjunction(std::move(nodes)));
  }
  /// Of a list member: at least one of these is among its elements; an empty list has no rows.
  template <detail::ListOf List>
  Condition<T> contains_any(List const& parts) const {
    std::vector<Scalar> values;
    for (auto const& part : parts) append_element(values, part);
    return lookup(Lookup::has_any_of, std::move(values));
  }

 private:
  static constexpr ColumnPointer column = detail::column_of<T, member>();

  static Condition<T> lookup(Lookup what, std::vector<Scalar> values) {
    return Condition<T>(detail::make_lookup(what, column, std::move(values)));
  }

  template <class U>
  static constexpr void check_equality() {
    static_assert(!detail::is_missing<U>,
                  "belay::orm: nothing equals a missing value: use is_null(), or compare with the optional's value");
    static_assert(kind != Kind::json,
                  "belay::orm: a member stored as JSON has no equality in a query; for lists use contains, "
                  "contains_all, contains_any");
    static_assert(kind == Kind::json || detail::is_missing<U> || detail::is_comparable<Value, U>(),
                  "belay::orm: the value is not of the member's type");
  }
  template <class U>
  static constexpr void check_order() {
    check_equality<U>();
    check_has_order();
  }
  static constexpr void check_has_order() {
    static_assert(kind != Kind::enumeration && kind != Kind::text_form && kind != Kind::boolean,
                  "belay::orm: <, <=, >, >= and between need a member with an order that all engines share; booleans, "
                  "enums and types with a text form have none: use == or in");
  }

  template <class U>
  static void append(std::vector<Scalar>& values, U const& value) {
    check_equality<U>();
    if constexpr (kind != Kind::json && !detail::is_missing<U>) {
      if constexpr (detail::is_comparable<Value, U>()) detail::append_equals<Value>(values, *column, value);
    }
  }
  template <class U>
  static Condition<T> equals(U const& value) {
    std::vector<Scalar> values;
    append(values, value);
    auto const what = values.size() == 1 ? Lookup::equal : Lookup::in;
    return lookup(what, std::move(values));
  }
  template <class U>
  static Condition<T> orders(Lookup what, U const& value) {
    check_order<U>();
    std::vector<Scalar> values;
    append(values, value);
    return lookup(what, std::move(values));
  }
  template <auto other>
  static Condition<T> compares(Lookup what) {
    using Other = Field<other, T>;
    static_assert(kind == Other::kind, "belay::orm: two members are compared only when they are of one kind");
    static_assert(kind != Kind::json && Other::kind != Kind::json,
                  "belay::orm: members stored as JSON have no equality in a query");
    static_assert(kind == Kind::integer || kind == Kind::real || kind != Other::kind ||
                      std::is_same_v<Value, typename Other::Value>,
                  "belay::orm: two members are compared only when they are of one type");
    static_assert(!detail::has_aliases<Value>,
                  "belay::orm: two members of an enum with aliases may hold different texts for one value");
    return Condition<T>(detail::make_columns(what, column, detail::column_of<T, other>()));
  }
  static Condition<T> text_lookup(Lookup what, std::string_view text) {
    static_assert(kind == Kind::text, "belay::orm: this lookup is for std::string members");
    return lookup(what, {Scalar(std::string(text))});
  }
  template <class U>
  static void append_element(std::vector<Scalar>& values, U const& value) {
    using Element = detail::element_of<Value>;
    static_assert(detail::can_look_for_element<Element>(),
                  "belay::orm: contains, contains_all and contains_any are for std::string members and for lists of "
                  "texts, integers, enums and types with a text form");
    if constexpr (detail::can_look_for_element<Element>()) {
      static_assert(detail::is_comparable<Element, U>(), "belay::orm: the value is not of the elements' type");
      if constexpr (detail::is_comparable<Element, U>()) detail::append_element<Element>(values, *column, value);
    }
  }
};

/// `field<&Dossier::user_id>`; for a member that the model inherits: `field<&Base::name, Dossier>`.
template <auto member, class T = detail::class_of_member<member>>
inline constexpr Field<member, T> field{};

}  // namespace belay::orm
