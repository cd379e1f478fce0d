#include "belay/sqlite/job_queue.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace belay::sqlite {

namespace {

/// One more worker is wanted when the first job has waited for so long, and for so long per job in the queue: below
/// that the callers are about as slow as the workers, and another thread would only contend with the one at work.
constexpr auto patience = std::chrono::microseconds(200);
constexpr auto patience_per_job = std::chrono::microseconds(4);
/// How long a job may wait for a busy worker while another one sleeps.
constexpr auto rescue_after = std::chrono::milliseconds(1);

}  // namespace

JobQueue::JobQueue(std::string name, std::size_t workers) : name_(std::move(name)), workers_(workers) {}

/// Waking a thread costs more than a point read: as long as a worker is awake and quick, it finds the job by itself.
bool JobQueue::wants_worker(std::size_t quick_others, time_point now) const noexcept {
  if (jobs_.empty()) return false;
  if (quick_others == 0) return true;
  auto const waited = now - jobs_.front()->pushed_at;
  return waited > patience && waited > patience_per_job * jobs_.size();
}

bool JobQueue::summon(time_point now) noexcept {
  if (idle_ == 0 || summoned_ || !wants_worker(quick_workers(), now)) return false;
  summoned_ = true;
  return true;
}

JobQueue::Admission JobQueue::push(JobPointer job, time_point now) {
  std::unique_lock lock(mutex_);
  if (closed_) return Admission::closed;
  job->ticket = ++newest_;
  job->pushed_at = now;
  jobs_.push_back(std::move(job));
  bool const wake = summon(now);
  bool const unattended = !wake && !summoned_ && idle_ > 0;
  lock.unlock();
  if (wake) wake_.notify_one();
  return unattended ? Admission::unattended : Admission::accepted;
}

void JobQueue::remove(Job const& job) {
  std::lock_guard const lock(mutex_);
  auto const found = std::find_if(jobs_.begin(), jobs_.end(), [&](auto const& other) { return other.get() == &job; });
  if (found != jobs_.end()) jobs_.erase(found);
}

void JobQueue::close() {
  {
    std::lock_guard const lock(mutex_);
    closed_ = true;
  }
  wake_.notify_all();
}

std::vector<JobQueue::JobPointer> JobQueue::drain() {
  std::lock_guard const lock(mutex_);
  std::vector<JobPointer> jobs(std::make_move_iterator(jobs_.begin()), std::make_move_iterator(jobs_.end()));
  jobs_.clear();
  return jobs;
}

void JobQueue::wait_for_job(std::unique_lock<std::mutex>& lock, Worker& worker) {
  if (worker.slow) --slow_;
  worker.slow = false;
  auto const others = quick_workers() - 1;
  if (closed_ || (!jobs_.empty() && wants_worker(others, Deadline::clock::now()))) return;
  // What it did last must not live on until the next job comes.
  auto finished = std::exchange(worker.jobs, {});
  ++idle_;
  if (!finished.empty()) {
    lock.unlock();
    finished.clear();
    lock.lock();
  }
  while (!closed_ && !wants_worker(quick_workers(), Deadline::clock::now())) {
    wake_.wait(lock);
    summoned_ = false;
  }
  summoned_ = false;  // also when the notification came before the wait began, and woke nobody
  --idle_;
}

std::pair<JobQueue::JobPointer, JobQueue::JobPointer> JobQueue::hand_first_to(Worker& worker) {
  auto job = std::move(jobs_.front());
  jobs_.pop_front();
  ++taken_;
  worker.jobs.resize(1);
  return {job, std::exchange(worker.jobs.front(), job)};
}

JobQueue::Taken JobQueue::take(std::size_t index) {
  JobPointer finished;
  std::unique_lock lock(mutex_);
  auto& worker = workers_[index];
  wait_for_job(lock, worker);
  Taken taken;
  if (jobs_.empty()) {
    if (!worker.jobs.empty()) finished = std::move(worker.jobs.front());
    worker.jobs.clear();
    return taken;
  }
  std::tie(taken.job, finished) = hand_first_to(worker);
  taken.newest = newest_;
  taken.more = !jobs_.empty();
  lock.unlock();
  return taken;
}

