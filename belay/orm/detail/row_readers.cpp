#include "belay/orm/detail/row_readers.hpp"

#include <string>

#include "belay/core/error.hpp"
#include "belay/orm/detail/record_name.hpp"

namespace belay::orm::detail {

namespace {

std::string name_of_row(TableInfo const& table, RowSource const& row) {
  try {
    return record_name(table, row.key(table.id_position));
  } catch (BadScalar const&) {
    return std::string(table.name) + ":?";
  }
}

[[noreturn]] void throw_bad_row(TableInfo const& table, RowSource const& row, Column const& column,
                                BadScalar const& bad) {
  auto const record = name_of_row(table, row);
  std::string const field(column.name);
  throw Error(ErrorClass::internal, SendState::executed, record + " field " + field + ": " + bad.what(), "bad_row",
              {{"table", std::string(table.name)}, {"id", record}, {"field", field}, {"found", bad.what()}});
}

}  // namespace

void read_row(TableInfo const& table, RowSource const& row, void* object) {
  for (std::size_t position = 0; position < table.columns.size(); ++position) {
    auto const& column = table.columns[position];
    try {
      column.read(object, row, position);
    } catch (BadScalar const& bad) {
      throw_bad_row(table, row, column, bad);
    }
  }
}

}  // namespace belay::orm::detail
