#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "belay/core/bytes.hpp"

namespace belay::sqlite {

/// A bound value: one of SQLite's five storage classes. Text should be UTF-8; bytes that are not are stored as they
/// are. Text and blobs may hold NUL bytes.
using Param = std::variant<std::nullptr_t, std::int64_t, double, std::string, Bytes>;

/// One SQL statement and the values of its parameters: params()[0] binds to ?1, and so on.
///
/// Checked when it runs, not here: exactly one statement, no NUL byte in the text, as many values as parameters;
/// otherwise the call fails with Error(request) and a sentence. The text is the key of each connection's statement
/// cache, so keep it constant and put what varies into params().
class Statement {
 public:
  Statement(std::string sql) : sql_(std::move(sql)) {}
  Statement(char const* sql) : sql_(sql) {}
  Statement(std::string sql, std::vector<Param> params) : sql_(std::move(sql)), params_(std::move(params)) {}
  /// Statement("… where id = ?1 and n > ?2", "a7", 3): unlike a braced list, fine inside a co_await expression.
  template <class... Values>
  requires(sizeof...(Values) > 0 &&
           (std::is_constructible_v<Param, Values> && ...)) explicit Statement(std::string sql, Values&&... values)
      : sql_(std::move(sql)) {
    params_.reserve(sizeof...(Values));
    (params_.emplace_back(std::forward<Values>(values)), ...);
  }

  std::string const& sql() const noexcept { return sql_; }
  std::span<Param const> params() const noexcept { return params_; }

 private:
  std::string sql_;
  std::vector<Param> params_;
};

/// What a statement, or a unit of several, did to the database.
struct Summary {
  std::int64_t changes = 0;            ///< rows inserted, updated or deleted; those of triggers not counted
  std::int64_t last_insert_rowid = 0;  ///< rowid of the last inserted row, 0 when nothing was inserted
};

}  // namespace belay::sqlite
