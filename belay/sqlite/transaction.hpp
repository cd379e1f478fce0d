#pragma once

#include <memory>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/sqlite/result_set.hpp"
#include "belay/sqlite/row.hpp"
#include "belay/sqlite/statement.hpp"

namespace belay::sqlite {

class Client;
class Lease;

/// The body's view of Client::transaction: statements run in order on the writer's connection, inside one immediate
/// transaction, and see each other's effects.
///
/// A statement that fails rolls back itself only; the body may catch the error and go on. When SQLite itself had to
/// roll back everything (disk full, I/O error, a trigger's RAISE(ROLLBACK), an interrupted write), or the
/// transaction's deadline passed, the transaction is lost: each later statement and the commit fail with that error,
/// refused.
///
/// Use from one coroutine at a time; a reference to it must not outlive the body.
class Transaction {
 public:
  Transaction(Transaction&&) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  /// Rolls back unless committed. Does not wait for it.
  ~Transaction();

  /// Like Client::read, but sees what this transaction wrote. Refuses statements that write.
  boost::asio::awaitable<Summary> read(Statement, std::shared_ptr<RowSink>);
  boost::asio::awaitable<Summary> read(Statement, std::shared_ptr<RowSink>, Deadline);
  /// The sink may be null; it gets the rows of RETURNING.
  boost::asio::awaitable<Summary> write(Statement);
  boost::asio::awaitable<Summary> write(Statement, Deadline);
  boost::asio::awaitable<Summary> write(Statement, std::shared_ptr<RowSink>);
  boost::asio::awaitable<Summary> write(Statement, std::shared_ptr<RowSink>, Deadline);
  /// Any statement; its rows in full, within Options::result_rows_max and result_bytes_max.
  boost::asio::awaitable<ResultSet> query(Statement);
  boost::asio::awaitable<ResultSet> query(Statement, Deadline);

  /// The transaction's own deadline; that of a statement is the earlier of this and its own.
  Deadline deadline() const noexcept;

 private:
  friend class Client;
  explicit Transaction(std::shared_ptr<Lease>) noexcept;
  boost::asio::awaitable<void> commit();

  std::shared_ptr<Lease> lease_;
};

}  // namespace belay::sqlite
