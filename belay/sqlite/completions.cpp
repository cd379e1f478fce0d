#include "belay/sqlite/completions.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <boost/asio/post.hpp>

#include "belay/sqlite/job.hpp"

namespace belay::sqlite {

/// Resumes the last caller, after it has posted itself for the others.
struct Completions::Resume {
  explicit Resume(std::vector<std::shared_ptr<Job>> of) noexcept : jobs(std::move(of)) {}
  Resume(Resume&&) noexcept = default;
  Resume& operator=(Resume&&) = delete;
  ~Resume() {
    for (auto const& job : jobs) job->forget_caller();
  }

  std::vector<std::shared_ptr<Job>> jobs;  ///< last come, first served; not empty until it has run

  void operator()() {
    auto const job = std::move(jobs.back());
    jobs.pop_back();
    if (!jobs.empty()) {
      auto const executor = jobs.back()->executor_;
      boost::asio::post(executor, Resume(std::move(jobs)));
    }
    job->resume_caller();
  }
};

void Completions::add(std::shared_ptr<Job> job) {
  std::lock_guard const lock(mutex_);
  jobs_.push_back(std::move(job));
}

void Completions::flush() {
  std::vector<std::shared_ptr<Job>> jobs;
  {
    std::lock_guard const lock(mutex_);
    jobs.swap(jobs_);
  }
  // From the back, so that the first call that was done is the first to be resumed.
  std::reverse(jobs.begin(), jobs.end());
  while (!jobs.empty()) {
    auto const executor = jobs.back()->executor_;
    auto const others = std::find_if(jobs.rbegin(), jobs.rend(),
                                     [&](std::shared_ptr<Job> const& job) { return job->executor_ != executor; });
    std::vector<std::shared_ptr<Job>> batch(std::make_move_iterator(others.base()),
                                            std::make_move_iterator(jobs.end()));
    jobs.erase(others.base(), jobs.end());
    auto const work = held(executor);
    boost::asio::post(work, Resume(std::move(batch)));
  }
}

}  // namespace belay::sqlite
