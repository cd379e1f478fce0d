#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

struct sqlite3;
struct sqlite3_stmt;

namespace belay::sqlite {

struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept;
};
using StatementHandle = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

/// A compiled statement, at rest between two executions.
struct PreparedStatement {
  std::string sql;
  StatementHandle handle;
  int parameters;
  bool reads_only;
};

/// The prepared statements of one connection, found by their text; the least recently used one leaves first.
///
/// A reference stays valid until the next call of keep(). One thread at a time.
class StatementCache {
 public:
  /// capacity >= 1
  explicit StatementCache(std::size_t capacity) : capacity_(capacity) {}

  /// Null when there is none of that text.
  PreparedStatement* find(std::string_view sql);
  PreparedStatement& keep(PreparedStatement);
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  using Entries = std::list<PreparedStatement>;

  std::size_t capacity_;
  Entries entries_;  ///< most recently used first
  std::unordered_map<std::string_view, Entries::iterator> by_text_;
};

}  // namespace belay::sqlite
