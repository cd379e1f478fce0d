#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/cancellation_signal.hpp>

#include "belay/pool/endpoint.hpp"
#include "belay/resilience/shared_recovery.hpp"

namespace belay::pool::detail {

/// Performs what a HealthMonitor decides, and carries the news between it, the policy and the pools.
///
/// All but what says so is called on the executor, where every input to the monitor is made: probes' ends, pools'
/// events, breakers' transitions, and the timer at the monitor's next_tick_at().
class EndpointShell : public std::enable_shared_from_this<EndpointShell> {
 public:
  using time_point = Deadline::time_point;

  EndpointShell(EndpointOptions const&, std::shared_ptr<Connector> prober, EndpointEnvironment);
  ~EndpointShell();
  EndpointShell(EndpointShell const&) = delete;
  EndpointShell& operator=(EndpointShell const&) = delete;

  // From any thread:
  PoolEnvironment pool_environment();
  void attach(PoolBase const&, PoolBase::EventHandler);
  Policy const& policy() const noexcept { return policy_; }
  resilience::HealthReport health() const;
  resilience::RecoverySnapshot recovery() const { return gate_->snapshot(); }
  void start();
  void stop_later() noexcept;
  static boost::asio::awaitable<void> close(std::shared_ptr<EndpointShell>, Deadline);

 private:
  using Signal = boost::asio::cancellation_signal;
  struct Ticket;

  /// Lies in a frame on the executor: when the context ends, the frame does.
  struct Presence {
    explicit Presence(EndpointShell& of) noexcept : shell(of) { ++shell.present_; }
    ~Presence() { --shell.present_; }
    Presence(Presence const&) = delete;
    Presence& operator=(Presence const&) = delete;

    EndpointShell& shell;
  };

  static boost::asio::awaitable<void> watch(std::shared_ptr<EndpointShell>);
  static boost::asio::awaitable<void> keep_breakers_time(std::shared_ptr<EndpointShell>);
  static boost::asio::awaitable<void> probe(std::shared_ptr<EndpointShell>, resilience::health_action::StartProbe);
  static boost::asio::awaitable<void> shut(std::shared_ptr<EndpointShell>, Deadline);
  static bool is_refusal(ErrorClass) noexcept;
  boost::asio::awaitable<bool> connect(resilience::health_action::StartProbe const&);

  time_point now() const noexcept { return time_->now(); }
  void perform(resilience::HealthActions const&);
  void perform(resilience::health_action::StartProbe const&);
  void perform(resilience::health_action::InvalidatePool const&);
  void perform(resilience::health_action::StopRefill const&);
  void perform(resilience::health_action::ResumeRefill const&);
  void perform(resilience::health_action::EndpointRecovered const&);
  void perform(resilience::health_action::SuspectIdle const&);
  void perform(resilience::health_action::StateChanged const&);
  void pool_event(PoolEvent const&);
  void look_at_breakers();
  void set_refill();
  void end_probe();
  void stop();
  void drop_connection() noexcept;
  void publish();
  void wake();

  boost::asio::any_io_executor const executor_;
  std::shared_ptr<net::TimeService> const given_time_;  ///< null: the machine's
  std::shared_ptr<net::TimeService> const time_;
  std::shared_ptr<Connector> const prober_;
  std::function<void(resilience::health_action::StateChanged const&)> const on_health_change_;
  std::shared_ptr<resilience::SharedRecovery> const gate_;
  Policy policy_;
  std::atomic<bool> is_started_{false};
  /// Something of ours is on the executor: its context has not ended yet.
  std::atomic<int> present_{0};
  std::vector<std::pair<resilience::SharedBreaker*, resilience::SharedBreaker::ListenerId>> listening_;

  mutable std::mutex mutex_;
  resilience::HealthReport report_;  ///< guarded by it, like the next
  Random random_;
  unsigned pools_made_ = 0;

  // On the executor only:
  resilience::HealthMonitor monitor_;
  std::vector<PoolBase> pools_;
  std::shared_ptr<Connection> connection_;  ///< a test that is under way holds it too
  Signal wait_;
  Signal keeping_time_;
  std::optional<resilience::ProbeId> probe_;  ///< under way; what an earlier one still does is of no interest
  Deadline probe_deadline_ = Deadline::never();
  std::shared_ptr<Signal> probe_signal_;
  bool is_awake_ = false;  ///< the timer is to be set anew before it is waited for
  bool is_stopped_ = false;
  bool is_down_ = false;
  bool is_breaker_open_ = false;
  Refill refill_ = Refill::normal;
};

}  // namespace belay::pool::detail
