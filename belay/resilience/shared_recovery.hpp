#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "belay/resilience/recovery.hpp"

namespace belay::resilience {

/// A Recovery that all pools of an endpoint and its health monitor use at once, from any thread.
///
/// Thread-safe: one mutex, held for the decision only. Whoever was refused a ticket is told when to ask again: at
/// Answer::retry_at, or earlier through a listener, when an attempt of somebody else has ended.
class SharedRecovery final : public ConnectGate {
 public:
  /// Called from the thread that handed a ticket back, after the gate's own lock is released. That thread may hold its
  /// pool's lock: a listener posts to an executor and returns, it calls no pool and takes no lock that is held while a
  /// gate is called. It must not throw.
  using Listener = std::function<void()>;
  using ListenerId = std::uint64_t;

  /// Throws belay::Error(request) when an option is out of range.
  SharedRecovery(RecoveryOptions const&, Random);

  Answer try_connect(time_point now) override;
  void connected(ConnectTicket, time_point now) override;
  void failed(ConnectTicket, ErrorClass, bool permanent, time_point now) override;
  void abandoned(ConnectTicket, time_point now) override;
  void lost_all(time_point now) override;

  bool is_recovering() const override;
  time_point next_probe_at() const override;
  time_point failing_since() const override;

  bool credentials_needed() const;
  void credentials_renewed(time_point now);
  RecoverySnapshot snapshot() const;

  /// Listeners are told when asking again may have another answer than before: an attempt has ended, or the credentials
  /// are new, and somebody was refused since the last time they were told.
  ListenerId add_listener(Listener);
  /// A thread that is telling the listeners at this moment may still call this one: let it hold a weak_ptr to what it
  /// tells.
  void remove_listener(ListenerId);

 private:
  using Listeners = std::vector<std::pair<ListenerId, Listener>>;

  template <class Change>
  void change_and_tell(Change);

  mutable std::mutex mutex_;
  Recovery recovery_;
  /// Replaced, never changed, so that it can be walked after unlocking.
  std::shared_ptr<Listeners const> listeners_ = std::make_shared<Listeners const>();
  ListenerId last_id_ = 0;
  bool somebody_waits_ = false;
};

}  // namespace belay::resilience
