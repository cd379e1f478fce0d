#pragma once

#include <cstddef>
#include <memory>

#include "belay/sqlite/result_set.hpp"
#include "belay/sqlite/row.hpp"

namespace belay::sqlite {

/// Collects a statement's rows into a ResultSet, within bounds.
class ResultSetBuilder final : public RowSink {
 public:
  ResultSetBuilder(std::size_t rows_max, std::size_t bytes_max);
  ~ResultSetBuilder() override;

  void columns(sqlite3_stmt*);
  void row(Row const&) override;
  void restart() override;

  ResultSet take();

 private:
  void adopt_columns(Row const&);

  std::size_t rows_max_;
  std::size_t bytes_max_;
  std::size_t rows_ = 0;
  std::size_t bytes_ = 0;
  std::shared_ptr<ResultSet::Content> content_;
};

}  // namespace belay::sqlite
