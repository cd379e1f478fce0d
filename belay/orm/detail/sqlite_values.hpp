#pragma once

#include <utility>
#include <vector>

#include "belay/orm/scalar.hpp"
#include "belay/sqlite/row.hpp"
#include "belay/sqlite/statement.hpp"

/// The ORM's values in SQLite's five storage classes: docs/orm-semantics.md has the table.
namespace belay::orm::detail {

/// Gathers parameters.
class SqliteParameters final : public ScalarSink {
 public:
  /// What was gathered; then empty.
  std::vector<sqlite::Param> take() noexcept { return std::exchange(params_, {}); }

  void null() override;
  void boolean(bool) override;
  void integer(std::int64_t) override;
  void real(double) override;
  void text(std::string_view) override;
  void bytes(std::span<std::byte const>) override;
  void datetime(Datetime const&) override;
  void duration(Duration const&) override;
  void uuid(Uuid const&) override;
  void decimal(Decimal const&) override;
  void key(ScalarKey const&) override;
  void json(std::string_view) override;

 private:
  std::vector<sqlite::Param> params_;
};

/// Reads the current row of a statement.
class SqliteRow final : public RowSource {
 public:
  /// `row` must outlive this.
  explicit SqliteRow(sqlite::Row const& row) noexcept : row_(row) {}

  bool is_null(std::size_t column) const override;
  bool boolean(std::size_t column) const override;
  std::int64_t integer(std::size_t column) const override;
  double real(std::size_t column) const override;
  std::string_view text(std::size_t column) const override;
  std::span<std::byte const> bytes(std::size_t column) const override;
  Datetime datetime(std::size_t column) const override;
  Duration duration(std::size_t column) const override;
  Uuid uuid(std::size_t column) const override;
  Decimal decimal(std::size_t column) const override;
  ScalarKey key(std::size_t column) const override;
  std::string_view json(std::size_t column) const override;

 private:
  void expect(std::size_t column, sqlite::Row::Type, std::string_view wanted) const;

  sqlite::Row const& row_;
};

}  // namespace belay::orm::detail
