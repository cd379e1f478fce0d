#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "belay/core/enum_names.hpp"
#include "belay/core/random.hpp"
#include "belay/pool/pool_core.hpp"
#include "belay/pool/saturating_time.hpp"
#include "belay/pool/test_pool_gate.hpp"

namespace belay::pool {

/// What one simulated run is like; everything is drawn from the seed, so that each run stresses something else.
struct DriverPlan {
  using duration = std::chrono::nanoseconds;

  std::uint64_t seed = 1;
  PoolOptions options;
  int clients = 20;
  duration chaos_lasts = std::chrono::seconds(4);
  double cancels = 0;        ///< share of acquires the caller gives up
  double dirty_returns = 0;  ///< share of leases that come back not clean
  double hangs = 0;          ///< share of works on a connection that are never answered
  double failures = 0;       ///< share of them that fail
  double nested = 0;         ///< share of holders that ask for a second lease
  double late_reports = 0;   ///< share of reports that are made once more, later
  duration between_disturbances = std::chrono::milliseconds(200);
  bool closes_in_chaos = false;

  static DriverPlan from_seed(std::uint64_t seed);
};

/// Clients, a server and a shell around one PoolCore in virtual time. After every single input the pool is compared
/// with what the clients and the server know: each check names the invariant it stands for (P1, P3 …).
///
///     PoolDriver driver(DriverPlan::from_seed(7));
///     driver.run();
///     driver.violations();   // must be empty
///     driver.trace_hash();   // the same for the same seed
class PoolDriver {
 public:
  using time_point = Deadline::time_point;
  using duration = std::chrono::nanoseconds;

  explicit PoolDriver(DriverPlan plan)
      : plan_(std::move(plan)),
        random_(Random(plan_.seed).fork("world")),
        gate_(plan_.options.max_connecting),
        core_(plan_.options, gate_, Random(plan_.seed).fork("pool"), now_) {
    agents_.resize(static_cast<std::size_t>(plan_.clients) * 2);  // each client has a child, for a second lease
    for (std::size_t i = 0; i < agents_.size(); ++i) agents_[i].task = 1 + i / 2;
  }

  void run() {
    perform([&](Actions& actions) { core_.start(now_, actions); });
    for (std::size_t i = 0; i < agents_.size(); i += 2)
      at(within(std::chrono::milliseconds(20)), [this, i] { ask(i); });
    at(within(plan_.between_disturbances), [this] { disturb(); });
    run_until(now_ + plan_.chaos_lasts);
    if (!closing_) calm_down();
    finish();
  }

  std::vector<std::string> const& violations() const { return violations_; }
  std::uint64_t trace_hash() const { return hash_; }
  std::uint64_t steps() const { return steps_; }
  PoolCore const& core() const { return core_; }

 private:
  struct Agent {
    enum class State { idle, waiting, leaving, holding };
    State state = State::idle;
    std::uint64_t task = 0;
    std::unique_ptr<Waiter> waiter;
    std::uint64_t arrival = 0;
    WaiterState seen = WaiterState::fresh;
    Deadline deadline = Deadline::never();
    Grant grant;
    std::uint64_t turn = 0;  ///< so that events about an earlier lease or wait are recognised
    bool must_be_served = false;
    bool failed_in_deadlock = false;  ///< every holder waited when it was failed
  };

  struct Session {
    bool is_alive = false;
    bool is_mid_query = false;
    bool has_transaction = false;
    bool is_changed = false;
    bool is_given_up = false;  ///< closed from our side, perhaps before it was open
    time_point opened{};
  };

  struct Event {
    time_point at;
    std::uint64_t number;
    std::function<void()> run;
    bool operator>(Event const& other) const { return std::pair(at, number) > std::pair(other.at, other.number); }
  };

  // ── the executor ───────────────────────────────────────────────────────────────────────────────────────────────
  void at(duration wait, std::function<void()> run) { events_.push({now_ + wait, ++event_count_, std::move(run)}); }
  bool chance(double share) { return random_.uniform() < share; }
  duration within(duration most) {
    return duration(static_cast<duration::rep>(random_.below(static_cast<std::uint64_t>(most.count()) + 1)));
  }

  void run_until(time_point end) {
    while (violations_.empty()) {
      auto const timer = core_.next_timer();
      auto const event = events_.empty() ? time_point::max() : events_.top().at;
      auto const next = std::min(timer, event);
      if (next > end || next == time_point::max()) break;
      now_ = std::max(now_, next);
      // A due timer goes first: what it ends must not outlive its instant.
      if (timer <= event) {
        perform([&](Actions& actions) { core_.advance(now_, actions); });
        if (core_.next_timer() <= now_ && ++idle_advances_ > 100) violate("timer", "advance() makes no progress");
      } else {
        auto current = events_.top();
        events_.pop();
        current.run();
      }
      if (core_.next_timer() > now_) idle_advances_ = 0;
    }
    now_ = std::max(now_, end);
  }

