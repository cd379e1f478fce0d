#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "belay/resilience/health_monitor.hpp"
#include "endpoint.hpp"

namespace belay::simulation {

/// The health monitor with a connection of its own, which counts apart from the pools'. Checks H1, H2 and H3.
class HealthShell {
 public:
  HealthShell(Endpoint&, Random);

  time_point next_tick_at() const noexcept { return is_stopped_ ? time_point::max() : monitor_.next_tick_at(); }
  void tick(duration since_boot);
  void transport_failure();
  void connected();
  void connect_failed(Server::LoginFailure const&);
  resilience::HealthState state() const noexcept { return monitor_.state(); }
  /// A long silence begins: it must be noticed in time.
  void silence_begins(time_point until);
  void stop();

  std::function<void()> state_changed;

 private:
  void perform(resilience::HealthActions const&);
  void probe(resilience::health_action::StartProbe const&);
  void ping(resilience::ProbeId, time_point began);
  void succeeded(resilience::ProbeId, time_point began);
  void failed(resilience::ProbeId, resilience::ProbeFailure const&);
  void hang_up();
  void end_ticket(std::optional<ErrorClass>);
  void cover(HealthInput);

  Endpoint& endpoint_;
  resilience::HealthMonitor monitor_;
  Link* link_ = nullptr;
  std::optional<resilience::ConnectTicket> ticket_;
  std::optional<resilience::ProbeId> under_way_;
  std::uint32_t successes_in_row_ = 0;
  std::uint64_t invalidations_ = 0;
  time_point last_look_at_;
  bool is_stopped_ = false;
};

}  // namespace belay::simulation
