#include "belay/pool/detail/endpoint_shell.hpp"

#include <exception>
#include <string>
#include <variant>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belay/pool/failure_signal.hpp"

namespace asio = boost::asio;

namespace belay::pool::detail {

namespace {

using namespace resilience;

/// What can open while its calls are what the pools' connections are for.
constexpr std::array watched = {OperationClass::read, OperationClass::write};

PolicyEnvironment policy_environment(EndpointEnvironment& given) {
  PolicyEnvironment made;
  made.time = given.time;
  made.random = given.random.fork("policy");
  made.hooks = std::move(given.hooks);
  made.remedy = std::move(given.remedy);
  return made;
}

}  // namespace

EndpointShell::EndpointShell(EndpointOptions const& options, std::shared_ptr<Connector> prober,
                             EndpointEnvironment environment)
    : executor_(environment.executor),
      given_time_(environment.time),
      time_(given_time_ ? given_time_ : net::system_time(executor_)),
      prober_(std::move(prober)),
      on_health_change_(std::move(environment.on_health_change)),
      gate_(std::make_shared<SharedRecovery>(options.recovery, environment.random.fork("recovery"))),
      policy_(options.policy, policy_environment(environment)),
      random_(environment.random.fork("pools")),
      monitor_(options.health, environment.random.fork("health")) {
  report_ = monitor_.report();
}

EndpointShell::~EndpointShell() {
  for (auto const& [breaker, id] : listening_) breaker->remove_listener(id);
}

PoolEnvironment EndpointShell::pool_environment() {
  PoolEnvironment made(executor_);
  made.time = given_time_;
  made.share(gate_);
  std::lock_guard const lock(mutex_);
  made.random = random_.fork("pool " + std::to_string(pools_made_++));
  return made;
}

void EndpointShell::attach(PoolBase const& pool, PoolBase::EventHandler on_event) {
  pool.on_event([weak = weak_from_this(), on_event = std::move(on_event)](PoolEvent const& event) {
    if (auto const shell = weak.lock()) shell->pool_event(event);
    if (on_event) on_event(event);
  });
  asio::post(executor_, [self = shared_from_this(), pool] {
    self->pools_.push_back(pool);
    // Not for nothing: any such word makes a pool look whether it has connections to open, and it may not be started.
    if (self->refill_ != Refill::normal) pool.set_refill(self->refill_);
  });
}

HealthReport EndpointShell::health() const {
  std::lock_guard const lock(mutex_);
  return report_;
}

void EndpointShell::publish() {
  auto report = monitor_.report();
  std::lock_guard const lock(mutex_);
  report_ = std::move(report);
}

void EndpointShell::start() {
  if (is_started_.exchange(true)) return;
  for (auto const operation : watched) {
    auto* const breaker = policy_.breaker(operation);
    if (!breaker) continue;
    // Called between a call and its result, by whoever made the transition.
    auto const id = breaker->add_listener([weak = weak_from_this()](BreakerEvent const&) {
      auto const shell = weak.lock();
      if (!shell || shell->present_ == 0) return;
      asio::post(shell->executor_, [shell] { shell->look_at_breakers(); });
    });
    listening_.emplace_back(breaker, id);
  }
  asio::co_spawn(executor_, watch(shared_from_this()), asio::detached);
  asio::co_spawn(executor_, keep_breakers_time(shared_from_this()),
                 asio::bind_cancellation_slot(keeping_time_.slot(), asio::detached));
}

asio::awaitable<void> EndpointShell::keep_breakers_time(std::shared_ptr<EndpointShell> self) {
  Presence const present(*self);
  if (self->is_stopped_) co_return;
  auto keeping = self->policy_.keep_time();
  try {
    co_await std::move(keeping);
  } catch (std::exception const&) {
    // It ends by our own cancellation only.
  }
}

asio::awaitable<void> EndpointShell::watch(std::shared_ptr<EndpointShell> self) {
  Presence const present(*self);
  auto const& clock = self->time_->clock();
  while (!self->is_stopped_) {
    self->is_awake_ = false;
    auto const now = self->now();
    // The monitor counts it as failed by itself.
    if (self->probe_deadline_.expired(now)) self->end_probe();
    self->perform(self->monitor_.tick(now, clock.since_boot()));
    if (self->is_awake_ || self->is_stopped_) continue;
    boost::system::error_code woken;
    auto const until = self->monitor_.next_tick_at();
    co_await self->time_->async_wait_until(
        until, asio::bind_cancellation_slot(self->wait_.slot(), asio::redirect_error(asio::use_awaitable, woken)));
  }
}

/// The monitor has had an input: its next tick may be another.
void EndpointShell::wake() {
  is_awake_ = true;
  wait_.emit(asio::cancellation_type::terminal);
}

void EndpointShell::perform(HealthActions const& actions) {
  for (auto const& action : actions) std::visit([this](auto const& one) { perform(one); }, action);
  publish();
}

void EndpointShell::perform(health_action::InvalidatePool const&) {
  for (auto const& pool : pools_) pool.invalidate_all(GenerationReason::health, Invalidation::soft);
}

void EndpointShell::perform(health_action::StopRefill const&) {
  is_down_ = true;
  set_refill();
}

void EndpointShell::perform(health_action::ResumeRefill const&) {
  is_down_ = false;
  set_refill();
}

void EndpointShell::perform(health_action::EndpointRecovered const&) { policy_.endpoint_recovered(); }

void EndpointShell::perform(health_action::SuspectIdle const&) {
  for (auto const& pool : pools_) pool.suspect_idle();
}

void EndpointShell::perform(health_action::StateChanged const& change) {
  auto const health = change.after == HealthState::down       ? EndpointHealth::down
                      : change.after == HealthState::degraded ? EndpointHealth::degraded
                                                              : EndpointHealth::up;
  for (auto const& pool : pools_) pool.set_endpoint_health(health);
  publish();
  if (on_health_change_) on_health_change_(change);
}

void EndpointShell::look_at_breakers() {
  bool is_open = false;
  for (auto const operation : watched) {
    auto const* const breaker = policy_.breaker(operation);
    is_open = is_open ||
              (breaker && breaker->state() != BreakerState::closed && breaker->state() != BreakerState::forced_closed);
  }
  is_breaker_open_ = is_open;
  set_refill();
}

void EndpointShell::set_refill() {
  auto const wanted = is_down_ ? Refill::none : is_breaker_open_ ? Refill::min_idle_only : Refill::normal;
  if (std::exchange(refill_, wanted) == wanted) return;
  for (auto const& pool : pools_) pool.set_refill(wanted);
}

void EndpointShell::pool_event(PoolEvent const& event) {
  if (is_stopped_) return;
  std::size_t live = 0;
  for (auto const& pool : pools_) live += pool.snapshot().live();
  monitor_.live_slots(live);
  switch (event.kind) {
    case PoolEvent::Kind::connection_opened: perform(monitor_.connect_succeeded(now())); break;
    case PoolEvent::Kind::connect_failed: {
      ProbeFailure failure;
      failure.error_class = event.error_class.value_or(ErrorClass::transport);
      failure.connection_refused = is_refusal(failure.error_class);
      perform(monitor_.connect_failed(failure, now()));
      break;
    }
    case PoolEvent::Kind::connection_closed:
      if (event.close_reason != CloseReason::broken && event.close_reason != CloseReason::lost) return;
      monitor_.transport_failure_seen(now());
      break;
    default: return;
  }
  wake();
}

void EndpointShell::stop() {
  if (std::exchange(is_stopped_, true)) return;
  keeping_time_.emit(asio::cancellation_type::terminal);
  end_probe();
  wake();
}

void EndpointShell::stop_later() noexcept {
  if (present_ == 0) return;
  try {
    asio::post(executor_, [self = shared_from_this()] {
      self->stop();
      self->drop_connection();
    });
  } catch (std::bad_alloc const&) {
    // The context's end stops it.
  }
}

asio::awaitable<void> EndpointShell::shut(std::shared_ptr<EndpointShell> self, Deadline deadline) {
  self->stop();
  // Taken out: a second close() finds none.
  auto const closing = std::move(self->connection_);
  if (!closing) co_return;
  try {
    co_await closing->close(deadline);
  } catch (std::exception const&) {
    // It is gone all the same.
  }
  (void)closing->abort();
}

asio::awaitable<void> EndpointShell::close(std::shared_ptr<EndpointShell> self, Deadline deadline) {
  auto const executor = self->executor_;
  co_await asio::co_spawn(executor, shut(std::move(self), deadline), asio::use_awaitable);
}

}  // namespace belay::pool::detail