  /// One input to the pool, what it asks for, and all checks.
  template <class Input>
  void perform(Input input) {
    if (!violations_.empty()) return;
    Actions actions;
    input(actions);
    for (bool more = true; more;) {
      ++steps_;
      for (auto const& action : actions) carry_out(action);
      for (auto* waiter = actions.resume; waiter != nullptr;) {
        auto* const current = std::exchange(waiter, waiter->next_to_resume());
        at(within(std::chrono::microseconds(5)), [this, current] { resume(*current); });
      }
      more = actions.more;
      if (!more) break;
      actions.clear();
      core_.advance(now_, actions);
    }
    check();
  }

  // ── clients ────────────────────────────────────────────────────────────────────────────────────────────────────
  Agent& agent_of(Waiter const& waiter) { return *static_cast<Agent*>(waiter.owner); }
  std::size_t index_of(Agent const& agent) const { return static_cast<std::size_t>(&agent - agents_.data()); }

  void ask(std::size_t index) {
    auto& agent = agents_[index];
    if (agent.state != Agent::State::idle || closing_ || resting_) return;
    LeaseRequest request;
    bool const is_child = index % 2 == 1;
    agent.must_be_served = !is_child && chance(0.1) && !plan_.closes_in_chaos;
    if (is_child || !agent.must_be_served) {
      request.deadline = Deadline::at(now_ + within(std::chrono::milliseconds(is_child ? 400 : 1500)));
    }
    if (chance(0.1)) request.lane = Lane::background;
    if (chance(0.02)) request.lane = Lane::health;
    if (chance(0.3)) request.kind = LeaseKind::pinned;
    if (chance(0.05)) request.kind = LeaseKind::exclusive;
    request.task = agent.task;
    request.label = "client";
    agent.waiter = std::make_unique<Waiter>(request);
    agent.waiter->owner = &agent;
    agent.deadline = earlier(request.deadline, Deadline::at(later(now_, plan_.options.acquire_timeout)));
    agent.arrival = ++arrivals_;
    agent.seen = WaiterState::fresh;
    ++agent.turn;
    if (std::find(busy_.begin(), busy_.end(), index) == busy_.end()) busy_.push_back(index);

    Acquired result;
    agent.state = Agent::State::waiting;
    perform([&](Actions& actions) {
      result = core_.acquire(*agent.waiter, now_, actions);
      if (result.outcome == Acquired::Outcome::granted) newly_offered_.push_back(index);
      settle(agent, result);
    });
    if (agent.state == Agent::State::waiting && chance(plan_.cancels) && !agent.must_be_served) {
      at(within(std::chrono::milliseconds(300)), [this, index, turn = agent.turn] { give_up(index, turn); });
    }
  }

  void give_up(std::size_t index, std::uint64_t turn) {
    auto& agent = agents_[index];
    if (agent.turn != turn || agent.state != Agent::State::waiting) return;
    note("give up", index);
    bool const was_over = agent.waiter->state() == WaiterState::failed;
    perform([&](Actions& actions) {
      core_.withdraw(*agent.waiter, now_, actions);
      if (!was_over && agent.waiter->state() != WaiterState::withdrawn) violate("P5", "a withdrawal had no effect");
      if (agent.waiter->is_resuming()) {
        agent.state = Agent::State::leaving;
      } else {
        leave(agent);
      }
    });
  }

  void resume(Waiter& waiter) {
    auto& agent = agent_of(waiter);
    if (!waiter.is_resuming()) return violate("resume", "a waiter was resumed twice");
    bool const has_left = agent.state == Agent::State::leaving;
    bool const is_late = agent.deadline.expired(now_);
    perform([&](Actions& actions) {
      auto const result = core_.accept(waiter, now_, actions);
      if (result.outcome == Acquired::Outcome::granted && has_left)
        violate("P5", "a waiter that withdrew became owner");
      if (result.outcome == Acquired::Outcome::granted && is_late)
        violate("P5", "a waiter that timed out became owner");
      if (has_left) return leave(agent);
      settle(agent, result);
    });
  }

  void settle(Agent& agent, Acquired const& result) {
    auto const index = index_of(agent);
    note(result.outcome == Acquired::Outcome::granted ? "granted" : "not granted", index);
    if (result.outcome == Acquired::Outcome::waiting) return;
    if (result.outcome == Acquired::Outcome::failed) {
      check_failure(agent);
      return leave(agent);
    }
    agent.state = Agent::State::holding;
    agent.grant = result.grant;
    agent.seen = WaiterState::accepted;
    ++given_;
    check_lending(agent);
    auto& session = sessions_[session_key(agent.grant.slot)];
    if (agent.grant.reset_first) session.is_changed = false;
    if (index % 2 == 0 && chance(plan_.nested)) {
      at(within(std::chrono::milliseconds(2)), [this, index] { ask(index + 1); });
    }
    hold(index, chance(0.02) ? std::chrono::milliseconds(900) : std::chrono::milliseconds(40));
  }

