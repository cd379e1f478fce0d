#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "belay/core/deadline.hpp"
#include "belay/sqlite/job.hpp"

namespace belay::sqlite {

/// A FIFO of jobs between callers and one kind of worker, bounded by the leases that its pool gives. It also remembers
/// what each worker has taken, so that the watch thread finds every job that is not done. Thread-safe.
class JobQueue {
 public:
  using JobPointer = std::shared_ptr<Job>;
  using time_point = Deadline::time_point;
  enum class Admission {
    accepted,
    unattended,  ///< accepted, and left to a worker that is awake: survey() soon, in case it is held up
    closed
  };

  /// `name` is what messages call the workers: "the writer".
  JobQueue(std::string name, std::size_t workers);

  Admission push(JobPointer, time_point now);
  /// Takes out a job that is done before a worker came to it; harmless when it is not here.
  void remove(Job const&);
  /// Nothing is admitted any more; workers still get what is queued.
  void close();
  /// All queued jobs, taken out.
  std::vector<JobPointer> drain();

  /// For a reader: waits; null when closed and empty. `more` says whether others wait behind it.
  struct Taken {
    JobPointer job;
    std::uint64_t newest = 0;  ///< ticket of the last job pushed by now
    bool more = false;
  };
  Taken take(std::size_t worker);
  /// The next job if it was pushed no later than ticket `newest`; does not wait, null when there is none.
  JobPointer take_pushed_by(std::size_t worker, std::uint64_t newest);
  /// For a reader that finds its job slow: others shall not count on it.
  void mark_slow(std::size_t worker);

  /// For the writer: waits; empty when closed and empty.
  std::vector<JobPointer> take_group(std::size_t group_max);
  /// What the worker does now, beside what it took: the statements of a lease.
  void running(std::size_t worker, JobPointer);

  /// What a look at every job found.
  struct Survey {
    std::vector<JobPointer> expired;      ///< queued, past their deadline; taken out
    std::vector<JobPointer> stuck;        ///< running, `grace` past their deadline or the request to cancel
    time_point next = time_point::max();  ///< when to look again
  };
  Survey survey(time_point now, Deadline::duration grace);

  std::size_t size() const;
  std::string const& name() const noexcept { return name_; }

 private:
  struct Worker {
    std::vector<JobPointer> jobs;
    bool slow = false;
  };

  /// Whether the waiting jobs are worth one more worker's being awake, beside those that are and are not slow.
  bool wants_worker(std::size_t quick_others, time_point now) const noexcept;
  std::size_t quick_workers() const noexcept { return workers_.size() - idle_ - slow_; }
  /// Whether a sleeping worker should be notified, once the lock is gone.
  bool summon(time_point now) noexcept;
  void wait_for_job(std::unique_lock<std::mutex>&, Worker&);
  /// The first job; what the worker did before it is returned too, to be released without the lock.
  std::pair<JobPointer, JobPointer> hand_first_to(Worker&);
  void look_at(JobPointer const&, time_point now, Deadline::duration grace, Survey&) const;

  std::string name_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<JobPointer> jobs_;
  std::vector<Worker> workers_;
  std::size_t idle_ = 0;
  std::size_t slow_ = 0;
  bool summoned_ = false;  ///< one is notified and has not come yet
  std::uint64_t newest_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t taken_at_survey_ = 0;
  bool closed_ = false;
};

}  // namespace belay::sqlite
