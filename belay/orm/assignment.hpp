#pragma once

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

#include "belay/orm/detail/operand.hpp"
#include "belay/orm/selection.hpp"
#include "belay/orm/table.hpp"

namespace belay::orm {

/// A new value for a member of T's rows: see set(). Immutable.
template <Model T>
class Assignment {
 public:
  explicit Assignment(ColumnValue value) : value_(std::move(value)) {}
  ColumnValue const& value() const noexcept { return value_; }

 private:
  ColumnValue value_;
};

/// For Query::update_many: `set<&Dossier::statut>(Statut::archive)`. An optional member also takes std::nullopt.
///
/// Error(request) for a value that cannot be stored. The id is not assignable: other rows may refer to it.
template <auto member, class T = detail::class_of_member<member>, class U>
Assignment<T> set(U&& value) {
  using Member = detail::value_of_member<member>;
  constexpr ColumnPointer column = detail::column_of<T, member>();
  static_assert(detail::position_of<T, member> != detail::find_id<T>(),
                "belay::orm: a row keeps its id; insert a new row instead");
  static_assert(std::convertible_to<U&&, Member>, "belay::orm: the value is not of the member's type");
  static_assert(!detail::breaks_in_co_await<U>, "belay::orm: name the value first, then pass the name");
  if constexpr (detail::Integer<detail::without_optional<Member>> && std::is_arithmetic_v<std::remove_cvref_t<U>>) {
    static_assert(detail::Integer<std::remove_cvref_t<U>>, "belay::orm: an integer member takes an integer");
    if constexpr (detail::Integer<std::remove_cvref_t<U>>) {
      if (!std::in_range<detail::without_optional<Member>>(value)) {
        detail::throw_bad_operand(*column, BadScalar("the integer does not fit the member"));
      }
      return Assignment<T>(ColumnValue{column, detail::scalar_of(*column, value)});
    }
  } else {
    Member const converted(std::forward<U>(value));
    return Assignment<T>(ColumnValue{column, detail::scalar_of(*column, converted)});
  }
}

}  // namespace belay::orm
