#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>

#include "belay/core/deadline.hpp"
#include "belay/testkit/fault_proxy_report.hpp"

namespace belay::testkit::detail {

/// The proxy's counters and its observer. Thread-safe.
class ProxyLedger {
 public:
  using Observer = std::function<void(FaultProxyEvent const&)>;
  using Condition = std::function<bool(FaultProxyCounters const&)>;

  explicit ProxyLedger(Observer observer) : observer_(std::move(observer)) {}

  template <class Change>
  void count(Change change) {
    {
      std::lock_guard const lock(mutex_);
      change(counters_);
    }
    changed_.notify_all();
  }
  /// Tells the observer, after the counters: whoever is told finds it counted.
  void tell(FaultProxyEvent const&);
  /// No observer is being called, and none will be, once this returns.
  void fall_silent();

  FaultProxyCounters counters() const;
  bool wait_for(Condition const&, Deadline) const;

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  FaultProxyCounters counters_;
  std::recursive_mutex observer_mutex_;  ///< recursive: an observer's command may cause the next event
  Observer observer_;
};

}  // namespace belay::testkit::detail