  void hold(std::size_t index, duration most) {
    auto const turn = agents_[index].turn;
    at(within(most), [this, index, turn] {
      auto& agent = agents_[index];
      if (agent.turn != turn || agent.state != Agent::State::holding) return;
      bool const child_is_busy = index % 2 == 0 && agents_[index + 1].state != Agent::State::idle;
      if (child_is_busy) return hold(index, std::chrono::milliseconds(5));
      give_back(index, draw_release());
    });
  }

  Release draw_release() {
    if (!chance(plan_.dirty_returns)) return {};
    switch (random_.below(8)) {
      case 0: return {ReleaseCondition::broken, Signal::transport};
      case 1: return {ReleaseCondition::mid_query, Signal::nothing};
      case 2: return {ReleaseCondition::transaction_open, Signal::nothing};
      case 3: return {ReleaseCondition::clean, Signal::taint};
      case 4: return {ReleaseCondition::mid_query, Signal::taint};
      case 5: return {ReleaseCondition::clean, chance(0.2) ? Signal::role : Signal::nothing};
      default: return {ReleaseCondition::session_changed, Signal::nothing};
    }
  }

  void give_back(std::size_t index, Release how) {
    auto& agent = agents_[index];
    auto& session = sessions_[session_key(agent.grant.slot)];
    if (!session.is_alive) how = {ReleaseCondition::broken, Signal::transport};
    if (plan_.options.streams_per_connection == 1) {
      session.is_mid_query = how.condition == ReleaseCondition::mid_query;
      session.has_transaction = how.condition == ReleaseCondition::transaction_open;
      session.is_changed = how.condition == ReleaseCondition::session_changed;
    }
    note("give back", index);
    auto const lease = agent.grant.lease;
    bool const was_held = core_.holds(lease);
    perform([&](Actions& actions) {
      bool const ended = core_.release(lease, how, now_, actions);
      if (ended != was_held) violate("P4", "release() and holds() disagree");
      ++(ended ? returned_ : found_revoked_);
      if (core_.release(lease, {}, now_, actions)) violate("P4", "a lease was returned twice");
      leave(agent);
    });
  }

  void leave(Agent& agent) {
    agent.state = Agent::State::idle;
    ++agent.turn;
    auto const index = index_of(agent);
    if (index % 2 == 0) at(within(std::chrono::milliseconds(30)), [this, index] { ask(index); });
  }

  // ── the shell and the server ───────────────────────────────────────────────────────────────────────────────────
  static std::uint64_t session_key(SlotHandle slot) { return std::uint64_t{slot.index} << 32U | slot.version; }

  /// A report, perhaps made once more when it is no longer wanted.
  template <class Report>
  void report(duration wait, Report make) {
    at(wait, [this, make] { perform([&](Actions& actions) { make(actions); }); });
    if (chance(plan_.late_reports)) {
      at(wait + within(std::chrono::seconds(1)), [this, make] { perform([&](Actions& actions) { make(actions); }); });
    }
  }

  void carry_out(SlotAction const& action) {
    note(std::to_string(static_cast<int>(action.kind)).c_str(), action.slot.index);
    auto const slot = action.slot;
    auto const lease = action.lease;
    auto const key = session_key(slot);
    auto& session = sessions_[key];
    bool const hangs = chance(plan_.hangs);
    bool const fails = chance(plan_.failures);
    switch (action.kind) {
      case SlotAction::Kind::connect: return connect(slot, hangs, fails);
      case SlotAction::Kind::test:
        if (hangs) return;
        if (fails || !session.is_alive) {
          session.is_alive = false;
          return report(within(std::chrono::milliseconds(2)),
                        [this, slot](Actions& actions) { core_.test_failed(slot, Signal::transport, now_, actions); });
        }
        return report(within(std::chrono::milliseconds(2)),
                      [this, slot](Actions& actions) { core_.test_passed(slot, now_, actions); });
      case SlotAction::Kind::reset:
      case SlotAction::Kind::rollback:
      case SlotAction::Kind::quarantine:
        if (hangs) return;
        if (fails || !session.is_alive) {
          return report(within(std::chrono::milliseconds(5)), [this, lease](Actions& actions) {
            core_.clean_up_failed(lease, Signal::transport, now_, actions);
          });
        }
        if (chance(0.5)) {
          report(within(std::chrono::milliseconds(3)),
                 [this, lease](Actions& actions) { core_.cancel_ended(lease, now_, actions); });
        }
        at(within(std::chrono::milliseconds(5)), [this, lease, key] {
          auto& cleaned = sessions_[key];
          cleaned.is_mid_query = cleaned.has_transaction = cleaned.is_changed = false;
          perform([&](Actions& actions) { core_.cleaned(lease, now_, actions); });
        });
        return;
      case SlotAction::Kind::cancel: return cancel_holders(slot);
      case SlotAction::Kind::close_polite:
        if (hangs) return;
        [[fallthrough]];
      case SlotAction::Kind::close_force: {
        session.is_given_up = true;
        bool const is_known = action.kind == SlotAction::Kind::close_polite || !session.is_alive || chance(0.3);
        report(within(std::chrono::milliseconds(2)), [this, slot, key, is_known](Actions& actions) {
          end_session(key, is_known);
          core_.closed(slot, is_known ? SessionFate::gone : SessionFate::unknown, now_, actions);
        });
        return;
      }
      case SlotAction::Kind::warn_leak: return;
    }
  }

