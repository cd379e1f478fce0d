#pragma once

#include <functional>
#include <optional>
#include <utility>

#include "belay/core/random.hpp"
#include "belay/pool/pool_core.hpp"
#include "belay/resilience/connect_gate.hpp"
#include "bench/pictures/virtual_time.hpp"

namespace belay::pictures {

/// Lets every attempt to connect begin at once.
class OpenGate final : public resilience::ConnectGate {
 public:
  Answer try_connect(time_point) override { return {resilience::ConnectTicket{}, time_point::max()}; }
  void connected(resilience::ConnectTicket, time_point) override {}
  void failed(resilience::ConnectTicket, ErrorClass, bool, time_point) override {}
  void abandoned(resilience::ConnectTicket, time_point) override {}
  void lost_all(time_point) override {}
  bool is_recovering() const override { return false; }
  time_point next_probe_at() const override { return time_point::min(); }
  time_point failing_since() const override { return time_point::max(); }
};

/// The real PoolCore behind a shell of callbacks in virtual time: what Pool<Connection> is over Asio. Works on idle
/// connections (tests, good-byes) succeed at once; what a connect does is told by the caller.
class SimulatedPool {
 public:
  using Lease = pool::LeaseHandle;
  using Taken = std::function<void(std::optional<Lease>)>;
  /// How an attempt to connect ended: null for success.
  using Connected = std::function<void(std::optional<ErrorClass>)>;
  using Connect = std::function<void(Connected)>;

  /// What a resumption costs that a machine without any cost would not have: a hop through an executor.
  static constexpr nanoseconds hop = std::chrono::microseconds(20);

  SimulatedPool(VirtualTime& time, pool::PoolOptions const& options, resilience::ConnectGate& gate, Random random,
                Connect connect)
      : time_(time), connect_(std::move(connect)), core_(options, gate, random, time.now()) {}
  SimulatedPool(SimulatedPool const&) = delete;
  SimulatedPool& operator=(SimulatedPool const&) = delete;

  void start() {
    perform([this](pool::Actions& wanted) { core_.start(time_.now(), wanted); });
  }

  /// Calls back with a lease, or without one when the pool refused.
  void acquire(Deadline deadline, Taken taken) {
    pool::LeaseRequest request;
    request.deadline = deadline;
    auto* const caller = new Caller{pool::Waiter(request), std::move(taken)};
    caller->waiter.owner = caller;
    pool::Acquired acquired;
    perform([&](pool::Actions& wanted) { acquired = core_.acquire(caller->waiter, time_.now(), wanted); });
    settle(*caller, acquired);
  }

  void release(Lease lease) {
    perform([&](pool::Actions& wanted) { core_.release(lease, {}, time_.now(), wanted); });
  }

  /// The server went away: every connection breaks.
  void lose_all() {
    for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
      auto const& slot = *core_.slot(i);
      if (!slot.is_live()) continue;
      perform([&](pool::Actions& wanted) { core_.lost(slot.handle(), pool::Signal::transport, time_.now(), wanted); });
    }
  }

  std::uint32_t live() const { return core_.snapshot(time_.now()).live(); }

 private:
  struct Caller {
    pool::Waiter waiter;
    Taken taken;
  };

  template <class Input>
  void perform(Input input) {
    pool::Actions wanted;
    input(wanted);
    while (true) {
      for (auto const& action : wanted) carry_out(action);
      for (auto* waiter = wanted.resume; waiter != nullptr;) {
        auto* const current = std::exchange(waiter, waiter->next_to_resume());
        time_.after(hop, [this, current] { resume(*static_cast<Caller*>(current->owner)); });
      }
      if (!wanted.more) break;
      wanted.clear();
      core_.advance(time_.now(), wanted);
    }
    arm();
  }

  void arm() {
    auto const due = core_.next_timer();
    if (due >= armed_at_) return;
    armed_at_ = due;
    time_.at(due, [this, due] {
      if (armed_at_ != due) return;
      armed_at_ = time_point::max();
      perform([this](pool::Actions& wanted) { core_.advance(time_.now(), wanted); });
    });
  }

  void resume(Caller& caller) {
    pool::Acquired acquired;
    perform([&](pool::Actions& wanted) { acquired = core_.accept(caller.waiter, time_.now(), wanted); });
    settle(caller, acquired);
  }

  void settle(Caller& caller, pool::Acquired const& acquired) {
    using Outcome = pool::Acquired::Outcome;
    if (acquired.outcome == Outcome::waiting) return;
    auto const taken = std::move(caller.taken);
    delete &caller;
    taken(acquired.outcome == Outcome::granted ? std::optional(acquired.grant.lease) : std::nullopt);
  }

  void carry_out(pool::SlotAction const& action) {
    using Kind = pool::SlotAction::Kind;
    auto const slot = action.slot;
    switch (action.kind) {
      case Kind::connect:
        time_.after(nanoseconds::zero(), [this, slot] { connect_([this, slot](auto error) { end(slot, error); }); });
        break;
      case Kind::test:
        later([this, slot](pool::Actions& wanted) { core_.test_passed(slot, time_.now(), wanted); });
        break;
      case Kind::close_polite:
      case Kind::close_force:
        later(
            [this, slot](pool::Actions& wanted) { core_.closed(slot, pool::SessionFate::gone, time_.now(), wanted); });
        break;
      case Kind::reset:
      case Kind::rollback:
      case Kind::quarantine:
        later([this, lease = action.lease](pool::Actions& wanted) { core_.cleaned(lease, time_.now(), wanted); });
        break;
      case Kind::cancel:
      case Kind::warn_leak: break;
    }
  }

  template <class Input>
  void later(Input input) {
    time_.after(nanoseconds::zero(), [this, input] { perform(input); });
  }

  void end(pool::SlotHandle slot, std::optional<ErrorClass> error) {
    if (error) {
      pool::ConnectFailure const failure{Error(*error, SendState::never_sent, "the server did not let it in")};
      perform([&](pool::Actions& wanted) { core_.connect_failed(slot, failure, time_.now(), wanted); });
    } else {
      perform([&](pool::Actions& wanted) { core_.connected(slot, time_.now(), wanted); });
      perform([&](pool::Actions& wanted) { core_.initialised(slot, time_.now(), wanted); });
    }
  }

  VirtualTime& time_;
  Connect connect_;
  pool::PoolCore core_;
  time_point armed_at_ = time_point::max();
};

/// A connect that succeeds at once.
inline void connect_at_once(SimulatedPool::Connected const& connected) { connected(std::nullopt); }

}  // namespace belay::pictures
