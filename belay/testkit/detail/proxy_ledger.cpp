#include "belay/testkit/detail/proxy_ledger.hpp"

namespace belay::testkit::detail {

void ProxyLedger::tell(FaultProxyEvent const& event) {
  std::lock_guard const lock(observer_mutex_);
  if (observer_) observer_(event);
}

void ProxyLedger::fall_silent() {
  std::lock_guard const lock(observer_mutex_);
  observer_ = nullptr;
}

FaultProxyCounters ProxyLedger::counters() const {
  std::lock_guard const lock(mutex_);
  return counters_;
}

bool ProxyLedger::wait_for(Condition const& condition, Deadline deadline) const {
  std::unique_lock lock(mutex_);
  auto const is_satisfied = [&] { return condition(counters_); };
  if (deadline.is_never()) {
    changed_.wait(lock, is_satisfied);
    return true;
  }
  return changed_.wait_until(lock, deadline.at(), is_satisfied);
}

}  // namespace belay::testkit::detail
