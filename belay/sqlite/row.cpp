#include "belay/sqlite/row.hpp"

#include <string>

#include <sqlite3.h>

#include "belay/core/error.hpp"

namespace belay::sqlite {

namespace {

Row::Type type_of(int storage_class) noexcept {
  switch (storage_class) {
    case SQLITE_INTEGER: return Row::Type::integer;
    case SQLITE_FLOAT: return Row::Type::real;
    case SQLITE_TEXT: return Row::Type::text;
    case SQLITE_BLOB: return Row::Type::blob;
    default: return Row::Type::null;
  }
}

[[noreturn]] void refuse(std::string sentence) {
  throw Error(ErrorClass::request, SendState::executed, std::move(sentence));
}

}  // namespace

Row::Row(sqlite3_stmt* statement) noexcept
    : statement_(statement), size_(static_cast<std::size_t>(sqlite3_data_count(statement))) {}

std::string_view Row::name(std::size_t column) const {
  auto const* name = sqlite3_column_name(statement_, checked(column));
  return name == nullptr ? std::string_view() : name;
}

Row::Type Row::type(std::size_t column) const { return type_of(sqlite3_column_type(statement_, checked(column))); }

std::int64_t Row::integer(std::size_t column) const {
  return sqlite3_column_int64(statement_, expect(column, Type::integer));
}

double Row::real(std::size_t column) const {
  int const index = checked(column);
  if (sqlite3_column_type(statement_, index) == SQLITE_INTEGER) {
    return static_cast<double>(sqlite3_column_int64(statement_, index));
  }
  return sqlite3_column_double(statement_, expect(column, Type::real));
}

std::string_view Row::text(std::size_t column) const {
  int const index = expect(column, Type::text);
  auto const* data = static_cast<char const*>(static_cast<void const*>(sqlite3_column_text(statement_, index)));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, index))};
}

std::span<std::byte const> Row::blob(std::size_t column) const {
  int const index = expect(column, Type::blob);
  auto const* data = static_cast<std::byte const*>(sqlite3_column_blob(statement_, index));
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, index))};
}

int Row::checked(std::size_t column) const {
  if (column >= size_) {
    refuse("column " + std::to_string(column) + " does not exist: the row has " + std::to_string(size_) +
           ", counted from 0");
  }
  return static_cast<int>(column);
}

int Row::expect(std::size_t column, Type wanted) const {
  int const index = checked(column);
  auto const found = type_of(sqlite3_column_type(statement_, index));
  if (found != wanted) {
    refuse("column " + std::to_string(column) + " (" + std::string(name(column)) + ") is " +
           std::string(name_of(found)) + ", not " + std::string(name_of(wanted)));
  }
  return index;
}

std::string_view name_of(Row::Type type) noexcept {
  switch (type) {
    case Row::Type::null: return "null";
    case Row::Type::integer: return "integer";
    case Row::Type::real: return "real";
    case Row::Type::text: return "text";
    case Row::Type::blob: return "blob";
  }
  return "unknown";
}

}  // namespace belay::sqlite
