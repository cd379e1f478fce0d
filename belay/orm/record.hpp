#pragma once

#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/core/id.hpp"
#include "belay/orm/detail/operand.hpp"
#include "belay/orm/detail/terminals.hpp"
#include "belay/orm/generated_key.hpp"
#include "belay/orm/table.hpp"

/// Single records by their id. `db` is a client or a transaction of any engine; without a deadline the engine's default
/// applies; all fail by throwing belay::Error.
namespace belay::orm {

namespace detail {

template <class Object>
constexpr void refuse_braced_struct() {
  static_assert(
      !breaks_in_co_await<Object>,
      "belay::orm: g++ before 13 destroys a braced struct inside a co_await expression twice; name the struct "
      "first: `Dossier dossier{…}; co_await orm::insert(db, dossier);`");
}

template <class T>
boost::asio::awaitable<Id<T>> start_insert(Call call, T const& object, T* filled) {
  auto id = object.id.empty() ? Id<T>(generated_key()) : object.id;
  write_row(table_of<T>, &object, id.key(), call.session().parameters());
  return insert<T>(std::move(call), std::move(id), filled);
}

/// Only a named object that may change is told its id.
template <class Object>
auto start_insert_of(Call call, Object&& object) {
  using T = std::remove_cvref_t<Object>;
  if constexpr (std::is_lvalue_reference_v<Object> && !std::is_const_v<std::remove_reference_t<Object>>) {
    return start_insert<T>(std::move(call), object, &object);
  } else {
    return start_insert<T>(std::move(call), object, nullptr);
  }
}

template <class T>
boost::asio::awaitable<bool> start_update(Call call, T const& before, T const& after) {
  require_same_id(table_of<T>, before.id.key(), after.id.key());
  auto changed = write_changes(table_of<T>, after.id.key(), &before, &after, call.session().parameters());
  return run_update_row(std::move(call), table_of<T>, std::move(changed), after.id.key());
}

}  // namespace detail

/// Stores a new row and returns its id. When the object's id is empty, the row gets a random one of 20 characters
/// [a-z0-9], which is also put into `object` unless that is const, once the row is stored. The object's values are
/// taken when insert is called, not when it is awaited.
///
/// Error(request) with the engine's code when the id or a unique value is taken; Error(request, never_sent) that names
/// the member when a value cannot be stored (NaN, an integer beyond int64, an empty reference).
template <class Db, class Object>
requires Model<std::remove_cvref_t<Object>> boost::asio::awaitable<Id<std::remove_cvref_t<Object>>> insert(
    Db&& db, Object&& object) {
  detail::refuse_braced_struct<Object>();
  return detail::start_insert_of(detail::call(db), std::forward<Object>(object));
}
template <class Db, class Object>
requires Model<std::remove_cvref_t<Object>> boost::asio::awaitable<Id<std::remove_cvref_t<Object>>> insert(
    Db&& db, Object&& object, Deadline deadline) {
  detail::refuse_braced_struct<Object>();
  return detail::start_insert_of(detail::call(db, deadline), std::forward<Object>(object));
}

/// The row of that id, nullopt when there is none. Error(request, never_sent) when the id is empty.
template <Model T, class Db>
boost::asio::awaitable<std::optional<T>> find(Db&& db, std::type_identity_t<Id<T>> const& id) {
  return detail::find<T>(detail::call(db), id.key());
}
template <Model T, class Db>
boost::asio::awaitable<std::optional<T>> find(Db&& db, std::type_identity_t<Id<T>> const& id, Deadline deadline) {
  return detail::find<T>(detail::call(db, deadline), id.key());
}

/// The row of that id. Error(request, executed) with engine_code "not_found" when there is none.
template <Model T, class Db>
boost::asio::awaitable<T> get(Db&& db, std::type_identity_t<Id<T>> const& id) {
  return detail::get<T>(detail::call(db), id.key());
}
template <Model T, class Db>
boost::asio::awaitable<T> get(Db&& db, std::type_identity_t<Id<T>> const& id, Deadline deadline) {
  return detail::get<T>(detail::call(db, deadline), id.key());
}

/// Stores the members in which `after` differs from `before`, and no others: what other columns hold meanwhile stays.
/// Returns whether there was such a member; without one no statement is run.
///
/// Members are compared by what would be stored, so a changed element of a list is a change, and a decimal's trailing
/// zero as well. Both are read when update is called, not when it is awaited. Error(request, executed) with engine_code
/// "not_found" when there is no such row any more, Error(request, never_sent) when the two have different ids.
template <class Db, class Before, class After>
requires Model<std::remove_cvref_t<After>> boost::asio::awaitable<bool> update(Db&& db, Before&& before,
                                                                               After&& after) {
  detail::refuse_braced_struct<Before>();
  detail::refuse_braced_struct<After>();
  return detail::start_update<std::remove_cvref_t<After>>(detail::call(db), before, after);
}
template <class Db, class Before, class After>
requires Model<std::remove_cvref_t<After>> boost::asio::awaitable<bool> update(Db&& db, Before&& before, After&& after,
                                                                               Deadline deadline) {
  detail::refuse_braced_struct<Before>();
  detail::refuse_braced_struct<After>();
  return detail::start_update<std::remove_cvref_t<After>>(detail::call(db, deadline), before, after);
}

/// Deletes the row of that id. Error(request, executed) with engine_code "not_found" when there is none.
template <class Db, Model T>
boost::asio::awaitable<void> remove(Db&& db, Id<T> const& id) {
  return detail::run_remove_row(detail::call(db), table_of<T>(), id.key());
}
template <class Db, Model T>
boost::asio::awaitable<void> remove(Db&& db, Id<T> const& id, Deadline deadline) {
  return detail::run_remove_row(detail::call(db, deadline), table_of<T>(), id.key());
}

}  // namespace belay::orm
