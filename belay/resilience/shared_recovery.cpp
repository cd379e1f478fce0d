#include "belay/resilience/shared_recovery.hpp"

#include <algorithm>

namespace belay::resilience {

SharedRecovery::SharedRecovery(RecoveryOptions const& options, Random random) : recovery_(options, random) {}

ConnectGate::Answer SharedRecovery::try_connect(time_point now) {
  std::lock_guard const lock(mutex_);
  auto const answer = recovery_.try_connect(now);
  if (!answer.ticket) somebody_waits_ = true;
  return answer;
}

template <class Change>
void SharedRecovery::change_and_tell(Change change) {
  std::shared_ptr<Listeners const> told;
  {
    std::lock_guard const lock(mutex_);
    change(recovery_);
    if (std::exchange(somebody_waits_, false)) told = listeners_;
  }
  if (!told) return;
  for (auto const& [id, listener] : *told) listener();
}

void SharedRecovery::connected(ConnectTicket ticket, time_point now) {
  change_and_tell([&](Recovery& recovery) { recovery.connected(ticket, now); });
}

void SharedRecovery::failed(ConnectTicket ticket, ErrorClass error, bool permanent, time_point now) {
  change_and_tell([&](Recovery& recovery) { recovery.failed(ticket, error, permanent, now); });
}

void SharedRecovery::abandoned(ConnectTicket ticket, time_point now) {
  change_and_tell([&](Recovery& recovery) { recovery.abandoned(ticket, now); });
}

void SharedRecovery::credentials_renewed(time_point now) {
  change_and_tell([&](Recovery& recovery) { recovery.credentials_renewed(now); });
}

void SharedRecovery::lost_all(time_point now) {
  std::lock_guard const lock(mutex_);
  recovery_.lost_all(now);
}

bool SharedRecovery::is_recovering() const {
  std::lock_guard const lock(mutex_);
  return recovery_.is_recovering();
}

ConnectGate::time_point SharedRecovery::next_probe_at() const {
  std::lock_guard const lock(mutex_);
  return recovery_.next_probe_at();
}

ConnectGate::time_point SharedRecovery::failing_since() const {
  std::lock_guard const lock(mutex_);
  return recovery_.failing_since();
}

bool SharedRecovery::credentials_needed() const {
  std::lock_guard const lock(mutex_);
  return recovery_.credentials_needed();
}

RecoverySnapshot SharedRecovery::snapshot() const {
  std::lock_guard const lock(mutex_);
  return recovery_.snapshot();
}

SharedRecovery::ListenerId SharedRecovery::add_listener(Listener listener) {
  std::lock_guard const lock(mutex_);
  auto changed = std::make_shared<Listeners>(*listeners_);
  auto const id = ++last_id_;
  changed->emplace_back(id, std::move(listener));
  listeners_ = std::move(changed);
  return id;
}

void SharedRecovery::remove_listener(ListenerId id) {
  std::shared_ptr<Listeners const> removed;  // destroyed after unlocking: a listener may own anything
  std::lock_guard const lock(mutex_);
  auto changed = std::make_shared<Listeners>(*listeners_);
  std::erase_if(*changed, [id](auto const& entry) { return entry.first == id; });
  removed = std::exchange(listeners_, std::move(changed));
}

}  // namespace belay::resilience