  /// The server works on for a while when it was not told good-bye.
  void end_session(std::uint64_t key, bool is_known) {
    sessions_[key].is_alive = false;
    auto const grace = plan_.options.zombie_grace;
    if (is_known || grace == duration::zero()) {
      on_server_.erase(key);
    } else {
      at(within(grace), [this, key] { on_server_.erase(key); });
    }
  }

  void connect(SlotHandle slot, bool hangs, bool fails) {
    sessions_[session_key(slot)] = {};
    if (hangs) return;
    if (fails || !server_is_up_) {
      bool const permanent = chance(0.05);
      return report(within(std::chrono::milliseconds(20)), [this, slot, permanent](Actions& actions) {
        ConnectFailure failure{Error(ErrorClass::transport, SendState::never_sent, "connection refused")};
        failure.permanent = permanent;
        failure.fate = permanent ? SessionFate::unknown : SessionFate::gone;
        core_.connect_failed(slot, failure, now_, actions);
      });
    }
    auto const login = within(std::chrono::milliseconds(15));
    report(login, [this, slot](Actions& actions) { core_.connected(slot, now_, actions); });
    at(login + within(std::chrono::milliseconds(5)), [this, slot] {
      auto& session = sessions_[session_key(slot)];
      if (!session.is_given_up) {
        session.is_alive = true;
        session.opened = now_;
        on_server_.insert(session_key(slot));
      }
      perform([&](Actions& actions) { core_.initialised(slot, now_, actions); });
    });
  }

  void cancel_holders(SlotHandle slot) {
    for (std::size_t i = 0; i < agents_.size(); ++i) {
      auto const& agent = agents_[i];
      if (agent.state != Agent::State::holding || agent.grant.slot != slot) continue;
      at(within(std::chrono::milliseconds(3)), [this, i, turn = agent.turn] {
        if (agents_[i].turn != turn || agents_[i].state != Agent::State::holding) return;
        give_back(i, {ReleaseCondition::mid_query, Signal::nothing});
      });
    }
  }

  void disturb() {
    if (closing_ || resting_) return;
    at(within(plan_.between_disturbances * 2), [this] { disturb(); });
    auto const which = random_.below(11);
    note("disturb", which);
    switch (which) {
      case 0: return invalidate(chance(0.5) ? Invalidation::hard : Invalidation::soft);
      case 1:
        perform([&](Actions& actions) { core_.pause(now_, actions); });
        return at(within(std::chrono::milliseconds(300)),
                  [this] { perform([&](Actions& actions) { core_.resume(now_, actions); }); });
      case 2: return resize();
      case 3:
      case 4: {  // the server goes away, or drops some sessions, which the idle watch sees
        server_is_up_ = chance(0.5);
        if (!server_is_up_) at(within(std::chrono::seconds(7)), [this] { server_is_up_ = true; });
        for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
          if (server_is_up_ && chance(0.7)) continue;
          lose(core_.slot(i)->handle());
        }
        return;
      }
      case 5: return perform([&](Actions& actions) { core_.suspect_idle(now_, actions); });
      case 6:
        perform([&](Actions& actions) {
          core_.set_refill(chance(0.5) ? Refill::none : Refill::min_idle_only, now_, actions);
        });
        return at(within(std::chrono::milliseconds(500)),
                  [this] { perform([&](Actions& actions) { core_.set_refill(Refill::normal, now_, actions); }); });
      case 7: core_.set_endpoint_health(chance(0.5) ? EndpointHealth::up : EndpointHealth::degraded); return;
      case 8: {
        auto const index = static_cast<std::uint32_t>(random_.below(plan_.options.hard_limit()));
        if (auto const* slot = core_.slot(index)) {
          if (slot->state == SlotState::zombie) on_server_.erase(session_key(slot->handle()));
          perform([&](Actions& actions) { core_.session_gone(slot->handle(), now_, actions); });
        }
        return;
      }
      case 9:
        if (plan_.closes_in_chaos && chance(0.3)) close();
        return;
      default: return perform([&](Actions& actions) { core_.permission_changed(now_, actions); });
    }
  }

  void invalidate(Invalidation how) {
    perform([&](Actions& actions) {
      auto const before = core_.generation();
      core_.invalidate_all(GenerationReason::operator_request, how, now_, actions);
      if (core_.generation() <= before) violate("P13", "an invalidation did not raise the generation");
    });
  }

