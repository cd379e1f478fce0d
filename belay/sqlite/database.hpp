#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "belay/sqlite/database_state.hpp"
#include "belay/sqlite/reader.hpp"
#include "belay/sqlite/writer.hpp"

namespace belay::sqlite {

/// What an opened file is opened for.
enum class Side : std::uint8_t { readers, writer };

/// One side of an open database: its threads, and the way of each call to them. Each is a connection of a pool.
///
/// Threads: "belay-sql-open" opens the readers and ends, "belay-sql-r0"… read, "belay-sql-w" opens and writes,
/// "belay-sql-watch" ends what is late and joins the others, "belay-sql-bak" lives as long as a backup.
class Database : public std::enable_shared_from_this<Database> {
 public:
  using JobPointer = std::shared_ptr<Job>;

  /// The options have been checked; `readers` is the number of threads of that side. Starts nothing yet.
  Database(Options const&, Side, std::size_t readers, std::shared_ptr<Counters>);
  /// stop() must have been called.
  ~Database() = default;
  Database(Database const&) = delete;
  Database& operator=(Database const&) = delete;

  /// Gives the job to its worker and waits until it is done; throws what it failed with.
  static boost::asio::awaitable<void> run(std::shared_ptr<Database>, JobPointer);

  /// Ends everything: queued calls are dropped, running ones interrupted, threads joined. Blocks. Idempotent.
  void stop() noexcept;
  /// The same without waiting for the threads, which end as soon as they notice.
  void interrupt();
  /// Whether every thread but the watch is joined: stop() will not wait.
  bool has_ended() const;
  Side side() const noexcept { return side_; }
  std::size_t queued() const { return queue().size(); }

  Options const& options() const noexcept { return state_.options; }

 private:
  struct Submission;

  JobQueue& queue() noexcept { return side_ == Side::writer ? state_.writes : state_.reads; }
  JobQueue const& queue() const noexcept { return side_ == Side::writer ? state_.writes : state_.reads; }
  void submit(JobPointer const&);
  void cancel(JobPointer const&);

  void start(JobPointer const& open);
  void opening_thread(JobPointer const& open);
  bool open_all(Job& open);
  void reader_thread(std::size_t index);
  template <class Body>
  std::thread named_thread(std::string name, Body body);
  void worker_ended() noexcept;

  void start_backup(JobPointer const&);
  void backup_thread(JobPointer const&);
  void end_backup(Job&, Failure const& failure);

  void begin_close(JobPointer const&);
  void refuse_new_calls();
  Watch::Next look(Deadline::time_point now);
  void end_late(JobQueue&, Deadline::time_point now, Deadline::time_point& next);
  void end_late_specials(Deadline::time_point now, Deadline::time_point& next);
  void abandon(Job&, Deadline::time_point now);
  bool join_ended_threads();

  Side const side_;
  DatabaseState state_;

  std::unique_ptr<Writer> writer_;                ///< made and used by the writer's thread
  std::vector<std::unique_ptr<Reader>> readers_;  ///< made by the writer's thread, each used and ended by its own

  mutable std::mutex mutex_;  ///< guards what follows; never held while a job completes
  std::vector<std::thread> workers_;
  std::thread backup_;
  JobPointer open_job_;
  JobPointer backup_job_;
  std::vector<JobPointer> close_jobs_;
  Deadline close_deadline_ = Deadline::never();
  std::size_t workers_alive_ = 0;    ///< writer, readers, backup
  Writer* interruptible_ = nullptr;  ///< the writer while it may hold a lease
  bool closing_ = false;
  bool ended_ = false;

  std::mutex stop_mutex_;  ///< one stop() at a time
  std::thread watch_;
};

}  // namespace belay::sqlite
