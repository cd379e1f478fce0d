#pragma once

#include <memory>
#include <mutex>
#include <vector>

namespace belay::sqlite {

class Job;

/// Calls that are done and whose callers are still to be resumed: those of one executor cross over in one post.
///
/// A post from another thread costs a contended lock and perhaps a wake-up, more than a point read. On the executor
/// each caller is resumed by a function of its own, so several threads share them and one that throws hurts no other.
///
/// Thread-safe: a worker adds, and flushes before it waits; the watch thread flushes too, in case the worker is held
/// up by its next job.
class Completions {
 public:
  void add(std::shared_ptr<Job>);
  void flush();

 private:
  struct Resume;

  std::mutex mutex_;
  std::vector<std::shared_ptr<Job>> jobs_;
};

}  // namespace belay::sqlite
