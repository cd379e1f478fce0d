#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "belay/orm/scalar.hpp"
#include "belay/orm/selection.hpp"
#include "belay/orm/table.hpp"

namespace belay::orm::detail {

/// Writes one statement of SQLite's: its text here, its values to the sink, in step. Error(request, never_sent) for
/// what SQLite cannot do or hold.
class SqliteWriter {
 public:
  explicit SqliteWriter(ScalarSink& sink) noexcept : sink_(sink) {}

  SqliteWriter& operator<<(std::string_view text) {
    text_ += text;
    return *this;
  }
  std::string take() noexcept { return std::move(text_); }

  /// A placeholder for the column's value.
  void value(Column const&, Scalar const&);

  /// The clauses, each with a blank before it; nothing when the selection has no such clause.
  void where(Selection const&);
  void order(Selection const&);
  void slice(Selection const&);
  /// The rows of the selection, for statements that can be neither sliced nor sorted themselves.
  void where_in_slice(Selection const&);

 private:
  /// Whether a condition is asked for or its exact opposite. It is pushed down to the lookups: above them stand AND and
  /// OR only, for which NULL is as good as false.
  enum class Sense : bool { plain, negated };

  void placeholder();
  void count(std::int64_t);

  void condition(Node const&, Sense);
  void joined(Node const&, Sense, bool by_and);
  void joined(std::span<NodePointer const>, Sense, std::string_view operation);
  void part_of_joined(Node const&, Sense);

  /// left = ?1, left < right; `value` is nullptr when `right` names a column.
  struct Comparison {
    Lookup lookup;
    std::string left;
    std::string right;
    Column const* value_of;
    Scalar const* value;
    bool nullable;
  };
  void comparison(Comparison const&, Sense);
  void write(Comparison const&, std::string_view operation);

  void lookup(Node const&, Sense);
  void positive(Node const&);
  void between(Column const&, std::vector<Scalar> const&);
  void like(Column const&, std::string pattern, std::string_view ignore_case);
  void contains(Column const&, Scalar const& part);
  void regex(Column const&, Scalar const& pattern, std::string_view ignore_case);
  void starts_with(Column const&, std::string const& prefix);
  void in(std::string const& subject, Column const&, std::vector<Scalar> const&);
  void has_any_of(Column const&, std::vector<Scalar> const&);

  std::string text_;
  ScalarSink& sink_;
  std::size_t values_ = 0;
};

}  // namespace belay::orm::detail
