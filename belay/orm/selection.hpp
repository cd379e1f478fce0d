#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "belay/orm/condition.hpp"
#include "belay/orm/order.hpp"
#include "belay/orm/table.hpp"

namespace belay::orm {

/// Which rows of a table, in which order: what a Query says, without its model's type. What a dialect renders.
struct Selection {
  TableInfo const* table;
  detail::NodePointer where;  ///< nullptr: all rows
  std::vector<Order> order_by;
  std::optional<std::int64_t> limit;  ///< >= 0
  std::int64_t offset = 0;            ///< >= 0

  bool is_sliced() const noexcept { return limit || offset != 0; }
};

/// A column and the value it shall get.
struct ColumnValue {
  ColumnPointer column;
  Scalar value;
};

}  // namespace belay::orm
