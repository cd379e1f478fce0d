#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "belay/core/deadline.hpp"

namespace belay::sqlite {

/// Calls a function at the earliest of the instants it was asked for: the loop of the watch thread.
///
/// One timer for all calls: asking costs an atomic read unless the new instant is earlier than all others.
class Watch {
 public:
  using time_point = Deadline::time_point;

  /// Thread-safe. "By" then, perhaps earlier.
  void wake_by(time_point) noexcept;
  void wake_now() noexcept { wake_by(time_point::min()); }

  /// Runs until `look` says so. It gets the time and returns when it wants to look again.
  struct Next {
    time_point at;
    bool end;
  };
  void run(std::function<Next(time_point now)> const& look);

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<time_point::rep> wake_at_{time_point::max().time_since_epoch().count()};
};

}  // namespace belay::sqlite
