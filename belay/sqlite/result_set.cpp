#include "belay/sqlite/result_set.hpp"

#include <utility>
#include <vector>

#include <sqlite3.h>

#include "belay/core/error.hpp"
#include "belay/core/value.hpp"
#include "belay/sqlite/result_set_builder.hpp"

namespace belay::sqlite {

struct ResultSet::Content {
  std::vector<std::string> columns;
  std::vector<Value> cells;  ///< row after row
  std::size_t rows = 0;
};

namespace {

Value value_of(Row const& row, std::size_t column) {
  switch (row.type(column)) {
    case Row::Type::null: return Value(nullptr);
    case Row::Type::integer: return Value(row.integer(column));
    case Row::Type::real: return Value(row.real(column));
    case Row::Type::text: return Value(std::string(row.text(column)));
    case Row::Type::blob: {
      auto const blob = row.blob(column);
      return Value(Bytes(blob.begin(), blob.end()));
    }
  }
  return Value(nullptr);
}

std::size_t size_of(Row const& row, std::size_t column) {
  switch (row.type(column)) {
    case Row::Type::text: return row.text(column).size();
    case Row::Type::blob: return row.blob(column).size();
    default: return 0;
  }
}

[[noreturn]] void beyond(std::string const& what, std::size_t limit) {
  throw Error(
      ErrorClass::capacity, SendState::refused,
      "the answer has more than " + std::to_string(limit) + " " + what + ": add a LIMIT, or read it with a sink");
}

}  // namespace

ResultSet::ResultSet() = default;
ResultSet::ResultSet(std::shared_ptr<Content const> content) noexcept : content_(std::move(content)) {}

std::span<std::string const> ResultSet::columns() const noexcept {
  if (!content_) return {};
  return content_->columns;
}

std::size_t ResultSet::size() const noexcept { return content_ ? content_->rows : 0; }

std::span<Value const> ResultSet::row(std::size_t index) const noexcept {
  auto const width = content_->columns.size();
  return std::span<Value const>(content_->cells).subspan(index * width, width);
}

ResultSetBuilder::ResultSetBuilder(std::size_t rows_max, std::size_t bytes_max)
    : rows_max_(rows_max), bytes_max_(bytes_max), content_(std::make_shared<ResultSet::Content>()) {}

ResultSetBuilder::~ResultSetBuilder() = default;

void ResultSetBuilder::columns(sqlite3_stmt* statement) {
  content_->columns.clear();
  int const count = sqlite3_column_count(statement);
  for (int i = 0; i < count; ++i) {
    auto const* name = sqlite3_column_name(statement, i);
    content_->columns.emplace_back(name == nullptr ? "" : name);
  }
}

void ResultSetBuilder::row(Row const& row) {
  if (++rows_ > rows_max_) beyond("rows", rows_max_);
  if (rows_ == 1) adopt_columns(row);
  for (std::size_t column = 0; column < row.size(); ++column) {
    bytes_ += sizeof(Value) + size_of(row, column);
    if (bytes_ > bytes_max_) beyond("bytes", bytes_max_);
    content_->cells.push_back(value_of(row, column));
  }
  ++content_->rows;
}

/// SQLite compiles a statement anew at its first step when the schema has changed: SELECT * may have other columns now.
void ResultSetBuilder::adopt_columns(Row const& row) {
  content_->columns.clear();
  for (std::size_t column = 0; column < row.size(); ++column) content_->columns.emplace_back(row.name(column));
}

void ResultSetBuilder::restart() {
  rows_ = 0;
  bytes_ = 0;
  content_->cells.clear();
  content_->rows = 0;
}

ResultSet ResultSetBuilder::take() { return ResultSet(std::move(content_)); }

}  // namespace belay::sqlite
