#include "belay/orm/sqlite_dialect.hpp"

#include "belay/orm/detail/sqlite_writer.hpp"

namespace belay::orm {

namespace {

using detail::FixedStatement;
using detail::SqliteWriter;

std::string names_of(TableInfo const& table) {
  std::string names;
  for (auto const& column : table.columns) {
    names.append(names.empty() ? "" : ", ").append(quoted_name(column.name));
  }
  return names;
}

std::string insert_text(TableInfo const& table) {
  auto text = "INSERT INTO " + quoted_name(table.name) + " (" + names_of(table) + ") VALUES (";
  for (std::size_t i = 1; i <= table.columns.size(); ++i) {
    text.append(i == 1 ? "?" : ", ?").append(std::to_string(i));
  }
  return text + ")";
}

std::string definition_of(TableInfo const& table, Column const& column) {
  auto text = quoted_name(column.name);
  text.append(" ").append(sqlite_type_of(column.kind));
  if (column.kind == Kind::decimal) text += " COLLATE belay_decimal";
  if (!column.nullable) text += " NOT NULL";
  if (&column == &table.id()) text += " PRIMARY KEY";
  if (column.kind == Kind::boolean) text += " CHECK (" + quoted_name(column.name) + " IN (0, 1))";
  return text;
}

std::string create_index_text(TableInfo const& table, IndexInfo const& index) {
  std::string name(table.name);
  std::string columns;
  for (auto const position : index.columns) {
    auto const& column = table.columns[position];
    name.append("__").append(column.name);
    columns.append(columns.empty() ? "" : ", ").append(quoted_name(column.name));
  }
  // Not through quoted_name: the parts are checked, and their sum may be longer than a name may be elsewhere.
  return std::string(index.unique ? "CREATE UNIQUE INDEX" : "CREATE INDEX") + " IF NOT EXISTS \"" + name +
         (index.unique ? "__key" : "__index") + "\" ON " + quoted_name(table.name) + " (" + columns + ")";
}

class SqliteDialect final : public Dialect {
 public:
  std::string_view name() const noexcept override { return "sqlite"; }
  std::size_t slot() const noexcept override { return 0; }

  std::string select(Selection const& selection, ScalarSink& sink) const override {
    SqliteWriter writer(sink);
    writer << cached(*selection.table, FixedStatement::select_prefix);
    writer.where(selection);
    writer.order(selection);
    writer.slice(selection);
    return writer.take();
  }

  std::string count(Selection const& selection, ScalarSink& sink) const override {
    SqliteWriter writer(sink);
    writer << "SELECT count(*) FROM ";
    if (selection.is_sliced()) {
      writer << "(SELECT 1 FROM ";
      unordered(writer, selection);
      writer << ")";
    } else {
      unordered(writer, selection);
    }
    return writer.take();
  }

  std::string exists(Selection const& selection, ScalarSink& sink) const override {
    SqliteWriter writer(sink);
    writer << "SELECT EXISTS (SELECT 1 FROM ";
    unordered(writer, selection);
    writer << ")";
    return writer.take();
  }

  std::string update(Selection const& selection, std::span<ColumnValue const> values, ScalarSink& sink) const override {
    SqliteWriter writer(sink);
    writer << "UPDATE " << quoted_name(selection.table->name);
    std::string_view before = " SET ";
    for (auto const& value : values) {
      writer << before << quoted_name(value.column->name) << " = ";
      writer.value(*value.column, value.value);
      before = ", ";
    }
    writer.where_in_slice(selection);
    return writer.take();
  }

  std::string remove(Selection const& selection, ScalarSink& sink) const override {
    SqliteWriter writer(sink);
    writer << "DELETE FROM " << quoted_name(selection.table->name);
    writer.where_in_slice(selection);
    return writer.take();
  }

  std::string fixed(TableInfo const& table, FixedStatement statement) const override {
    auto const from = " FROM " + quoted_name(table.name);
    auto const of_id = " WHERE " + quoted_name(table.id().name) + " = ?1";
    switch (statement) {
      case FixedStatement::insert: return insert_text(table);
      case FixedStatement::find: return "SELECT " + names_of(table) + from + of_id;
      case FixedStatement::remove: return "DELETE" + from + of_id;
      case FixedStatement::select_prefix: return "SELECT " + names_of(table) + from;
    }
    return {};
  }

  std::string update_row(TableInfo const& table, std::span<std::size_t const> columns) const override {
    auto text = "UPDATE " + quoted_name(table.name);
    std::size_t parameter = 0;
    for (auto const position : columns) {
      text += parameter == 0 ? " SET " : ", ";
      text += quoted_name(table.columns[position].name) + " = ?" + std::to_string(++parameter);
    }
    return text + " WHERE " + quoted_name(table.id().name) + " = ?" + std::to_string(++parameter);
  }

  std::vector<std::string> create_table(TableInfo const& table) const override {
    std::string columns;
    for (auto const& column : table.columns) {
      columns.append(columns.empty() ? "" : ", ").append(definition_of(table, column));
    }
    std::vector<std::string> texts{"CREATE TABLE IF NOT EXISTS " + quoted_name(table.name) + " (" + columns +
                                   ") STRICT"};
    for (auto const& index : table.indexes) texts.push_back(create_index_text(table, index));
    return texts;
  }

 private:
  /// How many rows there are does not depend on their order.
  static void unordered(SqliteWriter& writer, Selection const& selection) {
    writer << quoted_name(selection.table->name);
    writer.where(selection);
    writer.slice(selection);
  }
};

}  // namespace

std::string_view sqlite_type_of(Kind kind) noexcept {
  switch (kind) {  // no default: the compiler reports a missing enumerator
    case Kind::boolean:
    case Kind::integer:
    case Kind::datetime:
    case Kind::duration: return "INTEGER";
    case Kind::real: return "REAL";
    case Kind::text:
    case Kind::text_form:
    case Kind::enumeration:
    case Kind::decimal:
    case Kind::json: return "TEXT";
    case Kind::bytes:
    case Kind::uuid: return "BLOB";
    case Kind::key: return "ANY";
  }
  return "ANY";
}

Dialect const& sqlite_dialect() noexcept {
  static SqliteDialect const dialect;
  return dialect;
}

}  // namespace belay::orm
