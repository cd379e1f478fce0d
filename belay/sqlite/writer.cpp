#include "belay/sqlite/writer.hpp"

#include <algorithm>
#include <utility>

#include "belay/sqlite/lease.hpp"
#include "belay/sqlite/statement_digest.hpp"

namespace belay::sqlite {

namespace {

Error foreign_key_error(Job const& job) {
  Error::Details details{{"constraint", "foreign key"}};
  return Error(ErrorClass::request, SendState::executed,
               "SQLite refuses: FOREIGN KEY constraint failed (SQLITE_CONSTRAINT_FOREIGNKEY) in: " +
                   statement_digest(job.work.statements->back().sql()),
               "SQLITE_CONSTRAINT_FOREIGNKEY", std::move(details));
}

/// What the later statements of a transaction are told that a statement's failure took down.
Error lost_error(Failure const& failure) {
  if (auto const* const error = failure.error()) {
    return error->with_context("the transaction was lost: ").with_send_state(SendState::refused);
  }
  return Error(ErrorClass::internal, SendState::refused, "the transaction was lost: its row sink failed");
}

Error ended_error() { return Error(ErrorClass::request, SendState::never_sent, "the transaction has ended"); }

}  // namespace

Writer::Writer(DatabaseState& state, Job& opening) : state_(state), job_(&opening) {
  connect();
  job_ = nullptr;
}

void Writer::connect() {
  StopCheck& stop_check = *this;
  if (!connection_) connection_ = std::make_unique<Connection>(state_.options, Connection::Role::writer, stop_check);
}

void Writer::run() {
  while (true) {
    auto const jobs = state_.writes.take_group(state_.options.group_max);
    if (jobs.empty()) return;
    switch (jobs.front()->work.company) {
      case Company::shared: run_group(jobs); break;
      case Company::alone: run_alone(*jobs.front()); break;
      case Company::exclusive: run_lease(*jobs.front()); break;
    }
  }
}

void Writer::checkpoint() noexcept {
  if (connection_) connection_->checkpoint();
}

bool Writer::must_stop() noexcept {
  if (committing_) return false;
  if (state_.stopping.load(std::memory_order_relaxed)) return true;
  auto const now = Deadline::clock::now();
  if (beginning_for_ != nullptr) {
    return std::all_of(beginning_for_->begin(), beginning_for_->end(),
                       [&](JobPointer const& job) { return job->must_stop(now); });
  }
  if (job_ == nullptr) return false;
  if (job_->must_stop(now) || lease_deadline_.expired(now)) return true;
  too_slow_ = company_limit_.expired(now);
  return too_slow_;
}

void Writer::run_group(std::vector<JobPointer> const& jobs) {
  GroupCommit group(jobs.size());
  std::vector<Result> results(jobs.size());
  Failure failure;
  state_.counters.groups.fetch_add(1, std::memory_order_relaxed);
  for (auto action = group.next(); action.act != GroupCommit::Act::done; action = group.next()) {
    switch (action.act) {
      case GroupCommit::Act::begin:
        failure = try_begin(jobs);
        failure ? group.begin_failed() : group.began();
        break;
      case GroupCommit::Act::run: group.ran(run_member(*jobs[action.member], action, results[action.member])); break;
      case GroupCommit::Act::commit:
        failure = try_commit();
        failure ? group.commit_failed() : group.committed();
        break;
      case GroupCommit::Act::done: break;
    }
    tell(jobs, results, group.take_answers(), failure);
  }
  make_clean();
}

void Writer::tell(std::vector<JobPointer> const& jobs, std::vector<Result>& results,
                  std::vector<GroupCommit::Answer> const& answers, Failure const& shared_failure) {
  // Counted first: a caller may look at the counters as soon as it is answered.
  auto const committed =
      static_cast<std::size_t>(std::count_if(answers.begin(), answers.end(), [](GroupCommit::Answer const& answer) {
        return answer.told == GroupCommit::Told::applied;
      }));
  auto& largest = state_.counters.largest_group;
  largest.store(std::max(largest.load(std::memory_order_relaxed), committed), std::memory_order_relaxed);
  state_.counters.writes.fetch_add(answers.size(), std::memory_order_relaxed);
  for (auto const& [member, told] : answers) {
    auto& job = *jobs[member];
    switch (told) {
      case GroupCommit::Told::applied: job.succeed(results[member].summary, &completions_); break;
      case GroupCommit::Told::own_failure: job.settle(std::move(results[member].failure), &completions_); break;
      case GroupCommit::Told::begin_failure: job.settle(begin_failure(job, shared_failure), &completions_); break;
      case GroupCommit::Told::commit_failure: job.settle(shared_failure, &completions_); break;
    }
  }
  completions_.flush();
}

RunOutcome Writer::run_member(Job& job, GroupCommit::Action const& action, Result& result) {
  if (action.again ? job.is_done() : !job.start()) return RunOutcome::gave_up;
  auto const now = Deadline::clock::now();
  if (state_.stopping.load(std::memory_order_relaxed) || job.must_stop(now)) {
    result.failure = interruption(job, action.again ? SendState::refused : SendState::never_sent);
    return RunOutcome::gave_up;
  }
  if (action.again) state_.counters.replays.fetch_add(1, std::memory_order_relaxed);
  job_ = &job;
  too_slow_ = false;
  company_limit_ = action.alone ? Deadline::never() : Deadline::at(now + state_.options.slow_in_company);
  bool interrupted = false;
  try {
    connection_->savepoint();
    if (action.again && !job.restart_rows()) throw Interrupted{};
    result.summary = execute_all(job);
    if (connection_->violates_deferred_foreign_keys()) throw foreign_key_error(job);
    connection_->release();
    job_ = nullptr;
    return RunOutcome::applied;
  } catch (Interrupted const&) {
    interrupted = true;
  } catch (...) {
    result.failure = Failure::current();
  }
  job_ = nullptr;
  return undo_member(job, result, interrupted);
}

RunOutcome Writer::undo_member(Job& job, Result& result, bool interrupted) {
  if (transaction_is_open()) {
    try {
      connection_->rollback_to_savepoint();
    } catch (...) {  // whatever the reason, the whole transaction can still be dropped
      make_clean();
    }
  }
  if (interrupted) {
    if (too_slow_) {
      make_clean();
      return RunOutcome::lost;
    }
    result.failure = interruption(job, SendState::refused);
    return transaction_is_open() ? RunOutcome::gave_up : RunOutcome::gave_up_lost;
  }
  return transaction_is_open() ? RunOutcome::failed : RunOutcome::lost;
}

/// A caller that gave up while the writer waited for the lock is told that, whatever became of the wait.
Failure Writer::begin_failure(Job const& job, Failure const& failure) const {
  bool const stopping = state_.stopping.load(std::memory_order_relaxed);
  if (!stopping && !job.must_stop(Deadline::clock::now())) return failure;
  return interruption(job, job.is_queued() ? SendState::never_sent : SendState::refused);
}

Error Writer::interruption(Job const& job, SendState send_state) const {
  if (state_.stopping.load(std::memory_order_relaxed)) return closing_error(send_state);
  auto const now = Deadline::clock::now();
  if (lease_deadline_.expired(now)) {
    return Error(ErrorClass::timeout_local, send_state, "the transaction's deadline passed");
  }
  return job.stop_reason(now, send_state);
}

Summary Writer::execute_all(Job& job) {
  Summary total;
  for (auto const& statement : *job.work.statements) {
    auto& prepared = connection_->prepare(statement.sql());
    if (job.work.kind == Work::Kind::read && !prepared.reads_only) {
      throw Error(ErrorClass::request, SendState::never_sent,
                  "read() was given a statement that writes, use write(): " + statement_digest(statement.sql()));
    }
    auto const summary = connection_->execute(prepared, statement.params(), job);
    total.changes += summary.changes;
    if (summary.last_insert_rowid != 0) total.last_insert_rowid = summary.last_insert_rowid;
  }
  return total;
}

Failure Writer::try_begin(std::vector<JobPointer> const& waiting) {
  beginning_for_ = &waiting;
  Failure failure;
  try {
    connect();
    connection_->begin_immediate();
  } catch (Interrupted const&) {
    failure = closing_error(SendState::never_sent);
  } catch (...) {
    failure = Failure::current();
  }
  beginning_for_ = nullptr;
  return failure;
}

Failure Writer::try_commit() {
  committing_ = true;
  Failure failure;
  try {
    connection_->commit();
    state_.counters.commits.fetch_add(1, std::memory_order_relaxed);
  } catch (...) {
    failure = Failure::current();
    make_clean();
  }
  committing_ = false;
  return failure;
}

void Writer::make_clean() noexcept {
  try {
    if (connection_) connection_->rollback();
  } catch (...) {
    connection_.reset();
  }
}

void Writer::run_alone(Job& job) {
  if (!job.start()) return;
  state_.counters.writes.fetch_add(1, std::memory_order_relaxed);
  job_ = &job;
  try {
    connect();
    job.succeed(connection_->vacuum(job.work.statements->front(), job));
  } catch (Interrupted const&) {
    job.fail(interruption(job, SendState::refused));
  } catch (...) {
    job.fail(Failure::current());
  }
  job_ = nullptr;
}

void Writer::run_lease(Job& job) {
  std::vector<JobPointer> const waiting{job.shared_from_this()};
  if (auto const failure = try_begin(waiting)) {
    job.settle(begin_failure(job, failure));
    return;
  }
  auto const lease = job.work.lease;
  {
    std::lock_guard const lock(lease_mutex_);
    lease_ = lease;
  }
  state_.counters.transactions.fetch_add(1, std::memory_order_relaxed);
  if (job.start() && job.succeed(Summary())) serve(*lease);
  lease->end(ended_error());
  make_clean();
  {
    std::lock_guard const lock(lease_mutex_);
    lease_.reset();
  }
}

void Writer::serve(Lease& lease) {
  lease_deadline_ = lease.deadline();
  bool open = true;
  while (open) {
    auto const job = state_.stopping.load(std::memory_order_relaxed) ? nullptr : lease.next();
    if (!job) break;
    state_.writes.running(0, job);
    if (job->work.kind == Work::Kind::commit) {
      open = serve_commit(lease, *job);
    } else {
      open = serve_statement(lease, *job);
    }
  }
  if (state_.stopping.load(std::memory_order_relaxed)) {
    lease.end(closing_error(SendState::refused));
  } else if (lease.deadline().expired()) {
    lease.end(
        Error(ErrorClass::timeout_local, SendState::refused, "the transaction's deadline passed: it was rolled back"));
  }
  lease_deadline_ = Deadline::never();
}

bool Writer::serve_statement(Lease& lease, Job& job) {
  if (!job.start()) return true;
  Result result;
  job_ = &job;
  company_limit_ = Deadline::never();
  too_slow_ = false;
  bool interrupted = false;
  try {
    auto const now = Deadline::clock::now();
    if (job.must_stop(now)) throw job.stop_reason(now, SendState::never_sent);
    connection_->savepoint();
    result.summary = execute_all(job);
    connection_->release();
    job_ = nullptr;
    job.succeed(result.summary);
    return true;
  } catch (Interrupted const&) {
    interrupted = true;
  } catch (...) {
    result.failure = Failure::current();
  }
  job_ = nullptr;
  undo_member(job, result, interrupted);
  bool const lost = !transaction_is_open();
  if (lost) lease.end(lost_error(result.failure));
  job.fail(std::move(result.failure));
  return !lost;
}

bool Writer::serve_commit(Lease& lease, Job& job) {
  if (!job.start()) return true;
  if (auto const failure = try_commit()) {
    lease.end(ended_error());
    job.fail(failure);
  } else {
    job.succeed(Summary());
  }
  return false;
}

void Writer::interrupt_lease() noexcept {
  std::lock_guard const lock(lease_mutex_);
  if (lease_) lease_->interrupt();
}

}  // namespace belay::sqlite
