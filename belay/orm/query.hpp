#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/orm/assignment.hpp"
#include "belay/orm/condition.hpp"
#include "belay/orm/detail/terminals.hpp"
#include "belay/orm/order.hpp"
#include "belay/orm/selection.hpp"
#include "belay/orm/session.hpp"

namespace belay::orm {

namespace detail {

/// Error(request, never_sent) when negative.
std::int64_t checked_limit(std::int64_t);
std::int64_t checked_offset(std::int64_t);

template <std::integral N>
constexpr std::int64_t clamped_to_int64(N n) noexcept {
  return std::in_range<std::int64_t>(n) ? static_cast<std::int64_t>(n) : INT64_MAX;
}

}  // namespace detail

/// Which rows of T's table: an immutable value, cheap to copy, thread-safe. Each call returns a new query and leaves
/// this one as it was; the order of the calls does not matter.
///
/// Terminals run it on a client or a transaction, `db`, and fail by throwing belay::Error. Without a deadline the
/// engine's default applies; it is the last argument, but comes before update_many's assignments. Each terminal honours
/// each clause: deleting the first ten deletes ten.
template <Model T>
class Query {
 public:
  Query() : selection_(std::make_shared<Selection const>(Selection{&table_of<T>(), nullptr, {}, {}, 0})) {}

  /// Rows for which this holds as well.
  [[nodiscard]] Query where(Condition<T> const& condition) const {
    return changed([&](Selection& selection) {
      selection.where = selection.where ? detail::conjunction({selection.where, condition.node()}) : condition.node();
    });
  }
  /// Sorted by these keys, after those of earlier calls. Rows that are equal in all of them come in any order, which
  /// may differ from call to call: end with desc<&T::id> or asc<&T::id> when pages must not overlap.
  template <std::same_as<OrderKey<T>>... Keys>
  requires(sizeof...(Keys) > 0) [[nodiscard]] Query order_by(Keys const&... keys) const {
    return changed([&](Selection& selection) { (selection.order_by.push_back(keys.order()), ...); });
  }
  /// At most so many rows; 0: none. The last call counts. Error(request) when negative.
  template <std::integral N>
  [[nodiscard]] Query limit(N rows) const {
    auto const limit = detail::checked_limit(detail::clamped_to_int64(rows));
    return changed([&](Selection& selection) { selection.limit = limit; });
  }
  /// Leaves out so many rows from the start, also without a limit. The last call counts. Error(request) when negative.
  template <std::integral N>
  [[nodiscard]] Query offset(N rows) const {
    auto const offset = detail::checked_offset(detail::clamped_to_int64(rows));
    return changed([&](Selection& selection) { selection.offset = offset; });
  }

  /// All of them.
  template <class Db>
  boost::asio::awaitable<std::vector<T>> all(Db&& db) const {
    return detail::all<T>(detail::call(db), selection_);
  }
  template <class Db>
  boost::asio::awaitable<std::vector<T>> all(Db&& db, Deadline deadline) const {
    return detail::all<T>(detail::call(db, deadline), selection_);
  }

  /// The first of them, nullopt when there is none.
  template <class Db>
  boost::asio::awaitable<std::optional<T>> first(Db&& db) const {
    return detail::first<T>(detail::call(db), selection_);
  }
  template <class Db>
  boost::asio::awaitable<std::optional<T>> first(Db&& db, Deadline deadline) const {
    return detail::first<T>(detail::call(db, deadline), selection_);
  }

  /// The only one. Error(request, executed) with engine_code "not_found" when there is none and "multiple_found" when
  /// there are several.
  template <class Db>
  boost::asio::awaitable<T> one(Db&& db) const {
    return detail::one<T>(detail::call(db), selection_);
  }
  template <class Db>
  boost::asio::awaitable<T> one(Db&& db, Deadline deadline) const {
    return detail::one<T>(detail::call(db, deadline), selection_);
  }

  /// How many all() would return.
  template <class Db>
  boost::asio::awaitable<std::int64_t> count(Db&& db) const {
    return detail::run_count(detail::call(db), selection_);
  }
  template <class Db>
  boost::asio::awaitable<std::int64_t> count(Db&& db, Deadline deadline) const {
    return detail::run_count(detail::call(db, deadline), selection_);
  }

  /// Whether all() would return any.
  template <class Db>
  boost::asio::awaitable<bool> exists(Db&& db) const {
    return detail::run_exists(detail::call(db), selection_);
  }
  template <class Db>
  boost::asio::awaitable<bool> exists(Db&& db, Deadline deadline) const {
    return detail::run_exists(detail::call(db, deadline), selection_);
  }

  /// Gives the rows that all() would return new values: update_many(db, set<&T::a>(1), set<&T::b>("x")). Returns how
  /// many rows; those that had the values already count. Error(request) when a member is given twice.
  template <class Db, std::same_as<Assignment<T>>... More>
  boost::asio::awaitable<std::int64_t> update_many(Db&& db, Assignment<T> const& first, More const&... more) const {
    return detail::run_update(detail::call(db), selection_, {first.value(), more.value()...});
  }
  template <class Db, std::same_as<Assignment<T>>... More>
  boost::asio::awaitable<std::int64_t> update_many(Db&& db, Deadline deadline, Assignment<T> const& first,
                                                   More const&... more) const {
    return detail::run_update(detail::call(db, deadline), selection_, {first.value(), more.value()...});
  }

  /// Deletes the rows that all() would return. Returns how many.
  template <class Db>
  boost::asio::awaitable<std::int64_t> delete_many(Db&& db) const {
    return detail::run_remove(detail::call(db), selection_);
  }
  template <class Db>
  boost::asio::awaitable<std::int64_t> delete_many(Db&& db, Deadline deadline) const {
    return detail::run_remove(detail::call(db, deadline), selection_);
  }

 private:
  template <class Change>
  Query changed(Change const& change) const {
    auto selection = *selection_;
    change(selection);
    return Query(std::make_shared<Selection const>(std::move(selection)));
  }
  explicit Query(std::shared_ptr<Selection const> selection) noexcept : selection_(std::move(selection)) {}

  std::shared_ptr<Selection const> selection_;
};

/// All rows of T's table.
template <Model T>
Query<T> from() {
  return Query<T>();
}

}  // namespace belay::orm
