#include "belay/sqlite/lease.hpp"

#include <utility>

namespace belay::sqlite {

void Lease::submit(std::shared_ptr<Job> job) {
  std::optional<Error> ended;
  {
    std::lock_guard const lock(mutex_);
    ended = ended_;
    if (!ended) jobs_.push_back(job);
  }
  if (ended) {
    job->drop(*ended);
  } else {
    wake_.notify_one();
  }
}

void Lease::release() noexcept {
  std::optional<pool::Lease<Link>> place;
  {
    std::lock_guard const lock(mutex_);
    released_ = true;
    place.swap(place_);
  }
  wake_.notify_one();
}

std::shared_ptr<Job> Lease::next() {
  std::unique_lock lock(mutex_);
  auto const ready = [&] { return !jobs_.empty() || released_ || interrupted_; };
  if (deadline_.is_never()) {
    wake_.wait(lock, ready);
  } else {
    wake_.wait_until(lock, deadline_.at(), ready);
  }
  if (jobs_.empty() || released_ || interrupted_ || deadline_.expired()) return nullptr;
  auto job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

void Lease::end(Error const& reason) {
  std::deque<std::shared_ptr<Job>> left;
  std::optional<pool::Lease<Link>> place;
  {
    std::lock_guard const lock(mutex_);
    if (!ended_) ended_ = reason;
    place.swap(place_);
    left.swap(jobs_);
  }
  for (auto const& job : left) job->drop(reason);
}

void Lease::interrupt() noexcept {
  {
    std::lock_guard const lock(mutex_);
    interrupted_ = true;
  }
  wake_.notify_one();
}

}  // namespace belay::sqlite