JobQueue::JobPointer JobQueue::take_pushed_by(std::size_t index, std::uint64_t newest) {
  std::pair<JobPointer, JobPointer> taken_and_finished;
  std::lock_guard const lock(mutex_);
  if (jobs_.empty() || jobs_.front()->ticket > newest) return nullptr;
  taken_and_finished = hand_first_to(workers_[index]);
  return taken_and_finished.first;
}

void JobQueue::mark_slow(std::size_t index) {
  std::unique_lock lock(mutex_);
  auto& worker = workers_[index];
  if (worker.slow) return;
  worker.slow = true;
  ++slow_;
  bool const wake = summon(Deadline::clock::now());
  lock.unlock();
  if (wake) wake_.notify_one();
}

std::vector<JobQueue::JobPointer> JobQueue::take_group(std::size_t group_max) {
  std::vector<JobPointer> finished;
  std::unique_lock lock(mutex_);
  auto& worker = workers_.front();
  wait_for_job(lock, worker);
  std::vector<Company> queued;
  auto const looked_at = std::min(jobs_.size(), group_max);
  queued.reserve(looked_at);
  for (std::size_t i = 0; i < looked_at; ++i) queued.push_back(jobs_[i]->work.company);
  auto const end = jobs_.begin() + static_cast<std::ptrdiff_t>(size_of_next_group(queued, group_max));
  finished.swap(worker.jobs);
  worker.jobs.assign(std::make_move_iterator(jobs_.begin()), std::make_move_iterator(end));
  jobs_.erase(jobs_.begin(), end);
  taken_ += worker.jobs.size();
  auto group = worker.jobs;
  lock.unlock();
  return group;
}

void JobQueue::running(std::size_t index, JobPointer job) {
  std::vector<JobPointer> finished;
  std::lock_guard const lock(mutex_);
  finished.swap(workers_[index].jobs);
  if (job) workers_[index].jobs.push_back(std::move(job));
}

void JobQueue::look_at(JobPointer const& job, time_point now, Deadline::duration grace, Survey& survey) const {
  if (job->is_done()) return;
  auto end = job->deadline.at();
  if (job->is_queued()) {
    if (job->expired(now)) {
      survey.expired.push_back(job);
    } else {
      survey.next = std::min(survey.next, end);
    }
    return;
  }
  end = std::min(end, job->cancel_requested_at());
  if (end >= time_point::max() - grace) return;
  if (now >= end + grace) {
    survey.stuck.push_back(job);
  } else {
    survey.next = std::min(survey.next, end + grace);
  }
}

JobQueue::Survey JobQueue::survey(time_point now, Deadline::duration grace) {
  Survey result;
  std::unique_lock lock(mutex_);
  for (auto const& job : jobs_) look_at(job, now, grace, result);
  for (auto const& worker : workers_) {
    for (auto const& job : worker.jobs) look_at(job, now, grace, result);
  }
  // Those removed here are kept alive by result.expired until the lock is gone.
  std::erase_if(jobs_, [&](JobPointer const& job) { return job->is_queued() && job->expired(now); });
  bool wake = false;
  if (!jobs_.empty() && idle_ > 0) {
    wake = !summoned_ && taken_ == taken_at_survey_ && wants_worker(quick_workers(), now);
    summoned_ = summoned_ || wake;
    result.next = std::min(result.next, now + rescue_after);
  }
  taken_at_survey_ = taken_;
  lock.unlock();
  if (wake) wake_.notify_one();
  return result;
}

std::size_t JobQueue::size() const {
  std::lock_guard const lock(mutex_);
  return jobs_.size();
}

}  // namespace belay::sqlite
