#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/orm/dialect.hpp"
#include "belay/orm/scalar.hpp"
#include "belay/orm/table.hpp"

namespace belay::orm {

/// Where the rows of a statement go. Called on one of the engine's threads, never on two at a time, and never after
/// the statement's call has returned. An exception ends the statement and is what its caller gets.
class RowReader {
 public:
  virtual ~RowReader() = default;
  virtual void row(RowSource const&) = 0;
  /// Forget all rows so far: the statement runs again from its start.
  virtual void restart() = 0;
};

/// The engine as one call of the ORM sees it: a client, or a transaction. Made per call by session_of(db), which is
/// found by argument-dependent lookup: an engine is added by writing a Session, a Dialect and that function.
///
/// Used by one coroutine, one statement after the other.
class Session {
 public:
  virtual ~Session() = default;

  virtual Dialect const& dialect() const noexcept = 0;
  /// The parameters of the next statement; empty again once that was started.
  virtual ScalarSink& parameters() noexcept = 0;
  /// A statement that only reads.
  virtual boost::asio::awaitable<void> read(std::string text, std::shared_ptr<RowReader>, Deadline) = 0;
  /// A statement that writes. Returns the number of rows it inserted, updated or deleted.
  virtual boost::asio::awaitable<std::int64_t> write(std::string text, Deadline) = 0;
  /// Statements without parameters, as one unit where the engine can.
  virtual boost::asio::awaitable<void> write_all(std::vector<std::string> texts, Deadline) = 0;
  /// How the table differs from what the model expects: one sentence each, none when it fits.
  virtual boost::asio::awaitable<std::vector<std::string>> schema_problems(TableInfo const&, Deadline) = 0;
  /// For calls that give none.
  virtual Deadline default_deadline() const = 0;
};

/// What terminals accept: a client or transaction for which session_of is declared (belay/orm/sqlite.hpp).
template <class Db>
concept Database = requires(Db& db) {
  { session_of(db) } -> std::same_as<std::unique_ptr<Session>>;
};

}  // namespace belay::orm