  void resize() {
    PoolSize size{};
    size.max_size = 1 + static_cast<std::uint32_t>(random_.below(12));
    size.max_overflow = static_cast<std::uint32_t>(random_.below(4));
    size.min_idle = static_cast<std::uint32_t>(random_.below(size.max_size + 1));
    has_resized_ = true;
    perform([&](Actions& actions) { core_.resize(size, now_, actions); });
  }

  void lose(SlotHandle slot) {
    auto& session = sessions_[session_key(slot)];
    if (!session.is_alive) return;
    session.is_alive = false;
    if (chance(0.3)) return;  // a black hole: nobody is told
    perform([&](Actions& actions) { core_.lost(slot, Signal::transport, now_, actions); });
  }

  void close() {
    closing_ = true;
    closed_by_ = now_ + plan_.options.close_timeout;
    auto const policy = chance(0.5) ? WaitersAtClose::fail : WaitersAtClose::serve;
    perform([&](Actions& actions) { core_.close(policy, now_, actions); });
  }

  // ── the end ────────────────────────────────────────────────────────────────────────────────────────────────────
  /// The server is healthy again, nobody disturbs: everything must come to rest.
  void calm_down() {
    plan_.hangs = plan_.failures = plan_.cancels = plan_.dirty_returns = plan_.nested = 0;
    server_is_up_ = true;
    resting_ = true;
    perform([&](Actions& actions) { core_.resume(now_, actions); });
    perform([&](Actions& actions) { core_.set_refill(Refill::normal, now_, actions); });
    run_until(now_ + std::chrono::seconds(45));  // longer than acquire_timeout
    for (auto const& agent : agents_) {
      if (agent.state != Agent::State::idle) {
        violate("P6", "client " + std::to_string(index_of(agent)) + " is neither served nor refused");
      }
    }
    auto const shot = core_.snapshot(now_);
    if (shot.leases != 0 || shot.waiting != 0) violate("P4", "leases or waiters without clients");
    auto const spare = shot.taken() - shot.in(SlotState::zombie);  // one that expired is being replaced perhaps
    if (spare * shot.streams_per_connection < shot.min_idle) violate("P17", "idle did not return to min_idle");

    auto const opened = shot.connects_started;
    std::uint64_t const probes = gate_.is_recovering() ? 1 : 0;  // nobody has found out yet that the server is back
    auto const needed = [](Snapshot const& at) {  // some sessions went into a black hole and are found out now
      return at.closed[static_cast<std::size_t>(CloseReason::expired)] +
             at.closed[static_cast<std::size_t>(CloseReason::test_failed)];
    };
    auto const needed_before = needed(shot);
    run_until(now_ + rest());
    auto const later_shot = core_.snapshot(now_);
    auto const opens = later_shot.connects_started - opened;
    auto const expiries = needed(later_shot) - needed_before;
    if (opens > expiries + expiries / 10 + probes) {
      std::string how = std::to_string(opens) + " connections were opened without need; closed:";
      for (auto const& [name, reason] : enumerators_of<CloseReason>) {
        auto const index = static_cast<std::size_t>(reason);
        auto const closes = later_shot.closed[index] - shot.closed[index];
        if (closes > 0) how += " " + std::to_string(closes) + " " + std::string(name);
      }
      violate("P17", how);
    }
  }

  /// An hour, or less where much happens in it.
  duration rest() const {
    auto const& options = plan_.options;
    duration longest = std::chrono::hours(1);
    if (options.max_lifetime) longest = std::min(longest, *options.max_lifetime * 3);
    if (options.keepalive) longest = std::min(longest, *options.keepalive * 20);
    return longest;
  }

  void finish() {
    if (!closing_) close();
    run_until(closed_by_);
    if (violations_.empty() && !core_.is_closed()) violate("P19", "the drain is not over by its deadline");
    // The clients' late returns must not disturb a closed pool.
    run_until(closed_by_ + std::chrono::seconds(5));
    if (!violations_.empty()) return;
    auto const shot = core_.snapshot(now_);
    if (shot.taken() != 0 || shot.leases != 0 || shot.waiting != 0) violate("P19", "something is left after the drain");
    if (core_.next_timer() != time_point::max()) violate("P19", "a timer is left after the drain");
    if (gate_.outstanding() != 0) violate("tickets", "a permission to connect was never given back");
    for (auto const& agent : agents_) {
      if (agent.state == Agent::State::waiting) violate("P19", "a waiter was neither served nor refused");
    }
  }

  // ── checks ─────────────────────────────────────────────────────────────────────────────────────────────────────
  void violate(std::string const& what, std::string const& how) {
    violations_.push_back(what + ": " + how + " (seed " + std::to_string(plan_.seed) + ", step " +
                          std::to_string(steps_) + ", " + std::to_string(now_.time_since_epoch().count()) + " ns)");
  }

  void note(char const* what, std::uint64_t number) {
    auto const mix = [this](std::uint64_t value) { hash_ = (hash_ ^ value) * 1099511628211U; };
    mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
    for (; *what != 0; ++what) mix(static_cast<unsigned char>(*what));
    mix(number);
  }

