#include <algorithm>
#include <utility>

#include "belay/sqlite/database.hpp"

/// How calls, and the whole database, come to their end: late calls, close(), the last handle.
namespace belay::sqlite {

namespace {

Error lateness(Job const& job, Deadline::time_point now) {
  bool const reads = job.work.kind == Work::Kind::read;
  auto const reason = job.stop_reason(now, reads ? SendState::refused : SendState::unknown);
  return reason.with_context("the SQLite thread is stuck in the system; given up because ");
}

}  // namespace

void Database::begin_close(JobPointer const& job) {
  bool ended = false;
  {
    std::lock_guard const lock(mutex_);
    ended = ended_;
    if (!ended) close_jobs_.push_back(job);
    close_deadline_ = earlier(close_deadline_, job->deadline);
  }
  job->start();
  if (ended) {
    job->succeed(Summary());
  } else {
    refuse_new_calls();
  }
}

void Database::refuse_new_calls() {
  {
    std::lock_guard const lock(mutex_);
    closing_ = true;
  }
  state_.reads.close();
  state_.writes.close();
  state_.watch.wake_now();
}

void Database::interrupt() {
  if (state_.stopping.exchange(true)) return;
  refuse_new_calls();
  {
    std::lock_guard const lock(mutex_);
    if (interruptible_ != nullptr) interruptible_->interrupt_lease();
  }
  for (auto* const queue : {&state_.reads, &state_.writes}) {
    for (auto const& job : queue->drain()) job->drop(closing_error(SendState::never_sent));
  }
}

bool Database::has_ended() const {
  std::lock_guard const lock(mutex_);
  return ended_;
}

void Database::stop() noexcept {
  std::lock_guard const one_at_a_time(stop_mutex_);
  if (!watch_.joinable()) return;
  interrupt();
  watch_.join();
}

Watch::Next Database::look(Deadline::time_point now) {
  auto next = Deadline::time_point::max();
  for (auto& completions : state_.read_completions) completions.flush();
  end_late(state_.reads, now, next);
  end_late(state_.writes, now, next);
  end_late_specials(now, next);
  return {next, join_ended_threads()};
}

void Database::end_late(JobQueue& queue, Deadline::time_point now, Deadline::time_point& next) {
  auto const survey = queue.survey(now, stop_grace);
  for (auto const& job : survey.expired) {
    job->drop(Error(ErrorClass::timeout_local, SendState::never_sent,
                    "the deadline passed while the call waited for " + queue.name()));
  }
  for (auto const& job : survey.stuck) abandon(*job, now);
  next = std::min(next, survey.next);
}

void Database::end_late_specials(Deadline::time_point now, Deadline::time_point& next) {
  std::vector<JobPointer> late;
  bool close_now = false;
  {
    std::lock_guard const lock(mutex_);
    auto const look_at = [&](JobPointer const& job) {
      if (!job || job->is_done()) return;
      auto const end = std::min(job->deadline.at(), job->cancel_requested_at());
      if (end >= Deadline::time_point::max() - stop_grace) return;
      if (now >= end + stop_grace) {
        late.push_back(job);
      } else {
        next = std::min(next, end + stop_grace);
      }
    };
    look_at(open_job_);
    look_at(backup_job_);
    std::for_each(close_jobs_.begin(), close_jobs_.end(), look_at);
    close_now = !close_jobs_.empty() && close_deadline_.expired(now);
    if (!close_jobs_.empty() && !close_now) next = std::min(next, close_deadline_.at());
  }
  if (close_now) interrupt();
  for (auto const& job : late) abandon(*job, now);
}

void Database::abandon(Job& job, Deadline::time_point now) {
  // Counted first: the caller may look at the counter as soon as it is answered.
  ++state_.counters.abandoned;
  if (!job.abandon(lateness(job, now))) --state_.counters.abandoned;
}

/// Whether nothing is left to watch.
bool Database::join_ended_threads() {
  std::vector<std::thread> ended;
  std::vector<JobPointer> close_jobs;
  {
    std::lock_guard const lock(mutex_);
    if (!closing_ || workers_alive_ > 0) return false;
    ended.swap(workers_);
    if (backup_.joinable()) ended.push_back(std::move(backup_));
    close_jobs.swap(close_jobs_);
    ended_ = true;
  }
  for (auto& thread : ended) thread.join();
  for (auto const& job : close_jobs) job->succeed(Summary());
  return true;
}

}  // namespace belay::sqlite
