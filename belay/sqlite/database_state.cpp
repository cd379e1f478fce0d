#include "belay/sqlite/database_state.hpp"

#include <chrono>
#include <string>
#include <utility>

namespace belay::sqlite {

void enqueue(DatabaseState& state, JobQueue& queue, std::shared_ptr<Job> job) {
  using namespace std::chrono_literals;
  // Once pushed, the job may be done and its caller resumed before the next line runs: only our reference is safe.
  auto const kept = job;
  auto const now = Deadline::clock::now();
  switch (queue.push(std::move(job), now)) {
    case JobQueue::Admission::accepted: return state.watch.wake_by(kept->deadline.at());
    case JobQueue::Admission::unattended: return state.watch.wake_by(std::min(kept->deadline.at(), now + 1ms));
    case JobQueue::Admission::closed: kept->drop(closed_error()); return;
  }
}

}  // namespace belay::sqlite