  static std::size_t lane_index(Lane lane) { return static_cast<std::size_t>(lane); }

  void check_lending(Agent const& agent) {
    auto const& grant = agent.grant;
    auto const& session = sessions_[session_key(grant.slot)];
    if (grant.generation != core_.generation()) violate("P13", "a lease of an older generation began");
    if (session.opened == time_point{}) violate("P9", "a connection was lent before it was ready");
    if (session.is_mid_query) violate("P9", "a connection was lent in the middle of a query");
    if (session.has_transaction) violate("P9", "a connection was lent with an open transaction");
    if (session.is_changed && !grant.reset_first) violate("P9", "a connection was lent with a changed session");
    auto const lifetime = plan_.options.max_lifetime;
    if (lifetime && now_ - session.opened >= *lifetime) violate("P9", "a connection was lent past its lifetime");
    auto const* const slot = core_.slot(grant.slot.index);
    if (now_ >= slot->expires_at) violate("P9", "a connection was lent past its planned expiry");
    for (auto const busy : busy_) {
      auto const& other = agents_[busy];
      if (&other == &agent || other.state != Agent::State::holding || other.grant.slot != grant.slot) continue;
      if (!core_.holds(other.grant.lease)) continue;
      if (other.grant.lease == grant.lease) violate("P3", "one lease has two owners");
      bool const excludes =
          agent.waiter->request.kind == LeaseKind::exclusive || other.waiter->request.kind == LeaseKind::exclusive;
      if (excludes) violate("P3", "an exclusive lease shares its connection");
    }
  }

  void check_failure(Agent const& agent) {
    auto const& waiter = *agent.waiter;
    if (waiter.refusal() == Refusal::none) violate("P21", "a refusal without a reason");
    if (agent.arrival % 4 == 0) check_error(waiter);
    bool const is_about_the_pool = waiter.refusal() != Refusal::closed && waiter.refusal() != Refusal::deadline_passed;
    if (is_about_the_pool && waiter.verdict() == Verdict::none && !closing_)
      violate("P21", "a refusal without a verdict");
    if (waiter.refusal() == Refusal::timed_out && !agent.deadline.expired(now_)) {
      violate("P8", "a waiter timed out before its deadline");
    }
    if (agent.must_be_served && waiter.refusal() == Refusal::budget_too_small) {
      violate("P6", "a waiter with all the time in the world was told that it has too little");
    }
    if (waiter.refusal() == Refusal::timed_out && agent.failed_in_deadlock &&
        waiter.verdict() != Verdict::deadlock_suspected && !closing_) {
      violate("P22", "a nested acquire died and was called " + std::string(enum_name(waiter.verdict())));
    }
  }

  /// Composing it takes much longer than all the rest: done for some.
  void check_error(Waiter const& waiter) {
    auto const error = core_.error_for(waiter, now_);
    if (std::string(error.what()).size() < 10 || error.detail("reason").empty())
      violate("P21", "an error without a cause");
  }

  void check() {
    auto const shot = core_.snapshot(now_);
    check_counts(shot);
    check_ownership(shot);
    check_order();
    check_progress(shot);
    check_expiries();
    if (on_server_.size() > shot.taken() && !closing_)
      violate("P2", "the server sees more sessions than the pool counts");
    if (!gate_.complaint.empty()) violate("tickets", gate_.complaint);
    std::erase_if(busy_, [this](std::size_t i) { return agents_[i].state == Agent::State::idle; });
    taken_before_ = shot.taken();
    everybody_waited_ = every_holder_waits(shot);
  }

  void check_counts(Snapshot const& shot) {
    if (shot.taken() > std::max(shot.hard_limit, taken_before_)) violate("P1", "more places than the hard limit");
    if (shot.leases_given != shot.leases_returned + shot.leases_destroyed + shot.leases) {
      violate("P4", "leases given are not those returned, destroyed and outstanding");
    }
    if (shot.leases_given != given_ || shot.leases_returned != returned_) violate("P4", "the pool counts otherwise");
    if (shot.waiting > std::max(shot.waiters_limit, most_allowed_to_wait_)) violate("P18", "more waiters than allowed");
    most_allowed_to_wait_ = std::max(shot.waiting, shot.waiters_limit);
    auto const opening = shot.in(SlotState::connecting) + shot.in(SlotState::initialising);
    if (opening > gate_.outstanding()) violate("P14", "a connect without permission");
    if (plan_.options.cancel != CancelBy::separate_socket && opening != gate_.outstanding()) {
      violate("P14", "a permission without a connect");
    }
    if (gate_.most_at_once() > plan_.options.max_connecting) violate("P14", "more connects at once than allowed");
  }

