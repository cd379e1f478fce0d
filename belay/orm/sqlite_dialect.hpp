#pragma once

#include <string_view>

#include "belay/orm/dialect.hpp"

namespace belay::orm {

/// SQLite 3.40: STRICT tables, ?1-style parameters, and the functions that belay::sqlite registers (belay_fold,
/// belay_like, belay_regexp, the collation belay_decimal).
Dialect const& sqlite_dialect() noexcept;

/// The column's type in CREATE TABLE: "TEXT", "ANY".
std::string_view sqlite_type_of(Kind) noexcept;

}  // namespace belay::orm
