#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/pool/connector.hpp"
#include "belay/sqlite/database.hpp"

namespace belay::sqlite {

/// Every Database a client has opened and not yet joined: whoever ends the client waits for their threads here, and
/// nobody else does. Thread-safe.
class Databases {
 public:
  using DatabasePointer = std::shared_ptr<Database>;

  Databases() : counters(std::make_shared<Counters>()) {}

  std::shared_ptr<Counters> const counters;  ///< of all of them

  void add(DatabasePointer);
  /// Forgets those whose threads have ended.
  void prune() noexcept;
  /// What runs on any of them ends; their threads follow.
  void interrupt() noexcept;
  /// Waits for all threads. After interrupt(), or when all are closed.
  void join() noexcept;
  /// Those of a side that have not.
  std::vector<DatabasePointer> open_on(Side) const;
  /// Calls that have a place and wait for a thread.
  std::size_t queued(Side) const;

 private:
  mutable std::mutex mutex_;
  std::vector<DatabasePointer> all_;
};

/// One side of the database file as a pool's connection: its streams are the calls that may be under way at once, and
/// share its threads. An exclusive lease of the writer's is a transaction.
///
/// Whatever a call leaves behind the side's own threads clean up before the next one, so it is always at a boundary;
/// and nothing can happen to an embedded engine unasked, so it is never lost.
class Link final : public pool::Connection {
 public:
  explicit Link(std::shared_ptr<Database> database) noexcept : database_(std::move(database)) {}
  ~Link() override;

  std::shared_ptr<Database> const& database() const noexcept { return database_; }

  boost::asio::awaitable<void> test(Deadline) override;
  boost::asio::awaitable<void> reset(std::uint32_t stream, Deadline) override;
  boost::asio::awaitable<void> rollback(std::uint32_t stream, Deadline) override;
  boost::asio::awaitable<pool::CleanUp> clean_up(pool::CancelledWork&, Deadline) override;
  boost::asio::awaitable<void> close(Deadline) override;
  bool looks_alive() noexcept override { return true; }
  pool::ReleaseCondition condition(std::uint32_t stream) const noexcept override;
  void cancel() noexcept override;
  pool::Aborted abort() noexcept override;
  void on_lost(LostHandler) override {}

 private:
  std::shared_ptr<Database> database_;
};

/// What a link says when it is closed: what is under way is finished, the threads end. To a database that is ending
/// already it says nothing, and waits for it.
boost::asio::awaitable<void> close(std::shared_ptr<Database>, Deadline);

/// Opens one side of the file.
class LinkConnector final : public pool::Connector {
 public:
  LinkConnector(Options const& options, Side side, std::size_t readers, std::shared_ptr<Databases> databases)
      : options_(options), side_(side), readers_(readers), databases_(std::move(databases)) {}

  boost::asio::awaitable<std::unique_ptr<pool::Connection>> connect(Deadline, pool::AttemptInfo) override;
  /// Opens it now, on whatever executor, and keeps it for the next connect(). Throws what opening fails with.
  boost::asio::awaitable<void> prepare(Deadline);

 private:
  boost::asio::awaitable<std::unique_ptr<Link>> open(Deadline) const;

  Options const options_;
  Side const side_;
  std::size_t const readers_;
  std::shared_ptr<Databases> const databases_;
  std::mutex mutex_;
  std::unique_ptr<Link> prepared_;  ///< guarded by mutex_
};

}  // namespace belay::sqlite