  void check_ownership(Snapshot const& shot) {
    is_resetting_ = false;
    std::size_t leased = 0;
    std::size_t offered = 0;
    std::array<std::uint32_t, slot_states> counted{};
    for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
      auto const& slot = *core_.slot(i);
      ++counted[static_cast<std::size_t>(slot.state)];
      std::uint32_t busy = 0;
      // A stream that were in use nevertheless would be missing among the leases and offers below.
      if (slot.load == 0 && slot.state != SlotState::leased) continue;
      for (std::uint32_t ordinal = 0; ordinal < plan_.options.streams_per_connection; ++ordinal) {
        auto const& stream = slot.streams[ordinal];
        if (stream.state == Stream::State::leased) ++leased;
        if (stream.state == Stream::State::resetting) is_resetting_ = true;
        if (stream.state == Stream::State::returning) violate("P3", "a stream in nobody's hands");
        if (stream.state == Stream::State::offered) {
          ++offered;
          bool const is_mutual = stream.waiter != nullptr && stream.waiter->state() == WaiterState::offered &&
                                 stream.waiter->is_resuming();
          if (!is_mutual) violate("P3", "an offered stream without its waiter");
        }
        if (stream.state == Stream::State::free) continue;
        busy += stream.kind == LeaseKind::exclusive ? plan_.options.streams_per_connection : 1;
        if (!slot.is_live()) violate("P3", "a stream in use on a connection that is not alive");
      }
      if (busy != slot.load) violate("P3", "a connection's load is not what its streams say");
    }
    if (counted != shot.slots) violate("P3", "places are miscounted");
    std::size_t holding = 0;
    std::size_t waiting = 0;
    for (auto const index : busy_) {
      auto const& agent = agents_[index];
      if (agent.state == Agent::State::holding && core_.holds(agent.grant.lease)) {
        ++holding;
        // M3: what a lease refers to never changes under it.
        auto const& slot = *core_.slot(agent.grant.slot.index);
        bool const stays =
            slot.handle() == agent.grant.slot && slot.generation == agent.grant.generation && slot.is_live();
        if (!stays) violate("M3", "a lease migrated to another connection");
      }
      if (agent.waiter->state() == WaiterState::offered) ++waiting;
    }
    if (leased != holding || leased != shot.leases) violate("P3", "leases and their holders do not match");
    if (offered != waiting) violate("P3", "offers and their waiters do not match");
  }

  /// The sequential reference of the queue: per lane, in order of arrival.
  void check_order() {
    for (auto const i : busy_) {
      auto& agent = agents_[i];
      auto const state = agent.waiter->state();
      auto& lane = queued_of_[lane_index(agent.waiter->request.lane)];
      if (state == agent.seen) continue;
      if (state == WaiterState::queued) {
        lane[agent.arrival] = i;
      } else if (agent.seen == WaiterState::queued) {
        lane.erase(agent.arrival);
      }
      if (state == WaiterState::offered) newly_offered_.push_back(i);
      if (state == WaiterState::failed) agent.failed_in_deadlock = everybody_waited_;
      agent.seen = state;
    }
    for (auto const i : newly_offered_) {
      auto const& agent = agents_[i];
      auto const& lane = queued_of_[lane_index(agent.waiter->request.lane)];
      if (!lane.empty() && lane.begin()->first < agent.arrival)
        violate("P7", "a waiter was served before an earlier one");
    }
    newly_offered_.clear();
    for (auto const i : busy_) {
      auto const& agent = agents_[i];
      bool const is_waiting = agent.seen == WaiterState::queued || agent.seen == WaiterState::offered;
      if (is_waiting && agent.deadline.at() < now_) violate("P8", "a waiter outlived its deadline");
    }
  }

  void check_progress(Snapshot const& shot) {
    if (shot.waiting == 0 || shot.is_paused || shot.is_closing) return;
    auto const* const head = core_.waiters().head();
    auto const opening = shot.in(SlotState::connecting) + shot.in(SlotState::initialising);
    bool is_tested = false;
    bool is_usable = false;
    for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
      auto const& slot = *core_.slot(i);
      is_tested = is_tested || slot.state == SlotState::testing;
      is_usable = is_usable || (slot.is_available && (head->request.kind != LeaseKind::exclusive || slot.load == 0));
    }
    // One that needs a test is tested; one that needs none would have been offered.
    if (is_usable && !is_tested) violate("P6", "a waiter, a usable connection, and nothing is under way");
    // The pool asks the gate again when it was told to, but not twice within a millisecond.
    bool const may_open = shot.taken() < shot.hard_limit && gate_.would_allow(now_ - std::chrono::milliseconds(1)) &&
                          core_.refill() == Refill::normal;
    bool const is_covered = is_tested || opening > 0 || is_resetting_;
    if (may_open && !is_covered) violate("P6", "a waiter, room for a connection, and nobody opens it");
    if (shot.is_down) violate("P18", "somebody waits for an endpoint that is down");
  }

  void check_expiries() {
    if (has_resized_ || !plan_.options.max_lifetime) return;
    std::vector<time_point> planned;
    for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) {
      auto const& slot = *core_.slot(i);
      if (slot.is_live() && slot.expires_at > now_) planned.push_back(slot.expires_at);
    }
    std::sort(planned.begin(), planned.end());
    for (std::size_t i = 1; i < planned.size(); ++i) {
      if (planned[i] - planned[i - 1] < plan_.options.expiry_gap_or_derived())
        violate("P16", "two expiries in one gap");
    }
  }

  bool every_holder_waits(Snapshot const& shot) const {
    if (shot.leases == 0 || shot.in(SlotState::connecting) + shot.in(SlotState::initialising) > 0) return false;
    if (shot.is_paused || shot.is_closing) return false;
    for (auto const i : busy_) {
      auto const& agent = agents_[i];
      if (agent.state != Agent::State::holding || !core_.holds(agent.grant.lease)) continue;
      auto const partner = i % 2 == 0 ? i + 1 : i - 1;
      if (agents_[partner].seen != WaiterState::queued || agents_[partner].state != Agent::State::waiting) return false;
    }
    return true;
  }

  DriverPlan plan_;
  Random random_;
  time_point now_{std::chrono::hours(1)};
  SimulatedGate gate_;
  PoolCore core_;
  std::vector<Agent> agents_;
  std::vector<std::size_t> busy_;  ///< those that are not idle
  std::map<std::uint64_t, Session> sessions_;
  std::set<std::uint64_t> on_server_;  ///< sessions that the server still has
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::array<std::map<std::uint64_t, std::size_t>, lanes> queued_of_;
  std::vector<std::size_t> newly_offered_;
  bool server_is_up_ = true;
  bool closing_ = false;
  bool resting_ = false;
  bool has_resized_ = false;
  bool everybody_waited_ = false;
  bool is_resetting_ = false;
  time_point closed_by_{};
  std::uint64_t event_count_ = 0;
  std::uint64_t arrivals_ = 0;
  std::uint64_t given_ = 0;
  std::uint64_t returned_ = 0;
  std::uint64_t found_revoked_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t hash_ = 14695981039346656037U;
  std::uint32_t taken_before_ = 0;
  std::size_t most_allowed_to_wait_ = 0;
  int idle_advances_ = 0;
  std::vector<std::string> violations_;
};

