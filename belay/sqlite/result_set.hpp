#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace belay {
class Value;
}

namespace belay::sqlite {

/// The rows of one statement, read in full: column names and one belay::Value per cell.
///
/// NULL becomes Value's NULL, integers int64, reals double, text string, blobs bytes. Immutable and cheap to copy.
/// Include belay/core/value.hpp to look into the cells.
class ResultSet {
 public:
  /// No columns, no rows.
  ResultSet();

  /// In the statement's order; present also when there is no row, empty when the statement returns no columns.
  std::span<std::string const> columns() const noexcept;
  /// The number of rows.
  std::size_t size() const noexcept;
  bool empty() const noexcept { return size() == 0; }
  /// The cells of a row, as many as columns(). The row must exist.
  std::span<Value const> row(std::size_t index) const noexcept;

 private:
  friend class ResultSetBuilder;
  struct Content;
  explicit ResultSet(std::shared_ptr<Content const>) noexcept;
  std::shared_ptr<Content const> content_;
};

}  // namespace belay::sqlite
