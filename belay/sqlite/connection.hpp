#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "belay/core/error.hpp"
#include "belay/sqlite/classify.hpp"
#include "belay/sqlite/options.hpp"
#include "belay/sqlite/statement.hpp"
#include "belay/sqlite/statement_cache.hpp"

struct sqlite3;

namespace belay::sqlite {

/// Asked by a busy connection, every thousand steps of the virtual machine and while it waits for a lock.
class StopCheck {
 public:
  virtual bool must_stop() noexcept = 0;

 protected:
  ~StopCheck() = default;
};

/// Takes the rows of a running statement.
class RowDelivery {
 public:
  /// Before the first step, also of a statement that returns no row.
  virtual void columns(sqlite3_stmt*) = 0;
  /// False: nobody wants them any more, stop.
  virtual bool row(sqlite3_stmt*) = 0;

 protected:
  ~RowDelivery() = default;
};

/// Thrown instead of an Error when the StopCheck or the delivery ended it: who knows why makes the Error.
struct Interrupted {};

/// One SQLite connection with its settings, functions, authorizer and statement cache.
///
/// Used by one thread at a time (opened without SQLite's own mutexes). Throws Error, never leaves a statement running.
class Connection {
 public:
  enum class Role { writer, reader };

  /// The writer creates the file and sets the write-ahead log; readers expect both.
  Connection(Options const&, Role, StopCheck&);
  ~Connection();
  Connection(Connection const&) = delete;
  Connection& operator=(Connection const&) = delete;

  /// From the cache, or compiled and checked: exactly one statement, allowed by the authorizer.
  PreparedStatement& prepare(std::string const& sql);
  /// Runs a prepared statement to its end.
  Summary execute(PreparedStatement&, std::span<Param const>, RowDelivery&);
  /// Runs VACUUM, which compiles statements the authorizer refuses to others.
  Summary vacuum(Statement const&, RowDelivery&);

  void begin_immediate() { run(begin_immediate_, Phase::beginning); }
  void begin_read() { run(begin_read_, Phase::beginning); }
  void commit() { run(commit_, Phase::committing); }
  /// Afterwards no transaction is open; harmless when there was none.
  void rollback();
  void savepoint() { run(savepoint_, Phase::running); }
  void release() { run(release_, Phase::running); }
  void rollback_to_savepoint();
  bool in_transaction() const noexcept;
  /// Whether a foreign key that is checked at the commit is violated now.
  bool violates_deferred_foreign_keys() const noexcept;

  /// Begins a read transaction whose snapshot is taken now and stays until the connection goes.
  void hold_snapshot();
  /// For SQLite's backup interface.
  sqlite3* handle() const noexcept { return handle_.get(); }

  /// Folds the log into the file and empties it; false when others still read it.
  bool checkpoint() noexcept;

 private:
  void open(Options const&, Role);
  void configure(Options const&, Role);
  void set_pragma(std::string const& pragma);
  std::string ask_pragma(std::string const& pragma);
  void require_wal(Options const&);
  StatementHandle compile_own(std::string_view sql);
  void run(StatementHandle const&, Phase);
  void bind(PreparedStatement const&, std::span<Param const>);
  [[noreturn]] void fail(int code, Phase, std::string_view sql);
  int wait_while_busy(int attempt) noexcept;
  int authorize(int action, char const* first, char const* second) noexcept;

  struct CloseConnection {
    void operator()(sqlite3*) const noexcept;
  };

  StopCheck& stop_check_;
  std::chrono::milliseconds busy_timeout_;
  std::chrono::steady_clock::time_point busy_since_{};
  bool stopped_waiting_ = false;  ///< the last wait for a lock was ended by the stop check
  std::unique_ptr<sqlite3, CloseConnection> handle_;
  StatementCache cache_;
  StatementHandle begin_immediate_, begin_read_, commit_, rollback_, savepoint_, release_, rollback_to_;
  std::string refusal_;      ///< the authorizer's sentence about the statement being compiled
  bool running_own_ = true;  ///< the authorizer lets the connection's own statements pass
  bool vacuuming_ = false;
};

}  // namespace belay::sqlite
