#pragma once

#include "belay/orm/table.hpp"

namespace belay::orm {

enum class Direction : unsigned char { ascending, descending };

/// One key of an order, without its model's type.
struct Order {
  ColumnPointer column;
  Direction direction;
};

/// A key of an order of T's rows.
template <Model T>
class OrderKey {
 public:
  constexpr explicit OrderKey(Order order) noexcept : order_(order) {}
  constexpr Order order() const noexcept { return order_; }

 private:
  Order order_;
};

namespace detail {

template <auto member, class T>
constexpr OrderKey<T> make_order(Direction direction) noexcept {
  static_assert(kind_of<without_optional<value_of_member<member>>>() != Kind::json,
                "belay::orm: a member stored as JSON has no order");
  return OrderKey<T>(Order{column_of<T, member>(), direction});
}

}  // namespace detail

/// Smallest first, rows without a value before all others. Enums are ordered by name. For a member that the model
/// inherits: asc<&Base::name, Dossier>.
template <auto member, class T = detail::class_of_member<member>>
inline constexpr OrderKey<T> asc = detail::make_order<member, T>(Direction::ascending);

/// The reverse: largest first, rows without a value last.
template <auto member, class T = detail::class_of_member<member>>
inline constexpr OrderKey<T> desc = detail::make_order<member, T>(Direction::descending);

}  // namespace belay::orm
