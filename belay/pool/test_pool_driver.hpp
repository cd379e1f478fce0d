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
#include "belay/pool/test_pool_plan.hpp"

namespace belay::pool {

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
      : plan_(plan),
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
  void ask(std::size_t index);
  void give_up(std::size_t index, std::uint64_t turn);
  void resume(Waiter& waiter);
  void settle(Agent& agent, Acquired const& result);
  void hold(std::size_t index, duration most);
  Release draw_release();
  void give_back(std::size_t index, Release how);
  void leave(Agent& agent);

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
  void carry_out(SlotAction const& action);
  /// The server works on for a while when it was not told good-bye.
  void end_session(std::uint64_t key, bool is_known);
  void connect(SlotHandle slot, bool hangs, bool fails);
  void cancel_holders(SlotHandle slot);
  void disturb();
  void invalidate(Invalidation how);
  void resize();
  void lose(SlotHandle slot);
  void close();

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
    // One that has expired is not yet replaced while its place is still closing.
    std::uint64_t const missing = shot.min_idle > shot.live() ? shot.min_idle - shot.live() : 0;
    auto const needed = [](Snapshot const& at) {  // some sessions went into a black hole and are found out now
      return at.closed[static_cast<std::size_t>(CloseReason::expired)] +
             at.closed[static_cast<std::size_t>(CloseReason::test_failed)];
    };
    auto const needed_before = needed(shot);
    run_until(now_ + rest());
    auto const later_shot = core_.snapshot(now_);
    auto const opens = later_shot.connects_started - opened;
    auto const expiries = needed(later_shot) - needed_before;
    if (opens > expiries + expiries / 10 + probes + missing) {
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
  void violate(std::string const& what, std::string const& how);
  void note(char const* what, std::uint64_t number);
  static std::size_t lane_index(Lane lane) { return static_cast<std::size_t>(lane); }
  void check_lending(Agent const& agent);
  void check_failure(Agent const& agent);
  /// Composing it takes much longer than all the rest: done for some.
  void check_error(Waiter const& waiter);
  void check();
  void check_counts(Snapshot const& shot);
  void check_ownership(Snapshot const& shot);
  /// The sequential reference of the queue: per lane, in order of arrival.
  void check_order();
  void check_progress(Snapshot const& shot);
  void check_expiries();
  bool every_holder_waits(Snapshot const& shot) const;

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

}  // namespace belay::pool

#include "belay/pool/test_pool_checks.hpp"
#include "belay/pool/test_pool_clients.hpp"
#include "belay/pool/test_pool_server.hpp"
