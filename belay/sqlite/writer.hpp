#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "belay/sqlite/completions.hpp"
#include "belay/sqlite/connection.hpp"
#include "belay/sqlite/database_state.hpp"
#include "belay/sqlite/group_commit.hpp"

namespace belay::sqlite {

class Lease;

/// The loop of the writer thread: performs what GroupCommit decides, and serves the transactions that lease it.
class Writer final : private StopCheck {
 public:
  /// Opens the connection, creating the file, on behalf of a job; throws Error or Interrupted.
  Writer(DatabaseState&, Job& opening);
  /// Until the queue is closed and empty.
  void run();
  /// From another thread, after DatabaseState::stopping was set: ends the wait for a transaction's next statement.
  void interrupt_lease() noexcept;
  /// After run(), when no reader is left: folds the log into the file.
  void checkpoint() noexcept;

 private:
  using JobPointer = std::shared_ptr<Job>;
  struct Result {
    Summary summary;
    Failure failure;
  };

  bool must_stop() noexcept override;
  void connect();

  void run_group(std::vector<JobPointer> const&);
  RunOutcome run_member(Job&, GroupCommit::Action const&, Result&);
  RunOutcome undo_member(Job&, Result&, bool interrupted);
  Summary execute_all(Job&);
  void tell(std::vector<JobPointer> const&, std::vector<Result>&, std::vector<GroupCommit::Answer> const&,
            Failure const& shared_failure);

  void run_alone(Job&);
  void run_lease(Job&);
  void serve(Lease&);
  /// Each returns whether the transaction goes on.
  bool serve_statement(Lease&, Job&);
  bool serve_commit(Lease&, Job&);

  /// None when it went well.
  Failure try_begin(std::vector<JobPointer> const& waiting);
  Failure try_commit();
  /// Afterwards no transaction is open; a connection that cannot even roll back is given up and opened anew.
  void make_clean() noexcept;
  bool transaction_is_open() const noexcept { return connection_ && connection_->in_transaction(); }
  Error interruption(Job const&, SendState) const;
  Failure begin_failure(Job const&, Failure const& failure) const;

  DatabaseState& state_;
  std::unique_ptr<Connection> connection_;

  Completions completions_;
  std::vector<JobPointer> const* beginning_for_ = nullptr;  ///< whose interest a wait for the write lock serves
  Job* job_ = nullptr;
  Deadline lease_deadline_ = Deadline::never();
  Deadline company_limit_ = Deadline::never();  ///< until when the running member may hold up its neighbours
  bool too_slow_ = false;
  bool committing_ = false;

  std::mutex lease_mutex_;
  std::shared_ptr<Lease> lease_;  ///< guarded by lease_mutex_
};

}  // namespace belay::sqlite
