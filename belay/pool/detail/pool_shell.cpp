#include "belay/pool/detail/pool_shell.hpp"

#include <algorithm>
#include <utility>

#include "belay/resilience/shared_recovery.hpp"

// Deciding under the lock, and what follows it. Callers are in pool_shell_callers.cpp, connections in
// pool_shell_connections.cpp, time, events and the end in pool_shell_time.cpp.

namespace belay::pool::detail {

namespace asio = boost::asio;

namespace {

std::shared_ptr<resilience::ConnectGate> own_gate(PoolOptions const& options, PoolEnvironment& environment) {
  options.validate();
  resilience::RecoveryOptions recovery;
  recovery.max_connecting = options.max_connecting;
  recovery.connect_rate = options.connect_rate;
  environment.share(std::make_shared<resilience::SharedRecovery>(recovery, environment.random.fork("recovery")));
  return environment.gate;
}

std::vector<asio::any_io_executor> executors_of_connections(PoolEnvironment const& environment) {
  if (!environment.connection_executors.empty()) return environment.connection_executors;
  return {environment.executor};
}

}  // namespace

std::shared_ptr<PoolShell> PoolShell::make(PoolOptions const& options, std::shared_ptr<Connector> connector,
                                           PoolEnvironment environment, TypeCheck type_check) {
  auto shell = std::make_shared<PoolShell>(options, std::move(connector), std::move(environment), type_check);
  auto const link = [&](asio::any_io_executor const& executor) {
    auto& context = context_of(executor);
    if (auto known = shell->find_link(context)) return known;
    shell->links_.push_back(std::make_shared<ContextLink>(context, shell));
    return shell->links_.back();
  };
  shell->context_ = link(shell->executor_);
  for (auto const& executor : shell->connection_executors_) link(executor);
  shell->listen_to_gate();
  return shell;
}

PoolShell::PoolShell(PoolOptions const& options, std::shared_ptr<Connector> connector, PoolEnvironment environment,
                     TypeCheck type_check)
    : connector_(std::move(connector)),
      is_right_(type_check),
      // NOLINTNEXTLINE(bugprone-throw-keyword-missing): kept, to be thrown when there is no memory to make one
      out_of_memory_(ErrorClass::internal, SendState::never_sent, "there is no memory left to use a connection"),
      executor_(environment.executor),
      connection_executors_(executors_of_connections(environment)),
      gate_(environment.gate ? environment.gate : own_gate(options, environment)),
      on_permission_changed_(std::move(environment.on_permission_changed)),
      time_(environment.time ? std::move(environment.time) : net::system_time(environment.executor)),
      clock_(&time_->clock()),
      core_(options, *gate_, environment.random.fork("pool"), clock_->now()),
      last_now_(clock_->now()),
      places_(options.hard_limit()) {}

PoolShell::~PoolShell() = default;

/// With the lock held: what is to be done once it is released.
void PoolShell::settle(Turn& turn) noexcept {
  adopt_resumptions(turn.actions);
  if (!to_resume_.empty() && !is_resuming_) turn.resumes = is_resuming_ = true;

  turn.closes_overdue = has_overdue_closes_;
  auto const wake = next_wake();
  bool const is_too_late = wake < armed_at_;
  bool const is_idle = wake == time_point::max() && armed_at_ != time_point::max() && core_.is_closed();
  if (is_too_late || is_idle) {
    armed_at_ = wake;
    if (!std::exchange(is_arm_posted_, true)) turn.arms = true;
  }
  if (turn.may_have_events && must_deliver() && !std::exchange(is_delivery_posted_, true)) turn.delivers = true;
}

/// Without the lock.
void PoolShell::perform(Turn& turn) noexcept {
  for (;;) {
    for (auto const& action : turn.actions) hand_over(action);
    if (!turn.actions.more) break;
    turn.actions.clear();
    decide(turn, [&](time_point now) { core_.advance(now, turn.actions); });
  }
  if (turn.closes_overdue) hand_over_overdue();
  if (turn.resumes) resume_callers();
  if (turn.arms) {
    bool is_posted = false;
    try {
      is_posted = context_->post(executor_, [self = shared_from_this()] { self->arm(); });
    } catch (...) {  // the next input finds it undone
    }
    if (!is_posted) {
      std::lock_guard const lock(mutex_);
      is_arm_posted_ = false;
      armed_at_ = time_point::max();
    }
  }
  if (turn.delivers) {
    bool is_posted = false;
    try {
      is_posted = context_->post(executor_, [self = shared_from_this()] { self->deliver_events(); });
    } catch (...) {  // likewise
    }
    if (!is_posted) {
      std::lock_guard const lock(mutex_);
      is_delivery_posted_ = false;
    }
  }
}

void PoolShell::resize(PoolSize size) {
  input([&](PoolCore& core, time_point now, Actions& actions) {
    auto changed = core.options();
    changed.min_idle = size.min_idle;
    changed.max_size = size.max_size;
    changed.max_overflow = size.max_overflow;
    changed.validate();
    while (places_.size() < changed.hard_limit()) places_.emplace_back();
    core.resize(size, now, actions);
  });
}

std::shared_ptr<ContextLink> PoolShell::find_link(asio::execution_context const& context) const noexcept {
  for (auto const& link : links_) {
    if (link->context() == &context) return link;
  }
  return nullptr;
}

}  // namespace belay::pool::detail
