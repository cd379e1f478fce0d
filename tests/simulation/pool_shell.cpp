#include "pool_shell.hpp"

#include <algorithm>
#include <utility>

#include "belay/pool/saturating_time.hpp"

namespace belay::simulation {

namespace {

using namespace std::chrono_literals;
using namespace belay::pool;
using Kind = SlotAction::Kind;

std::uint64_t key(LeaseHandle lease) { return std::uint64_t{lease.index} << 32U | lease.version; }

Signal signal_of(ErrorClass error) {
  return error == ErrorClass::role ? Signal::role : error == ErrorClass::auth ? Signal::credentials : Signal::transport;
}

}  // namespace

PoolShell::PoolShell(Plan const& plan, std::uint32_t number, Timeline& timeline, Record& record, Server& server,
                     ConnectWatch& gate, Coverage& coverage, PoolNews const& news, Random random)
    : plan_(plan),
      number_(number),
      timeline_(timeline),
      record_(record),
      server_(server),
      gate_(gate),
      coverage_(coverage),
      news_(news),
      random_(random.fork("shell")),
      core_(plan.pool, gate, random.fork("core"), timeline.now()) {}

duration PoolShell::soon() { return within(random_, plan_.step); }

Link* PoolShell::link_of(SlotHandle slot) const {
  if (slot.index >= links_.size()) return nullptr;
  auto* const link = links_[slot.index];
  return link != nullptr && link->slot == slot ? link : nullptr;
}

/// One input to the pool, what it asks for, and all checks. Nothing calls the pool back from within.
template <class Make>
void PoolShell::perform(Make make) {
  if (!record_.is_clean()) return;
  Actions actions;
  make(actions);
  for (;;) {
    for (auto const& action : actions) carry_out(action);
    for (auto* waiter = actions.resume; waiter != nullptr;) {
      auto& ask = *static_cast<Ask*>(waiter->owner);
      if (waiter->state() == WaiterState::offered) check_offer(ask);
      waiter = waiter->next_to_resume();
      timeline_.in(soon(), [this, &ask] { resume(ask); });
    }
    if (!actions.more) break;
    actions.clear();
    core_.advance(timeline_.now(), actions);
  }
  check();
}

/// A report about a connection, perhaps made once more when it is no longer wanted.
template <class Make>
void PoolShell::report(Input input, SlotHandle slot, duration wait, Make make) {
  auto const say = [this, input, slot, make] {
    cover(input, slot);
    record_.note("report", static_cast<std::uint64_t>(input), slot.index);
    perform([&](Actions& actions) { make(actions); });
  };
  timeline_.in(wait, say);
  // A test's answer does not say which test of the connection it answers: making it once more is the shell's mistake.
  bool const is_test = input == Input::test_passed || input == Input::test_failed;
  if (!is_test && chance(random_, stale_reports)) timeline_.in(wait + within(random_, 2s), say);
}

void PoolShell::cover(Input input, SlotHandle handle) {
  auto const* const slot = core_.slot(handle.index);
  auto const state = slot != nullptr && slot->version == handle.version ? slot->state : SlotState::empty;
  auto const index = static_cast<std::size_t>(state);
  coverage_.slots.record(index, static_cast<std::size_t>(is_expected(index, input) ? input : Input::late));
}

void PoolShell::cover_all(Input input) {
  for (std::uint32_t i = 0; core_.slot(i) != nullptr; ++i) cover(input, core_.slot(i)->handle());
}

// ── callers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

void PoolShell::start() {
  perform([&](Actions& actions) { core_.start(timeline_.now(), actions); });
}

PoolShell::Ask* PoolShell::acquire(Borrower& borrower, LeaseRequest const& request) {
  auto& ask = asks_.emplace_back(borrower, request);
  ask.self = std::prev(asks_.end());
  ask.waiter.owner = &ask;
  ask.arrival = ++arrivals_;
  auto const now = timeline_.now();
  ask.deadline = earlier(request.deadline, Deadline::at(later(now, core_.options().acquire_timeout)));
  waiting_[static_cast<std::size_t>(request.lane)][ask.arrival] = &ask;
  record_.note("acquire", number_, ask.arrival);
  Acquired result;
  bool const must_queue = core_.waiters().size() > 0;
  perform([&](Actions& actions) {
    result = core_.acquire(ask.waiter, now, actions);
    if (result.outcome == Acquired::Outcome::granted) {
      check_offer(ask);
      if (must_queue && request.lane == Lane::interactive) {
        auto const& lane = waiting_[static_cast<std::size_t>(request.lane)];
        bool const somebody_waits = std::any_of(lane.begin(), lane.end(), [](auto const& each) {
          return each.second->waiter.state() == WaiterState::queued;
        });
        record_.require(!somebody_waits, "P7", "a newcomer was served while others wait");
      }
    }
  });
  if (result.outcome == Acquired::Outcome::waiting) return &ask;
  conclude(ask, result);
  return nullptr;
}

void PoolShell::withdraw(Ask& ask) {
  bool const was_over = ask.waiter.state() == WaiterState::failed;
  record_.note("withdraw", number_, ask.arrival);
  waiting_[static_cast<std::size_t>(ask.waiter.request.lane)].erase(ask.arrival);
  ask.borrower = nullptr;
  perform([&](Actions& actions) { core_.withdraw(ask.waiter, timeline_.now(), actions); });
  if (was_over) {
    ++refused_[static_cast<std::size_t>(ask.waiter.refusal())];
  } else {
    ++withdrawn_;
    record_.require(ask.waiter.state() == WaiterState::withdrawn, "P5", "a withdrawal had no effect");
  }
  if (!ask.waiter.is_resuming()) asks_.erase(ask.self);
}

void PoolShell::resume(Ask& ask) {
  Acquired result;
  perform([&](Actions& actions) { result = core_.accept(ask.waiter, timeline_.now(), actions); });
  if (!record_.is_clean() || result.outcome == Acquired::Outcome::waiting) return;
  if (ask.borrower == nullptr) {
    record_.require(result.outcome == Acquired::Outcome::failed, "P5", "a waiter that withdrew became owner");
    asks_.erase(ask.self);
    return;
  }
  conclude(ask, result);
}

/// The borrower's answer comes after the pool's input is over.
void PoolShell::conclude(Ask& ask, Acquired const& result) {
  waiting_[static_cast<std::size_t>(ask.waiter.request.lane)].erase(ask.arrival);
  if (!record_.is_clean()) return;
  if (result.outcome == Acquired::Outcome::failed) return fail(ask);
  auto const& grant = result.grant;
  record_.note("granted", ask.arrival, grant.slot.index);
  ++given_;
  coverage_.slots.record(static_cast<std::size_t>(SlotState::leased), static_cast<std::size_t>(Input::lent));
  auto* const link = link_of(grant.slot);
  if (link == nullptr) return record_.violate("P9", "a lease on a connection that does not exist");
  check_lending(ask, grant, *link);
  auto const tag = server_.new_nonce();
  tags_[key(grant.lease)] = tag;
  holders_[key(grant.lease)] = {ask.borrower, ask.waiter.request.task};
  auto& borrower = *ask.borrower;
  asks_.erase(ask.self);
  borrower.granted({grant, link, tag});
}

void PoolShell::fail(Ask& ask) {
  auto const refusal = ask.waiter.refusal();
  ++refused_[static_cast<std::size_t>(refusal)];
  record_.note("refused", ask.arrival, static_cast<std::uint64_t>(refusal));
  check_refusal(ask);
  auto const error = [&] {
    switch (refusal) {
      case Refusal::queue_full:
      case Refusal::predicted_wait: return ErrorClass::capacity;
      case Refusal::endpoint_down:
      case Refusal::connect_failed:
        return ask.waiter.cause() ? ask.waiter.cause()->error_class() : ErrorClass::transport;
      case Refusal::closed: return ErrorClass::request;
      default: return ErrorClass::timeout_local;
    }
  }();
  auto& borrower = *ask.borrower;
  asks_.erase(ask.self);
  borrower.turned_away(refusal, error);
}

bool PoolShell::release(Borrowing const& borrowing, Release how) {
  auto const lease = borrowing.grant.lease;
  cover(Input::released, borrowing.grant.slot);
  record_.note("release", borrowing.grant.slot.index, static_cast<std::uint64_t>(how.condition));
  holders_.erase(key(lease));
  bool const was_held = core_.holds(lease);
  bool ended = false;
  perform([&](Actions& actions) { ended = core_.release(lease, how, timeline_.now(), actions); });
  if (!record_.is_clean()) return false;
  record_.require(ended == was_held, "P4", "release() and holds() disagree");
  if (ended) ++returned_;
  perform([&](Actions& actions) {
    record_.require(!core_.release(lease, {}, timeline_.now(), actions), "P4", "a lease was returned twice");
  });
  if (how.signal == Signal::transport && news_.transport_failure) news_.transport_failure();
  return ended;
}

void PoolShell::statement(Borrowing const& borrowing, bool starts) {
  if (starts) return core_.statement_started(borrowing.grant.lease, "a statement", timeline_.now());
  core_.statement_ended(borrowing.grant.lease, timeline_.now());
}

// ── the environment ──────────────────────────────────────────────────────────────────────────────────────────────────

void PoolShell::advance() {
  auto const now = timeline_.now();
  std::array<SlotState, 64> before{};
  std::array<bool, 64> is_due{};
  for (std::uint32_t i = 0; i < before.size() && core_.slot(i) != nullptr; ++i) {
    before[i] = core_.slot(i)->state;
    is_due[i] = before[i] == SlotState::closing && core_.slot(i)->work_until <= now;
  }
  everybody_waited_ = plan_.nested > 0 && every_holder_waits();
  record_.note("advance", number_);
  perform([&](Actions& actions) { core_.advance(now, actions); });
  for (std::uint32_t i = 0; i < before.size() && core_.slot(i) != nullptr; ++i) {
    if (core_.slot(i)->state == before[i] && !is_due[i]) continue;
    coverage_.slots.record(static_cast<std::size_t>(before[i]), static_cast<std::size_t>(Input::timer));
  }
  everybody_waited_ = false;
  if (core_.next_timer() > now) {
    idle_advances_ = 0;
  } else if (++idle_advances_ > 100) {
    record_.violate("P6", "advance() makes no progress");
  }
}

void PoolShell::permission_changed() {
  perform([&](Actions& actions) { core_.permission_changed(timeline_.now(), actions); });
}

void PoolShell::invalidate(GenerationReason reason, Invalidation how) {
  cover_all(Input::invalidated);
  auto const before = core_.generation();
  perform([&](Actions& actions) { core_.invalidate_all(reason, how, timeline_.now(), actions); });
  record_.require(core_.generation() > before, "P13", "an invalidation did not raise the generation");
}

void PoolShell::set_refill(Refill refill) {
  perform([&](Actions& actions) { core_.set_refill(refill, timeline_.now(), actions); });
}

void PoolShell::suspect_idle() {
  cover_all(Input::suspected);
  perform([&](Actions& actions) { core_.suspect_idle(timeline_.now(), actions); });
}

void PoolShell::pause(bool on) {
  if (on) cover_all(Input::paused);
  perform(
      [&](Actions& actions) { on ? core_.pause(timeline_.now(), actions) : core_.resume(timeline_.now(), actions); });
}

void PoolShell::resize(PoolSize size) {
  cover_all(Input::resized);
  has_resized_ = true;
  perform([&](Actions& actions) { core_.resize(size, timeline_.now(), actions); });
}

void PoolShell::close(WaitersAtClose policy) {
  if (is_closing_) return;
  is_closing_ = true;
  closes_by_ = timeline_.now() + core_.options().close_timeout;
  cover_all(Input::drained);
  perform([&](Actions& actions) { core_.close(policy, timeline_.now(), actions); });
}

/// Somebody who watches the server's list of sessions may tell.
void PoolShell::session_ended(Link& link) {
  auto const* const slot = core_.slot(link.slot.index);
  if (slot == nullptr || slot->handle() != link.slot || slot->state != SlotState::zombie) return;
  if (!chance(random_, 0.3)) return;
  report(Input::session_gone, link.slot, soon(),
         [this, handle = link.slot](Actions& actions) { core_.session_gone(handle, timeline_.now(), actions); });
}

// ── actions ──────────────────────────────────────────────────────────────────────────────────────────────────────────

void PoolShell::carry_out(SlotAction const& action) {
  record_.note("action", static_cast<std::uint64_t>(action.kind), action.slot.index);
  switch (action.kind) {
    case Kind::connect: return connect(action);
    case Kind::test: return test(action);
    case Kind::reset:
    case Kind::rollback:
    case Kind::quarantine: return clean(action);
    case Kind::cancel:
      for (auto const& [lease, holder] : holders_) {
        if (slot_of_lease(static_cast<std::uint32_t>(lease >> 32U)) != action.slot.index) continue;
        timeline_.in(soon(), [this, lease = lease, borrower = holder.borrower] {
          auto const found = holders_.find(lease);
          if (found != holders_.end() && found->second.borrower == borrower) borrower->told_to_stop();
        });
      }
      return;
    case Kind::close_polite:
    case Kind::close_force: return close_link(action);
    case Kind::warn_leak: return;
  }
}

void PoolShell::connect(SlotAction const& action) {
  auto const slot = action.slot;
  auto& link = server_.open(number_, slot, core_.options().streams_per_connection);
  if (links_.size() <= slot.index) links_.resize(slot.index + 1);
  links_[slot.index] = &link;
  link.lost = [this, &link] { link_lost(link); };
  server_.log_in(link, [this, slot](std::optional<Server::LoginFailure> const& failure) {
    if (!failure) {
      report(Input::connected, slot, 0ns,
             [this, slot](Actions& actions) { core_.connected(slot, timeline_.now(), actions); });
      return set_up(slot);
    }
    if (auto* const refused = link_of(slot)) server_.abandon(*refused);
    report(Input::connect_failed, slot, 0ns, [this, slot, failure](Actions& actions) {
      ConnectFailure told{Error(failure->failure.error_class, SendState::never_sent, "the login was refused")};
      told.permanent = failure->permanent;
      core_.connect_failed(slot, told, timeline_.now(), actions);
    });
    if (news_.connect_failed) news_.connect_failed(*failure);
  });
}

/// The session's set-up: one round trip.
void PoolShell::set_up(SlotHandle slot) {
  auto* const link = link_of(slot);
  if (link == nullptr || !link->is_open) return;
  server_.send(*link, {.nonce = server_.new_nonce()}, [this, slot](Reply const* reply) {
    if (reply == nullptr) {
      return report(Input::connect_failed, slot, 0ns, [this, slot](Actions& actions) {
        ConnectFailure told{Error(ErrorClass::transport, SendState::never_sent, "the connection broke")};
        // Broken off by ourselves, the server may not have noticed yet.
        auto const* const record = core_.slot(slot.index);
        if (record->handle() == slot && record->state == SlotState::closing) told.fate = SessionFate::unknown;
        core_.connect_failed(slot, told, timeline_.now(), actions);
      });
    }
    if (news_.connected) news_.connected();
    report(Input::initialised, slot, 0ns,
           [this, slot](Actions& actions) { core_.initialised(slot, timeline_.now(), actions); });
  });
}

void PoolShell::test(SlotAction const& action) {
  auto const slot = action.slot;
  auto* const link = link_of(slot);
  auto const passed = [this, slot](duration wait) {
    report(Input::test_passed, slot, wait,
           [this, slot](Actions& actions) { core_.test_passed(slot, timeline_.now(), actions); });
  };
  auto const failed = [this, slot](duration wait) {
    report(Input::test_failed, slot, wait,
           [this, slot](Actions& actions) { core_.test_failed(slot, Signal::transport, timeline_.now(), actions); });
  };
  if (link == nullptr || !link->is_open) return failed(soon());
  if (!action.round_trip) return passed(soon());
  server_.send(*link, {.nonce = server_.new_nonce(), .stream = link->width - 1},
               [passed, failed](Reply const* reply) { reply != nullptr ? passed(0ns) : failed(0ns); });
}

void PoolShell::clean(SlotAction const& action) {
  auto* const link = link_of(action.slot);
  auto const lease = action.lease;
  if (link == nullptr || !link->is_open) {
    return report(Input::clean_up_failed, action.slot, soon(), [this, lease](Actions& actions) {
      core_.clean_up_failed(lease, Signal::transport, timeline_.now(), actions);
    });
  }
  if (action.kind == Kind::quarantine && action.may_cancel) {
    auto const tag = tags_[key(lease)];
    return server_.cancel(*link, action.stream, tag, [this, action, link, lease] {
      report(Input::cancel_ended, action.slot, 0ns,
             [this, lease](Actions& actions) { core_.cancel_ended(lease, timeline_.now(), actions); });
      await_end(action, *link);
    });
  }
  await_end(action, *link);
}

/// One more round trip, in order behind all that was sent before; then nothing is on its way any more.
void PoolShell::await_end(SlotAction const& action, Link& link) {
  auto const lease = action.lease;
  auto const slot = action.slot;
  if (link_of(slot) != &link) return;
  Request request{.kind = Request::Kind::rollback, .nonce = server_.new_nonce(), .stream = action.stream};
  if (action.kind == Kind::reset) request.kind = Request::Kind::reset;
  bool const is_sent = server_.send(link, request, [this, slot, lease](Reply const* reply) {
    if (reply == nullptr || reply->failure) {
      auto const signal = reply == nullptr ? Signal::transport : Signal::taint;
      return report(Input::clean_up_failed, slot, 0ns, [this, lease, signal](Actions& actions) {
        core_.clean_up_failed(lease, signal, timeline_.now(), actions);
      });
    }
    report(Input::cleaned, slot, 0ns,
           [this, lease](Actions& actions) { core_.cleaned(lease, timeline_.now(), actions); });
  });
  if (is_sent) return;
  report(Input::clean_up_failed, slot, soon(), [this, lease](Actions& actions) {
    core_.clean_up_failed(lease, Signal::transport, timeline_.now(), actions);
  });
}

void PoolShell::close_link(SlotAction const& action) {
  auto const slot = action.slot;
  auto* const link = link_of(slot);
  auto const closed = [this, slot](SessionFate fate, duration wait) {
    report(Input::closed, slot, wait,
           [this, slot, fate](Actions& actions) { core_.closed(slot, fate, timeline_.now(), actions); });
  };
  if (link == nullptr) return closed(SessionFate::gone, soon());
  if (action.kind == Kind::close_polite && link->is_open) {
    return server_.part(*link, [this, link, closed] {
      server_.abandon(*link);
      closed(SessionFate::gone, 0ns);
    });
  }
  bool const was_open = link->is_open;
  server_.abandon(*link);
  closed(was_open ? SessionFate::unknown : SessionFate::gone, soon());
}

/// The read that is armed on each connection saw its end.
void PoolShell::link_lost(Link& link) {
  auto const slot = link.slot;
  auto const* const record = core_.slot(slot.index);
  if (record == nullptr || record->handle() != slot) return;
  if (record->state == SlotState::closing) {
    return report(Input::closed, slot, 0ns,
                  [this, slot](Actions& actions) { core_.closed(slot, SessionFate::gone, timeline_.now(), actions); });
  }
  if (news_.transport_failure) news_.transport_failure();
  report(Input::lost, slot, chance(random_, 0.5) ? 0ns : soon(), [this, slot](Actions& actions) {
    core_.lost(slot, signal_of(ErrorClass::transport), timeline_.now(), actions);
  });
}

}  // namespace belay::simulation
