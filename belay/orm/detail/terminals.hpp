#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/orm/detail/row_readers.hpp"
#include "belay/orm/selection.hpp"
#include "belay/orm/session.hpp"

/// What the typed API calls: everything that needs no model type is compiled once, in terminals.cpp.
namespace belay::orm::detail {

/// One call of the ORM: the engine and the time it has.
class Call {
 public:
  Call(std::unique_ptr<Session> session, Deadline deadline) noexcept
      : session_(std::move(session)), deadline_(deadline) {}
  explicit Call(std::unique_ptr<Session> session) : Call(std::move(session), Deadline::never()) {
    deadline_ = session_->default_deadline();
  }
  Session& session() noexcept { return *session_; }
  Deadline deadline() const noexcept { return deadline_; }

 private:
  std::unique_ptr<Session> session_;
  Deadline deadline_;
};

template <class Db>
std::unique_ptr<Session> make_session(Db& db) {
  static_assert(Database<Db>,
                "belay::orm cannot talk to this: pass a client or a transaction, and include its engine's header, such "
                "as belay/orm/sqlite.hpp");
  return session_of(db);
}

template <class Db>
Call call(Db& db) {
  return Call(make_session(db));
}
template <class Db>
Call call(Db& db, Deadline deadline) {
  return Call(make_session(db), deadline);
}

using SelectionPointer = std::shared_ptr<Selection const>;

[[noreturn]] void throw_not_found(TableInfo const&, ScalarKey const&);
[[noreturn]] void throw_not_one(TableInfo const&, std::size_t found);

boost::asio::awaitable<void> run_select(Call&, Selection const&, std::shared_ptr<RowReader>);
boost::asio::awaitable<std::int64_t> run_count(Call, SelectionPointer);
boost::asio::awaitable<bool> run_exists(Call, SelectionPointer);
boost::asio::awaitable<std::int64_t> run_update(Call, SelectionPointer, std::vector<ColumnValue>);
boost::asio::awaitable<std::int64_t> run_remove(Call, SelectionPointer);

boost::asio::awaitable<void> run_find(Call&, TableInfo const&, ScalarKey const&, std::shared_ptr<RowReader>);
boost::asio::awaitable<void> run_remove_row(Call, TableInfo const&, ScalarKey);
/// The session holds the parameters already.
boost::asio::awaitable<void> run_insert(Call&, TableInfo const&);
/// The session holds the new values of the changed columns. Returns whether a statement was run: not without changes.
boost::asio::awaitable<bool> run_update_row(Call, TableInfo const&, std::vector<std::size_t> changed, ScalarKey);
boost::asio::awaitable<void> run_create_tables(Call, std::vector<TableInfo const*>);
boost::asio::awaitable<void> run_verify_table(Call, TableInfo const&);

/// Writes all columns of an object to the session's parameters, `id` in place of the object's own.
void write_row(TableInfo const&, void const* object, ScalarKey const& id, ScalarSink&);
/// Positions of the columns that `after` would store differently, and these values to the sink.
std::vector<std::size_t> write_changes(TableInfo const&, ScalarKey const& id, void const* before, void const* after,
                                       ScalarSink&);

/// Error(request, never_sent) when it is empty.
void require_key(TableInfo const&, ScalarKey const&);
/// The same, and when they differ.
void require_same_id(TableInfo const&, ScalarKey const& before, ScalarKey const& after);
/// The same with a limit that is not above this one.
Selection limited(Selection const&, std::int64_t limit);

template <class T>
boost::asio::awaitable<std::vector<T>> all(Call call, SelectionPointer selection) {
  auto rows = std::make_shared<Rows<T>>();
  co_await run_select(call, *selection, rows);
  co_return std::move(rows->objects);
}

template <class T>
boost::asio::awaitable<std::optional<T>> first(Call call, SelectionPointer selection) {
  auto rows = std::make_shared<Rows<T>>();
  auto const only_one = limited(*selection, 1);
  co_await run_select(call, only_one, rows);
  co_return rows->take_first();
}

template <class T>
boost::asio::awaitable<T> one(Call call, SelectionPointer selection) {
  auto rows = std::make_shared<Rows<T>>();
  auto const at_most_two = limited(*selection, 2);
  co_await run_select(call, at_most_two, rows);
  if (rows->objects.size() != 1) throw_not_one(table_of<T>, rows->objects.size());
  co_return std::move(rows->objects.front());
}

template <class T>
boost::asio::awaitable<std::optional<T>> find(Call call, ScalarKey id) {
  auto rows = std::make_shared<Rows<T>>();
  co_await run_find(call, table_of<T>, id, rows);
  co_return rows->take_first();
}

template <class T>
boost::asio::awaitable<T> get(Call call, ScalarKey id) {
  auto rows = std::make_shared<Rows<T>>();
  co_await run_find(call, table_of<T>, id, rows);
  if (rows->objects.empty()) throw_not_found(table_of<T>, id);
  co_return std::move(rows->objects.front());
}

/// `filled`, when given, gets the id once the row is stored.
template <class T>
boost::asio::awaitable<Id<T>> insert(Call call, Id<T> id, T* filled) {
  co_await run_insert(call, table_of<T>);
  if (filled) filled->id = id;
  co_return id;
}

}  // namespace belay::orm::detail
