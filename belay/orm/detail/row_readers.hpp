#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "belay/orm/session.hpp"
#include "belay/orm/table.hpp"

namespace belay::orm::detail {

/// Reads all columns of a row into a default-constructed object of the table's model. Error(internal, executed) with
/// engine_code "bad_row" that names table, id and field when one does not fit.
void read_row(TableInfo const&, RowSource const&, void* object);

/// Gathers the rows of a select as objects.
template <class T>
class Rows final : public RowReader {
 public:
  void row(RowSource const& source) override { read_row(table_of<T>, source, &objects.emplace_back()); }
  void restart() override { objects.clear(); }
  std::optional<T> take_first() {
    std::optional<T> first;
    if (!objects.empty()) first.emplace(std::move(objects.front()));
    return first;
  }

  std::vector<T> objects;
};

/// Takes the one number of a count, or the one boolean of an exists.
class NumberReader final : public RowReader {
 public:
  enum class Of { integer, boolean };
  explicit NumberReader(Of of) noexcept : of_(of) {}
  void row(RowSource const& source) override { number_ = of_ == Of::boolean ? source.boolean(0) : source.integer(0); }
  void restart() override { number_ = 0; }
  std::int64_t number() const noexcept { return number_; }

 private:
  Of of_;
  std::int64_t number_ = 0;
};

}  // namespace belay::orm::detail