inline DriverPlan DriverPlan::from_seed(std::uint64_t seed) {
  using namespace std::chrono_literals;
  auto random = Random(seed).fork("plan");
  auto const one_of = [&](auto... values) {
    std::array const choices{values...};
    return choices[random.below(choices.size())];
  };
  DriverPlan plan;
  plan.seed = seed;
  plan.clients = one_of(1, 3, 10, 20, 40, 200);
  plan.cancels = one_of(0.0, 0.1, 0.5);
  plan.dirty_returns = one_of(0.0, 0.05, 0.4);
  plan.hangs = one_of(0.0, 0.01, 0.1);
  plan.failures = one_of(0.0, 0.02, 0.3);
  plan.nested = one_of(0.0, 0.0, 0.1, 0.5);
  plan.late_reports = one_of(0.0, 0.2);
  plan.between_disturbances = one_of(50ms, 300ms, 2000ms);
  plan.closes_in_chaos = random.below(4) == 0;
  plan.chaos_lasts = plan.clients == 200 ? 300ms : plan.clients == 40 ? 800ms : one_of(1000ms, 3000ms);
  auto& options = plan.options;
  options.max_size = one_of(1U, 2U, 4U, 10U);
  options.max_overflow = one_of(0U, 0U, 3U);
  options.min_idle = static_cast<std::uint32_t>(random.below(options.max_size + 1));
  options.streams_per_connection = one_of(1U, 1U, 1U, 4U, 64U);
  options.max_waiters = one_of(5U, 100U, 1000U);
  if (random.below(3) == 0) options.admission = std::nullopt;
  options.connect_timeout = one_of(30ms, 200ms);
  options.max_connecting = one_of(1U, 4U);
  options.down_after = one_of(200ms, 5000ms);
  options.max_lifetime = one_of(1000ms, 10'000ms, 1'800'000ms);
  options.idle_timeout = one_of(100ms, 600'000ms);
  options.overflow_linger = one_of(50ms, 5000ms);
  options.pre_ping = one_of(PrePing::off, PrePing::smart, PrePing::always);
  options.liveness_bypass = one_of(0ms, 5ms, 500ms);
  options.liveness_timeout = one_of(5ms, 1000ms);
  options.keepalive = one_of(50ms, 120'000ms);
  options.reuse = one_of(Reuse::lifo, Reuse::round_robin);
  options.reset = one_of(ResetMode::immediate, ResetMode::pipelined);
  options.cancel = one_of(CancelBy::in_band, CancelBy::separate_socket, CancelBy::nothing);
  options.quarantine_timeout = one_of(20ms, 2000ms);
  options.zombie_grace = one_of(0ms, 50ms, 5000ms);
  options.leak_warn_after = one_of(100ms, 30'000ms);
  if (random.below(4) == 0) options.leak_reclaim_after = *options.leak_warn_after * 2;
  options.close_timeout = one_of(50ms, 10'000ms);
  return plan;
}

}  // namespace belay::pool
