#include "world.hpp"

#include <algorithm>
#include <utility>

namespace belay::simulation {

namespace {

using namespace std::chrono_literals;
using resilience::BreakerState;
using resilience::HealthState;

/// Somebody with all the time in the world.
class Patient final : public Borrower {
 public:
  explicit Patient(PoolShell& pool) : pool_(pool) {}
  void ask(Deadline deadline) {
    pool::LeaseRequest request;
    request.deadline = deadline;
    request.label = "patient";
    pool_.acquire(*this, request);
  }
  void granted(Borrowing const& borrowing) override {
    was_served = is_over = true;
    pool::Release how;
    if (borrowing.grant.reset_first) how.condition = pool::ReleaseCondition::session_changed;
    pool_.release(borrowing, how);
  }
  void turned_away(pool::Refusal, ErrorClass) override { is_over = true; }
  void told_to_stop() override {}

  bool was_served = false;
  bool is_over = false;

 private:
  PoolShell& pool_;
};

}  // namespace

World::World(Plan const& plan, Coverage& coverage)
    : plan_(plan),
      coverage_(coverage),
      timeline_(Random(plan.seed).fork("ties")),
      record_(timeline_),
      random_(Random(plan.seed).fork("world")),
      endpoint_(plan, timeline_, record_, coverage),
      health_(endpoint_, Random(plan.seed).fork("health")) {
  for (std::uint32_t i = 0; i < plan.clients; ++i) {
    auto const stream = Random(plan.seed).fork("client" + std::to_string(i));
    clients_.push_back(std::make_unique<Client>(endpoint_, i, stream));
  }
  auto const later = [this](auto act) { timeline_.in(within(random_, 5us), act); };
  // Nothing calls a pool, a breaker or the monitor from within another's input.
  endpoint_.news.transport_failure = [this, later] { later([this] { health_.transport_failure(); }); };
  endpoint_.news.connected = [this, later] { later([this] { health_.connected(); }); };
  endpoint_.news.connect_failed = [this, later](Server::LoginFailure const& failure) {
    later([this, failure] { health_.connect_failed(failure); });
  };
  endpoint_.gate.gate().add_listener([this, later] {
    later([this] {
      for (auto const& pool : endpoint_.pools) pool->permission_changed();
    });
  });
  endpoint_.server.session_ended = [this](Link& link) {
    if (link.owner < endpoint_.pools.size()) endpoint_.pools[link.owner]->session_ended(link);
  };
  for (std::size_t i = 0; i < Endpoint::operations; ++i) {
    endpoint_.breakers[i]->news = [this, i, later] {
      for (auto* const client : std::exchange(endpoint_.waiting_for_breaker[i], {})) {
        later([client] { client->breaker_spoke(); });
      }
    };
    endpoint_.breakers[i]->changed = [this, later] { later([this] { update_refill(); }); };
  }
  health_.state_changed = [this, later] { later([this] { update_refill(); }); };
}

void World::update_refill() {
  auto const is_open = [](auto const& breaker) { return breaker->state() == BreakerState::open; };
  bool const stops = std::any_of(endpoint_.breakers.begin(), endpoint_.breakers.end(), is_open);
  auto const refill = health_.state() == HealthState::down ? pool::Refill::none
                      : stops                              ? pool::Refill::min_idle_only
                                                           : pool::Refill::normal;
  for (auto const& pool : endpoint_.pools) pool->set_refill(refill);
}

/// Timers first: what they end must not outlive its instant.
void World::run_until(time_point end) {
  while (record_.is_clean()) {
    auto timer = health_.next_tick_at();
    for (auto const& pool : endpoint_.pools) timer = std::min(timer, pool->next_timer());
    for (auto const& breaker : endpoint_.breakers) timer = std::min(timer, breaker->next_event());
    if (timer != time_point::max()) timer += plan_.timers_late;
    auto const event = timeline_.next_at();
    if (std::min(timer, event) > end) break;
    if (event < timer) {
      timeline_.run_next();
      continue;
    }
    timeline_.move_to(timer);
    auto const now = timeline_.now();
    for (auto const& pool : endpoint_.pools) {
      if (pool->next_timer() <= now) pool->advance();
    }
    for (auto const& breaker : endpoint_.breakers) {
      if (breaker->next_event() <= now) breaker->advance();
    }
    if (health_.next_tick_at() <= now) health_.tick(now.time_since_epoch() + suspended_);
  }
  timeline_.move_to(end);
}

// ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────

void World::begin(Fault const& fault) {
  record_.note("fault", static_cast<std::uint64_t>(fault.kind));
  ++active_[static_cast<std::size_t>(fault.kind)];
  auto const until = timeline_.now() + fault.lasts;
  switch (fault.kind) {
    case FaultKind::kill:
      endpoint_.server.trouble.is_dead = true;
      endpoint_.server.kill_all();
      break;
    case FaultKind::freeze:
      endpoint_.server.trouble.frozen_until = std::max(endpoint_.server.trouble.frozen_until, until);
      break;
    case FaultKind::black_hole:
      endpoint_.server.trouble.hole_until = std::max(endpoint_.server.trouble.hole_until, until);
      health_.silence_begins(until);
      break;
    case FaultKind::cut:
      for (auto const& link : endpoint_.server.links()) {
        bool const is_cut = link->session == Link::Session::alive && chance(random_, fault.size);
        if (is_cut) endpoint_.server.reset(*link);
      }
      break;
    case FaultKind::suspend:
      suspended_ += 10s;
      health_.tick(timeline_.now().time_since_epoch() + suspended_);
      break;
    case FaultKind::wall_jump:
      // Nothing in the library reads the wall clock: the twin run without jumps has the same trace (P20).
      if (plan_.moves_wall_clock) wall_jumps_ += static_cast<std::int64_t>(fault.size * 1e9);
      break;
    case FaultKind::pause: endpoint_.pools[0]->pause(true); break;
    case FaultKind::resize: {
      pool::PoolSize size{};
      size.max_size = 1 + static_cast<std::uint32_t>(random_.below(12));
      size.max_overflow = static_cast<std::uint32_t>(random_.below(4));
      size.min_idle = static_cast<std::uint32_t>(random_.below(size.max_size + 1));
      some_pool().resize(size);
      break;
    }
    case FaultKind::invalidate:
      some_pool().invalidate(pool::GenerationReason::operator_request,
                             fault.size < 0.5 ? pool::Invalidation::hard : pool::Invalidation::soft);
      break;
    case FaultKind::force_open: some_breaker().force_open(); break;
    case FaultKind::force_closed: some_breaker().force_closed(); break;
    default: break;
  }
  update_trouble();
  timeline_.in(fault.lasts, [this, fault] { end(fault); });
}

void World::end(Fault const& fault) {
  --active_[static_cast<std::size_t>(fault.kind)];
  update_trouble();
  switch (fault.kind) {
    case FaultKind::pause:
      if (active_[static_cast<std::size_t>(FaultKind::pause)] == 0) endpoint_.pools[0]->pause(false);
      break;
    case FaultKind::force_open:
    case FaultKind::force_closed:
      for (auto const& breaker : endpoint_.breakers) breaker->release();
      break;
    default: break;
  }
}

void World::update_trouble() {
  auto const is = [this](FaultKind kind) { return active_[static_cast<std::size_t>(kind)] > 0; };
  auto& trouble = endpoint_.server.trouble;
  trouble.is_dead = is(FaultKind::kill);
  trouble.refuses = is(FaultKind::refuse);
  trouble.is_read_only = is(FaultKind::read_only);
  trouble.rejects_password = is(FaultKind::bad_password);
  trouble.login_capacity = is(FaultKind::few_logins) ? 1 : 0;
  trouble.slowness = is(FaultKind::slow) ? 50 : 1;
  trouble.delay = is(FaultKind::delay) ? 100 : 1;
  trouble.conflicts = is(FaultKind::conflicts) ? 0.5 : 0;
  trouble.errors = is(FaultKind::errors) ? 0.4 : 0;
  trouble.lost_answers = is(FaultKind::lost_answers) ? 0.2 : 0;
  endpoint_.hurry = is(FaultKind::hurry) ? 0.3 : 0;
  for (auto const& pool : endpoint_.pools) pool->stale_reports = is(FaultKind::stale_reports) ? 0.2 : 0;
}

// ── the run ──────────────────────────────────────────────────────────────────────────────────────────────────────────

Outcome World::run() {
  for (auto const& pool : endpoint_.pools) pool->start();
  for (auto const& client : clients_) client->start();
  auto last = timeline_.now() + plan_.chaos_lasts;
  for (auto const& fault : plan_.faults) {
    timeline_.in(fault.at, [this, &fault] { begin(fault); });
    last = std::max(last, timeline_.now() + fault.at + fault.lasts);
  }
  if (plan_.closes_in_chaos) timeline_.in(within(random_, plan_.chaos_lasts), [this] { close_all(); });
  run_until(last);
  calm_down();
  if (!endpoint_.pools[0]->is_closing()) {
    ask_patiently();
    rest();
  }
  close_all();
  check_end();

  Outcome outcome;
  outcome.violations = record_.violations();
  outcome.trace_hash = record_.hash();
  if (!outcome.violations.empty()) outcome.tail = record_.tail();
  outcome.steps = timeline_.steps();
  outcome.calls = endpoint_.calls;
  outcome.failed = endpoint_.failed;
  outcome.virtual_time = timeline_.now() - Timeline::start;
  return outcome;
}

bool World::everybody_is_idle() const {
  return std::all_of(clients_.begin(), clients_.end(), [](auto const& client) { return client->is_idle(); });
}

/// The server is healthy again. Calls go on for a while, then no new ones are made and those under way must end.
void World::calm_down() {
  run_until(timeline_.now() + std::min<duration>(plan_.chaos_lasts / 4, 5s));
  for (auto const& client : clients_) client->stop();
  // The longest that all may take, one after the other: retries and their pauses, each attempt with a lease that asks
  // for a second one in vain.
  auto const longest = (plan_.pool.acquire_timeout + 35s) * (8 + plan_.clients * 2);
  auto const until = timeline_.now() + longest;
  while (record_.is_clean() && !everybody_is_idle() && timeline_.now() < until) run_until(timeline_.now() + 1s);
  std::string busy;
  for (auto const& client : clients_) {
    if (!client->is_idle() && busy.size() < 1000) busy += "\n  " + client->describe();
  }
  if (record_.is_clean() && !busy.empty())
    record_.violate("P6", "calls do not end although the server is healthy:" + busy);
}

/// P6 as liveness: with a healthy server, who has no deadline is served.
void World::ask_patiently() {
  if (!record_.is_clean()) return;
  // Else one pool may take all that the server, or the rate, allows, and keep the other out for good.
  if (!plan_.is_steady()) return;
  run_until(timeline_.now() + 130s);  // what was refused permanently is believed for a minute
  for (auto const& pool : endpoint_.pools) {
    Patient patient(*pool);
    for (int i = 0; i < 3 && !patient.was_served; ++i) {
      patient.is_over = false;
      patient.ask(Deadline::at(timeline_.now() + 60s));
      while (record_.is_clean() && !patient.is_over) run_until(timeline_.now() + 100ms);
    }
    record_.require(patient.was_served, "P6", "nobody is served by a healthy server");
  }
}

/// P17: nothing flaps when nobody calls.
void World::rest() {
  if (!record_.is_clean()) return;
  run_until(timeline_.now() + 60s);
  for (auto const& pool : endpoint_.pools) {
    if (record_.is_clean()) pool->check_calm();
  }
  std::vector<pool::Snapshot> before;
  for (auto const& pool : endpoint_.pools) before.push_back(pool->core().snapshot(timeline_.now()));
  auto longest = duration(20min);
  longest = std::min<duration>(longest, *plan_.pool.keepalive * 20);
  longest = std::min<duration>(longest, *plan_.pool.max_lifetime * 3);
  run_until(timeline_.now() + longest);
  for (std::size_t i = 0; i < before.size() && plan_.is_steady(); ++i) {
    auto const after = endpoint_.pools[i]->core().snapshot(timeline_.now());
    auto const expired = static_cast<std::size_t>(pool::CloseReason::expired);
    auto const expiries = after.closed[expired] - before[i].closed[expired];
    record_.require(after.connects_started - before[i].connects_started <= expiries + expiries / 10 + 1, "P17",
                    "connections are opened without need");
  }
}

void World::close_all() {
  for (auto const& client : clients_) client->stop();
  for (auto const& pool : endpoint_.pools) {
    pool->close(chance(random_, 0.5) ? pool::WaitersAtClose::serve : pool::WaitersAtClose::fail);
  }
}

void World::check_end() {
  auto until = timeline_.now();
  for (auto const& pool : endpoint_.pools) until = std::max(until, pool->closes_by());
  run_until(until + plan_.timers_late + plan_.step);
  for (auto const& pool : endpoint_.pools) {
    if (record_.is_clean()) record_.require(pool->core().is_closed(), "P19", "the drain is not over by its deadline");
  }
  health_.stop();
  run_until(until + plan_.kill_delay + 5s);
  if (!record_.is_clean()) return;
  for (auto const& pool : endpoint_.pools) pool->check_end();
  for (auto const& breaker : endpoint_.breakers) breaker->check_end();
  endpoint_.bulkhead.check_end();
  endpoint_.check_truth();
  record_.require(endpoint_.gate.in_flight() == 0, "P14", "a permission to connect was never given back");
  record_.require(endpoint_.server.sessions(health_owner) == 0, "P19", "the monitor's session is left");
}

}  // namespace belay::simulation
