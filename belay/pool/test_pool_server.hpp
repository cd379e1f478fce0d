#pragma once

#include "belay/pool/test_pool_driver.hpp"

// PoolDriver: what its shell and its server do, and who disturbs them.

namespace belay::pool {

inline void PoolDriver::carry_out(SlotAction const& action) {
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

inline void PoolDriver::end_session(std::uint64_t key, bool is_known) {
  sessions_[key].is_alive = false;
  auto const grace = plan_.options.zombie_grace;
  if (is_known || grace == duration::zero()) {
    on_server_.erase(key);
  } else {
    at(within(grace), [this, key] { on_server_.erase(key); });
  }
}

inline void PoolDriver::connect(SlotHandle slot, bool hangs, bool fails) {
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

inline void PoolDriver::cancel_holders(SlotHandle slot) {
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    auto const& agent = agents_[i];
    if (agent.state != Agent::State::holding || agent.grant.slot != slot) continue;
    at(within(std::chrono::milliseconds(3)), [this, i, turn = agent.turn] {
      if (agents_[i].turn != turn || agents_[i].state != Agent::State::holding) return;
      give_back(i, {ReleaseCondition::mid_query, Signal::nothing});
    });
  }
}

inline void PoolDriver::disturb() {
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

inline void PoolDriver::invalidate(Invalidation how) {
  perform([&](Actions& actions) {
    auto const before = core_.generation();
    core_.invalidate_all(GenerationReason::operator_request, how, now_, actions);
    if (core_.generation() <= before) violate("P13", "an invalidation did not raise the generation");
  });
}

inline void PoolDriver::resize() {
  PoolSize size{};
  size.max_size = 1 + static_cast<std::uint32_t>(random_.below(12));
  size.max_overflow = static_cast<std::uint32_t>(random_.below(4));
  size.min_idle = static_cast<std::uint32_t>(random_.below(size.max_size + 1));
  has_resized_ = true;
  perform([&](Actions& actions) { core_.resize(size, now_, actions); });
}

inline void PoolDriver::lose(SlotHandle slot) {
  auto& session = sessions_[session_key(slot)];
  if (!session.is_alive) return;
  session.is_alive = false;
  if (chance(0.3)) return;  // a black hole: nobody is told
  perform([&](Actions& actions) { core_.lost(slot, Signal::transport, now_, actions); });
}

inline void PoolDriver::close() {
  closing_ = true;
  closed_by_ = now_ + plan_.options.close_timeout;
  auto const policy = chance(0.5) ? WaitersAtClose::fail : WaitersAtClose::serve;
  perform([&](Actions& actions) { core_.close(policy, now_, actions); });
}

}  // namespace belay::pool
