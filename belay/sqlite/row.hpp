#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

struct sqlite3_stmt;

namespace belay::sqlite {

/// The current row of a running statement. Valid, with every view taken from it, only inside RowSink::row.
///
/// An accessor whose type does not match the cell throws Error(request, executed) that names the column and both
/// types: SQLite's silent conversions (text "abc" read as 0) would hide wrong data. An index past the last column is
/// an error of the same kind.
class Row {
 public:
  enum class Type { null, integer, real, text, blob };

  /// Made by the engine around its running statement; the statement must outlive the row.
  explicit Row(sqlite3_stmt* statement) noexcept;

  std::size_t size() const noexcept { return size_; }
  /// The column's name as SQLite gives it: the text after AS, else the column's own name.
  std::string_view name(std::size_t column) const;
  Type type(std::size_t column) const;
  bool is_null(std::size_t column) const { return type(column) == Type::null; }
  std::int64_t integer(std::size_t column) const;
  /// Also of an integer cell, converted; beyond 2^53 that may round.
  double real(std::size_t column) const;
  std::string_view text(std::size_t column) const;
  std::span<std::byte const> blob(std::size_t column) const;

 private:
  int checked(std::size_t column) const;
  int expect(std::size_t column, Type wanted) const;

  sqlite3_stmt* statement_;
  std::size_t size_;
};

/// "null", "integer", "real", "text", "blob".
std::string_view name_of(Row::Type) noexcept;

/// Where a statement's rows go, in order, while it runs. Shared with the engine: it lives until the statement ended.
///
/// Called on one of the engine's threads, never on two at a time, and never after the awaiting call has returned or
/// thrown; what it wrote is visible to the awaiting coroutine without further synchronisation. Return quickly: the
/// connection waits meanwhile, and neither deadline nor cancellation can end a call of row().
class RowSink {
 public:
  virtual ~RowSink() = default;
  /// Takes one row. An exception ends the statement (a write is rolled back) and is what the awaiting caller gets.
  virtual void row(Row const&) = 0;
  /// Forget all rows so far: the statement runs again from its start, because the transaction it shared with others
  /// was lost through no fault of its own.
  virtual void restart() = 0;
};

}  // namespace belay::sqlite
