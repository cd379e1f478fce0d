#pragma once

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/orm/detail/terminals.hpp"
#include "belay/orm/table.hpp"

namespace belay::orm {

/// Makes the tables and indexes of these models where they do not exist, as one unit. What exists is left as it is,
/// whether it fits or not: see verify_table.
template <Model... Ts, class Db>
requires(sizeof...(Ts) > 0) boost::asio::awaitable<void> create_tables(Db&& db) {
  return detail::run_create_tables(detail::call(db), {&table_of<Ts>()...});
}
template <Model... Ts, class Db>
requires(sizeof...(Ts) > 0) boost::asio::awaitable<void> create_tables(Db&& db, Deadline deadline) {
  return detail::run_create_tables(detail::call(db, deadline), {&table_of<Ts>()...});
}

/// Compares the model with the table that exists. Error(request, executed) with engine_code "schema_mismatch" that
/// names table and columns and says what to do, when the table is missing, lacks a column, has one of another type or
/// nullability, has another primary key, or has a further column without which no row can be inserted. Other further
/// columns are fine.
template <Model T, class Db>
boost::asio::awaitable<void> verify_table(Db&& db) {
  return detail::run_verify_table(detail::call(db), table_of<T>());
}
template <Model T, class Db>
boost::asio::awaitable<void> verify_table(Db&& db, Deadline deadline) {
  return detail::run_verify_table(detail::call(db, deadline), table_of<T>());
}

}  // namespace belay::orm
