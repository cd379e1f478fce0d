#include "belay/orm/detail/sqlite_schema.hpp"

#include <algorithm>
#include <memory>
#include <string_view>

#include "belay/orm/sqlite_dialect.hpp"

namespace asio = boost::asio;

namespace belay::orm::detail {

namespace {

struct ExistingColumn {
  std::string name;
  std::string type;
  bool not_null;
  bool has_default;
  bool in_primary_key;
  bool is_generated;
};

class ExistingColumns final : public RowReader {
 public:
  void row(RowSource const& source) override {
    columns.push_back({std::string(source.text(0)), std::string(source.text(1)), source.integer(2) != 0,
                       source.boolean(3), source.integer(4) != 0, source.integer(5) != 0});
  }
  void restart() override { columns.clear(); }

  std::vector<ExistingColumn> columns;
};

std::string add_column_hint(TableInfo const& table, Column const& column) {
  auto text = "ALTER TABLE " + quoted_name(table.name) + " ADD COLUMN " + quoted_name(column.name) + " " +
              std::string(sqlite_type_of(column.kind));
  if (!column.nullable) text += " NOT NULL DEFAULT …";
  return text;
}

void compare(TableInfo const& table, Column const& column, ExistingColumn const& existing,
             std::vector<std::string>& problems) {
  auto const name = "column " + existing.name;
  auto const type = sqlite_type_of(column.kind);
  if (existing.type != type) {
    problems.push_back(name + " has type '" + existing.type + "' but a member of kind " +
                       std::string(name_of(column.kind)) + " needs " + std::string(type) +
                       ": copy the table to one that create_tables makes");
  }
  bool const is_id = &column == &table.id();
  if (is_id != existing.in_primary_key) {
    problems.push_back(name + (is_id
                                   ? " is not the primary key, which find and get rely on: copy the table to one that "
                                     "create_tables makes"
                                   : " is part of the primary key, which is the column id alone: copy the table to one "
                                     "that create_tables makes"));
  }
  if (column.nullable && existing.not_null) {
    problems.push_back(name +
                       " is NOT NULL but its member is std::optional: make the member's type plain, or copy the "
                       "table to one that create_tables makes");
  }
  // In a STRICT or rowid table a primary key may be NULL unless it says otherwise.
  if (!column.nullable && !existing.not_null) {
    problems.push_back(name +
                       " may be NULL but its member cannot be empty: make the member std::optional, or copy the "
                       "table to one that create_tables makes");
  }
}

std::vector<std::string> compare(TableInfo const& table, std::vector<ExistingColumn> const& existing) {
  if (existing.empty()) return {"it does not exist: call create_tables, or run the migrations"};
  std::vector<std::string> problems;
  for (auto const& column : table.columns) {
    auto const found = std::find_if(existing.begin(), existing.end(),
                                    [&](ExistingColumn const& candidate) { return candidate.name == column.name; });
    if (found == existing.end()) {
      problems.push_back("column " + std::string(column.name) + " is missing: run " + add_column_hint(table, column));
    } else {
      compare(table, column, *found, problems);
    }
  }
  for (auto const& extra : existing) {
    bool const is_known = std::any_of(table.columns.begin(), table.columns.end(),
                                      [&](Column const& column) { return column.name == extra.name; });
    bool const blocks_inserts = extra.not_null && !extra.has_default && !extra.is_generated;
    if (!is_known && blocks_inserts) {
      problems.push_back("column " + extra.name +
                         " is no member but is NOT NULL without a default, so that inserts "
                         "fail: give it a default, or add the member");
    }
  }
  return problems;
}

}  // namespace

asio::awaitable<std::vector<std::string>> sqlite_schema_problems(Session& session, TableInfo const& table,
                                                                 Deadline deadline) {
  auto reader = std::make_shared<ExistingColumns>();
  session.parameters().text(table.name);
  std::string const text =
      "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, pk, hidden FROM pragma_table_xinfo(?1)";
  co_await session.read(text, reader, deadline);
  co_return compare(table, reader->columns);
}

}  // namespace belay::orm::detail
