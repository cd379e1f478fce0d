#include "health_shell.hpp"

#include <utility>
#include <variant>

namespace belay::simulation {

namespace {

using namespace std::chrono_literals;
using namespace belay::resilience;

template <class... Cases>
struct Match : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Match(Cases...) -> Match<Cases...>;

}  // namespace

HealthShell::HealthShell(Endpoint& endpoint, Random random)
    : endpoint_(endpoint), monitor_(endpoint.plan.health, random), last_look_at_(endpoint.timeline.now()) {}

void HealthShell::cover(HealthInput input) {
  endpoint_.coverage.health.record(static_cast<std::size_t>(monitor_.state()), static_cast<std::size_t>(input));
}

void HealthShell::tick(duration since_boot) {
  auto const now = endpoint_.timeline.now();
  if (is_stopped_) return;
  std::size_t live = 0;
  for (auto const& pool : endpoint_.pools) live += pool->live();
  monitor_.live_slots(live);
  if (under_way_ && monitor_.next_tick_at() <= now) {
    cover(HealthInput::probe_timed_out);
    under_way_.reset();
    successes_in_row_ = 0;
    end_ticket(ErrorClass::timeout_local);
    hang_up();
  }
  perform(monitor_.tick(now, since_boot));
}

void HealthShell::perform(HealthActions const& actions) {
  auto& endpoint = endpoint_;
  for (auto const& action : actions) {
    std::visit(Match{[&](health_action::StartProbe const& start) { probe(start); },
                     [&](health_action::InvalidatePool const&) {
                       ++invalidations_;
                       for (auto const& pool : endpoint.pools) {
                         pool->invalidate(pool::GenerationReason::health, pool::Invalidation::soft);
                       }
                     },
                     [&](health_action::StopRefill const&) {}, [&](health_action::ResumeRefill const&) {},
                     [&](health_action::EndpointRecovered const&) {
                       for (auto const& breaker : endpoint.breakers) breaker->endpoint_recovered();
                     },
                     [&](health_action::SuspectIdle const&) {
                       cover(HealthInput::suspended);
                       for (auto const& pool : endpoint.pools) pool->suspect_idle();
                     },
                     [&](health_action::StateChanged const& change) {
                       endpoint.record.note("health", static_cast<std::uint64_t>(change.before),
                                            static_cast<std::uint64_t>(change.after));
                       bool const comes_back = change.after == HealthState::up && change.before != HealthState::unknown;
                       endpoint.record.require(!comes_back || successes_in_row_ >= endpoint.plan.health.successes_to_up,
                                               "H3", "up again after too few successes");
                       auto const health = change.after == HealthState::down       ? pool::EndpointHealth::down
                                           : change.after == HealthState::degraded ? pool::EndpointHealth::degraded
                                                                                   : pool::EndpointHealth::up;
                       for (auto const& pool : endpoint.pools) pool->set_health(health);
                       if (state_changed) state_changed();
                     }},
               action);
  }
}

void HealthShell::probe(health_action::StartProbe const& start) {
  auto const now = endpoint_.timeline.now();
  // H1: whatever the pools do, it looks at least this often.
  auto const longest = std::max<duration>(endpoint_.plan.health.interval, endpoint_.plan.health.unhealthy_delay_max);
  auto const slack = endpoint_.plan.health.probe_timeout + longest / 10 + endpoint_.plan.recovery.auth_probe_delay_max +
                     endpoint_.plan.recovery.denied_for_max;
  endpoint_.record.require(now - last_look_at_ <= longest + slack, "H1", "the monitor does not look");
  last_look_at_ = now;
  under_way_ = start.id;
  if (link_ != nullptr && link_->is_open) return ping(start.id, now);
  auto const answer = endpoint_.gate.try_connect(now);
  if (!answer.ticket) {
    cover(HealthInput::probe_postponed);
    under_way_.reset();
    return monitor_.probe_postponed(start.id, answer.retry_at, now);
  }
  ticket_ = answer.ticket;
  link_ = &endpoint_.server.open(health_owner, {}, 1);
  endpoint_.server.log_in(*link_, [this, id = start.id, now](std::optional<Server::LoginFailure> const& failure) {
    if (under_way_ != id) return;
    if (!failure) {
      end_ticket(std::nullopt);
      return ping(id, now);
    }
    auto const ticket = *std::exchange(ticket_, std::nullopt);
    endpoint_.gate.failed(ticket, failure->failure.error_class, failure->permanent, endpoint_.timeline.now());
    hang_up();
    failed(id, {failure->failure.error_class, {}, true});
  });
}

void HealthShell::end_ticket(std::optional<ErrorClass> error) {
  if (!ticket_) return;
  auto const ticket = *std::exchange(ticket_, std::nullopt);
  if (error) return endpoint_.gate.failed(ticket, *error, false, endpoint_.timeline.now());
  endpoint_.gate.connected(ticket, endpoint_.timeline.now());
}

void HealthShell::ping(ProbeId id, time_point began) {
  endpoint_.server.send(*link_, {.nonce = endpoint_.server.new_nonce()}, [this, id, began](Reply const* reply) {
    if (under_way_ != id) return;
    if (reply != nullptr) return succeeded(id, began);
    failed(id, {ErrorClass::transport, {}, false});
  });
}

void HealthShell::succeeded(ProbeId id, time_point began) {
  under_way_.reset();
  auto const now = endpoint_.timeline.now();
  ++successes_in_row_;
  auto const before = monitor_.state();
  auto const actions = monitor_.probe_succeeded(id, now - began, now);
  bool const is_slow = monitor_.report().reason == HealthReason::probe_slow;
  endpoint_.coverage.health.record(
      static_cast<std::size_t>(before),
      static_cast<std::size_t>(is_slow ? HealthInput::probe_slow : HealthInput::probe_succeeded));
  perform(actions);
}

void HealthShell::failed(ProbeId id, ProbeFailure const& failure) {
  under_way_.reset();
  cover(HealthInput::probe_failed);
  successes_in_row_ = 0;
  perform(monitor_.probe_failed(id, failure, endpoint_.timeline.now()));
}

void HealthShell::hang_up() {
  if (link_ != nullptr) endpoint_.server.abandon(*std::exchange(link_, nullptr));
}

void HealthShell::transport_failure() {
  if (is_stopped_) return;
  cover(HealthInput::transport_failure);
  monitor_.transport_failure_seen(endpoint_.timeline.now());
}

void HealthShell::connected() {
  if (is_stopped_) return;
  cover(HealthInput::connect_succeeded);
  ++successes_in_row_;
  perform(monitor_.connect_succeeded(endpoint_.timeline.now()));
}

void HealthShell::connect_failed(Server::LoginFailure const& failure) {
  if (is_stopped_) return;
  cover(HealthInput::connect_failed);
  successes_in_row_ = 0;
  perform(monitor_.connect_failed({failure.failure.error_class, {}, failure.refused}, endpoint_.timeline.now()));
}

/// H2: degraded, and the pools invalidated, after an interval and a probe's time.
void HealthShell::silence_begins(time_point until) {
  if (is_stopped_ || monitor_.state() != HealthState::up || link_ == nullptr || !link_->is_open) return;
  auto const& options = endpoint_.plan.health;
  auto const noticed = endpoint_.timeline.now() + options.interval * 11 / 10 + options.probe_timeout + 1s;
  if (noticed >= until) return;
  endpoint_.timeline.at(noticed, [this, before = invalidations_] {
    if (is_stopped_) return;
    bool const invalidates = endpoint_.plan.health.invalidate == HealthOptions::Invalidate::at_first_failure;
    endpoint_.record.require(monitor_.state() != HealthState::up, "H2", "a silent endpoint still counts as up");
    endpoint_.record.require(!invalidates || invalidations_ > before, "H2", "a silent endpoint's pools are trusted");
  });
}

void HealthShell::stop() {
  is_stopped_ = true;
  under_way_.reset();
  if (ticket_) endpoint_.gate.abandoned(*std::exchange(ticket_, std::nullopt), endpoint_.timeline.now());
  hang_up();
}

}  // namespace belay::simulation
