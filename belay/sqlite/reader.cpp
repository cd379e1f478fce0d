#include "belay/sqlite/reader.hpp"

#include <chrono>
#include <utility>

#include "belay/sqlite/statement_digest.hpp"

namespace belay::sqlite {

namespace {

using namespace std::chrono_literals;

/// A snapshot that lives on holds the log back from being reused.
constexpr int jobs_per_snapshot_max = 32;
/// What is done may wait so long for what is next to be done, to be told in company.
constexpr auto completion_delay_max = 20us;
/// The same when the next job is held up, by its sink or by the disk.
constexpr auto completion_delay_at_worst = 1ms;
constexpr std::size_t completions_per_post = 16;
/// From then on other jobs should not wait for this worker.
constexpr auto slow_after = 200us;

}  // namespace

Reader::Reader(DatabaseState& state, std::size_t index)
    : state_(state),
      index_(index),
      completions_(state.read_completions[index]),
      connection_(state.options, Connection::Role::reader, *this) {}

void Reader::run() {
  for (auto taken = state_.reads.take(index_); taken.job; taken = state_.reads.take(index_)) run_batch(taken);
}

void Reader::run_batch(JobQueue::Taken const& taken) {
  state_.counters.read_batches.fetch_add(1, std::memory_order_relaxed);
  bool const shared = taken.more && begin_shared();
  perform(taken.job);
  if (!shared) return flush();
  for (int jobs = 1; jobs < jobs_per_snapshot_max; ++jobs) {
    auto const job = state_.reads.take_pushed_by(index_, taken.newest);
    if (!job) break;
    perform(job);
  }
  flush();
  end_shared();
}

void Reader::perform(std::shared_ptr<Job> const& job) {
  if (!job->start()) return;
  state_.counters.reads.fetch_add(1, std::memory_order_relaxed);
  started_ = Deadline::clock::now();
  look_after_completions();
  job_ = job.get();
  try {
    if (job->must_stop(started_)) throw job->stop_reason(started_, SendState::never_sent);
    execute(job);
  } catch (Interrupted const&) {
    bool const closing = state_.stopping.load(std::memory_order_relaxed);
    job->fail(
        closing ? closing_error(SendState::refused) : job->stop_reason(Deadline::clock::now(), SendState::refused),
        &completions_);
  } catch (...) {
    job->fail(Failure::current(), &completions_);
  }
  job_ = nullptr;
}

void Reader::look_after_completions() {
  if (unflushed_ == 0) {
    unflushed_since_ = started_;
  } else if (unflushed_ >= completions_per_post || started_ - unflushed_since_ >= completion_delay_max) {
    flush();
    unflushed_since_ = started_;
  } else {
    state_.watch.wake_by(started_ + completion_delay_at_worst);
  }
  ++unflushed_;
}

void Reader::flush() {
  completions_.flush();
  unflushed_ = 0;
}

void Reader::execute(std::shared_ptr<Job> const& job) {
  auto const& statement = job->work.statements->front();
  auto& prepared = connection_.prepare(statement.sql());
  if (prepared.reads_only) {
    job->succeed(connection_.execute(prepared, statement.params(), *job), &completions_);
  } else if (job->work.kind == Work::Kind::query) {
    job->wants_writer = true;
    job->succeed(Summary(), &completions_);
  } else {
    throw Error(ErrorClass::request, SendState::never_sent,
                "read() was given a statement that writes, use write(): " + statement_digest(statement.sql()));
  }
}

bool Reader::must_stop() noexcept {
  auto const now = Deadline::clock::now();
  if (now - started_ > slow_after) {
    state_.reads.mark_slow(index_);
    flush();
  }
  if (state_.stopping.load(std::memory_order_relaxed)) return true;
  return job_ != nullptr && job_->must_stop(now);
}

bool Reader::begin_shared() noexcept {
  try {
    connection_.begin_read();
    return true;
  } catch (...) {  // each job then runs by itself and tells its own failure
    return false;
  }
}

void Reader::end_shared() noexcept {
  try {
    if (connection_.in_transaction()) connection_.commit();
  } catch (...) {
    // A read transaction has nothing to lose, and a rollback cannot fail where only locks are given back.
    try {
      connection_.rollback();
    } catch (...) {
      return;
    }
  }
}

}  // namespace belay::sqlite
