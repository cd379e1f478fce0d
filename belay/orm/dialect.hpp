#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "belay/orm/detail/sql_cache.hpp"
#include "belay/orm/scalar.hpp"
#include "belay/orm/selection.hpp"
#include "belay/orm/table.hpp"

namespace belay::orm {

/// One engine's way of writing statements. Values are never part of a text: they go to the sink, in the order of their
/// placeholders. Clauses come in one order, whatever the order of the calls that built the query.
///
/// What the engine cannot do is Error(request, never_sent) that names it; nothing is left out silently. Stateless,
/// thread-safe, with static storage.
class Dialect {
 public:
  virtual ~Dialect() = default;
  /// "sqlite", "postgresql", "surrealql".
  virtual std::string_view name() const noexcept = 0;
  /// A number of its own, below detail::dialect_slots.
  virtual std::size_t slot() const noexcept = 0;

  /// All columns of the rows, in the table's order.
  virtual std::string select(Selection const&, ScalarSink&) const = 0;
  /// One row with one integer.
  virtual std::string count(Selection const&, ScalarSink&) const = 0;
  /// One row with one boolean.
  virtual std::string exists(Selection const&, ScalarSink&) const = 0;
  /// At least one value.
  virtual std::string update(Selection const&, std::span<ColumnValue const>, ScalarSink&) const = 0;
  virtual std::string remove(Selection const&, ScalarSink&) const = 0;

  /// insert: a row, one parameter a column, in the table's order. find, remove: the row of the id given as the only
  /// parameter. select_prefix: what select() begins with.
  virtual std::string fixed(TableInfo const&, detail::FixedStatement) const = 0;
  /// The columns at these positions of one row, whose id is the last parameter. At least one.
  virtual std::string update_row(TableInfo const&, std::span<std::size_t const> columns) const = 0;
  /// What makes the table and its indexes, where they do not exist.
  virtual std::vector<std::string> create_table(TableInfo const&) const = 0;

 protected:
  /// The text of a fixed statement, rendered once.
  std::string const& cached(TableInfo const& table, detail::FixedStatement statement) const {
    return table.cache->get(table, *this, statement);
  }
};

/// A name in double quotes. Error(request, never_sent) unless is_identifier(name).
std::string quoted_name(std::string_view name);

}  // namespace belay::orm
