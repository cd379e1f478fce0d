#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "belay/core/await_safe.hpp"
#include "belay/core/deadline.hpp"
#include "belay/sqlite/options.hpp"
#include "belay/sqlite/result_set.hpp"
#include "belay/sqlite/row.hpp"
#include "belay/sqlite/statement.hpp"
#include "belay/sqlite/stats.hpp"
#include "belay/sqlite/transaction.hpp"

namespace belay::pool {
class Endpoint;
class PoolBase;
}  // namespace belay::pool

namespace belay::sqlite {

struct ClientState;

/// An open SQLite database: one writer with group commit, several readers, all on threads of their own.
///
/// Every call has a lease while it runs: of a place on the readers' side or on the writer's, or for a transaction of
/// the whole writer. Two pools lend them in order of arrival, refuse at once whom they could only serve too late, and
/// say who holds what. With Options::endpoint, circuit breakers, retries and a health monitor stand before them.
///
/// A handle: copies share the database, and the last one to go cancels what is under way and joins the threads (it
/// blocks for that; prefer close()). Thread-safe; each awaiting coroutine resumes on its own executor, whose
/// context must be destroyed only after close() or the last handle: our threads may still be leaving its post() when
/// the coroutine resumes. A call fails by throwing belay::Error, or what its sink threw. Per-operation cancellation
/// (terminal, partial, total) ends a call with Error(cancelled): at once while it waits, within about a thousand steps
/// of SQLite's virtual machine while it runs. A deadline that passes does the same with Error(timeout_local). The send
/// state tells what is certain: never_sent and refused mean nothing was changed; unknown means a commit was under way.
///
/// Reads see every write acknowledged before they were called, by any handle. An acknowledged write is on the disk as
/// Options::synchronous says. The file may be shared with other processes: locks are waited for (busy_timeout).
///
/// Transactions are spelled with transaction(), never in SQL: BEGIN, COMMIT, ROLLBACK, SAVEPOINT, ATTACH, DETACH,
/// loading extensions and all pragmas but those that only read are refused. VACUUM is run alone by write().
class Client {
 public:
  /// Opens or creates the file. Error(transport, never_sent) when it cannot be opened, Error(internal) when it is
  /// damaged or no database, Error(request) when an option is out of range or the file cannot have a write-ahead log.
  static boost::asio::awaitable<Client> open(Options, Deadline);
  /// With Options::statement_timeout as the deadline.
  static boost::asio::awaitable<Client> open(Options);

  /// Runs a read-only statement; its rows go to the sink. Error(request, never_sent) when the statement writes.
  boost::asio::awaitable<Summary> read(Statement, std::shared_ptr<RowSink>);
  boost::asio::awaitable<Summary> read(Statement, std::shared_ptr<RowSink>, Deadline);

  /// Runs a statement on the writer, in company with other calls' writes: each is atomic by itself, one commit
  /// acknowledges all. The sink may be null; it gets the rows of RETURNING.
  boost::asio::awaitable<Summary> write(Statement);
  boost::asio::awaitable<Summary> write(Statement, Deadline);
  boost::asio::awaitable<Summary> write(Statement, std::shared_ptr<RowSink>);
  boost::asio::awaitable<Summary> write(Statement, std::shared_ptr<RowSink>, Deadline);
  /// Several statements as one atomic unit: all or none. The summary adds up the changes. At least one statement.
  boost::asio::awaitable<Summary> write(std::vector<Statement>);
  boost::asio::awaitable<Summary> write(std::vector<Statement>, Deadline);

  /// Any statement, its rows in full: for tools and ad hoc questions. A reader runs it when it only reads, else the
  /// writer. Error(capacity) beyond Options::result_rows_max or result_bytes_max; a write is then rolled back.
  boost::asio::awaitable<ResultSet> query(Statement);
  boost::asio::awaitable<ResultSet> query(Statement, Deadline);

  /// Runs `body`, an awaitable<R>(Transaction&), in one transaction: commits when it returns, rolls back when it
  /// throws, is cancelled or the deadline passes. The writer is held meanwhile and every other write waits: the
  /// deadline bounds that, also between statements. Do not await this client's own write() inside the body.
  ///
  /// A named body is used in place and must outlive the call; a temporary one is kept.
  template <AwaitSafe F>
  auto transaction(F&& body, Deadline deadline) const -> std::invoke_result_t<F&, Transaction&> {
    return run_transaction<F>(state(), std::forward<F>(body), deadline);
  }
  template <AwaitSafe F>
  auto transaction(F&& body) const -> std::invoke_result_t<F&, Transaction&> {
    return run_transaction<F>(state(), std::forward<F>(body), default_deadline());
  }

  /// Writes a consistent copy of the database, readable by itself, without stopping reads or writes. It appears under
  /// `path` in one step when it is whole and on the disk; a file there before is replaced. One at a time: a second
  /// call meanwhile fails with Error(capacity).
  boost::asio::awaitable<void> backup(std::string path);
  boost::asio::awaitable<void> backup(std::string path, Deadline);

  /// Refuses new calls, finishes those under way and queued, folds the log into the file when nobody else reads it,
  /// and ends the threads; the pools' own goes with the last handle. At the deadline what is left is cancelled instead.
  /// Calling it again is harmless.
  boost::asio::awaitable<void> close();
  boost::asio::awaitable<void> close(Deadline);

  Stats stats() const;
  /// The pool that lends places on the readers' side: for its snapshot, its diagnosis and the operator's hand.
  pool::PoolBase const& reads() const noexcept;
  pool::PoolBase const& writes() const noexcept;
  /// Breakers, health and recovery. Null without Options::endpoint.
  pool::Endpoint const* endpoint() const noexcept;
  /// From now, Options::statement_timeout.
  Deadline default_deadline() const;

 private:
  struct Handle;
  explicit Client(std::shared_ptr<Handle>) noexcept;

  std::shared_ptr<ClientState> const& state() const noexcept;
  static boost::asio::awaitable<Transaction> begin(std::shared_ptr<ClientState>, Deadline);
  static boost::asio::awaitable<void> commit(Transaction& transaction) { return transaction.commit(); }

  /// F is an lvalue reference for a named body, else the body's type: kept in this frame.
  template <class F>
  static auto run_transaction(std::shared_ptr<ClientState> state, F body, Deadline deadline)
      -> std::invoke_result_t<F&, Transaction&> {
    using Result = typename std::invoke_result_t<F&, Transaction&>::value_type;
    Transaction transaction = co_await begin(std::move(state), deadline);
    if constexpr (std::is_void_v<Result>) {
      co_await body(transaction);
      co_await commit(transaction);
    } else {
      Result result = co_await body(transaction);
      co_await commit(transaction);
      co_return std::move(result);
    }
  }

  std::shared_ptr<Handle> handle_;
};

}  // namespace belay::sqlite
