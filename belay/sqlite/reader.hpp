#pragma once

#include <cstddef>
#include <memory>

#include "belay/sqlite/completions.hpp"
#include "belay/sqlite/connection.hpp"
#include "belay/sqlite/database_state.hpp"

namespace belay::sqlite {

/// The loop of one reader thread: takes read jobs and runs them, several in one read transaction when they wait.
///
/// Sharing a transaction saves each job two system calls (the log's read lock). A job may join only if it was pushed
/// before the transaction's snapshot was taken, told by its ticket: every write that was acknowledged before the call
/// was made had committed by then, so the snapshot holds it. Reads see all writes their caller knows of.
class Reader final : private StopCheck {
 public:
  /// Opens the connection; throws Error.
  Reader(DatabaseState&, std::size_t index);
  /// Until the queue is closed and empty.
  void run();

 private:
  bool must_stop() noexcept override;
  void run_batch(JobQueue::Taken const&);
  void perform(std::shared_ptr<Job> const&);
  void execute(std::shared_ptr<Job> const&);
  /// Before a job that may take its time: what is done before it must not wait for it.
  void look_after_completions();
  void flush();
  bool begin_shared() noexcept;
  void end_shared() noexcept;

  DatabaseState& state_;
  std::size_t index_;
  Job* job_ = nullptr;
  Deadline::time_point started_{};
  Completions& completions_;
  std::size_t unflushed_ = 0;  ///< jobs since the last flush of ours
  Deadline::time_point unflushed_since_{};
  Connection connection_;
};

}  // namespace belay::sqlite
