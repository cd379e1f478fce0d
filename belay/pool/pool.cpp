#include "belay/pool/pool.hpp"

#include "belay/pool/detail/pool_shell.hpp"

namespace belay::pool {

/// What the copies of a pool share; its end is the pool's end.
struct PoolBase::Handle {
  explicit Handle(std::shared_ptr<detail::PoolShell> of) noexcept : shell(std::move(of)) {}
  ~Handle() { shell->close_hard(); }
  Handle(Handle const&) = delete;
  Handle& operator=(Handle const&) = delete;

  std::shared_ptr<detail::PoolShell> shell;
};

PoolBase::PoolBase(PoolOptions const& options, std::shared_ptr<Connector> connector, PoolEnvironment environment,
                   bool (*is_right)(Connection const&))
    : handle_(std::make_shared<Handle>(
          detail::PoolShell::make(options, std::move(connector), std::move(environment), is_right))) {}

std::shared_ptr<detail::PoolShell> const& PoolBase::shell() const noexcept { return handle_->shell; }

void PoolBase::start() const {
  shell()->input([](PoolCore& core, auto now, Actions& actions) { core.start(now, actions); });
}

boost::asio::awaitable<void> PoolBase::start(Deadline deadline) const {
  auto const pool = shell();
  start();
  AcquireOptions options;
  options.deadline = deadline;
  options.lane = Lane::health;
  options.label = "the first connection";
  detail::AcquireCall call(pool, options.request(CallSite::current()));
  if (!call.enter()) {
    call.prepare(co_await boost::asio::this_coro::executor);
    do {
      co_await call.wait();
    } while (!call.accept());
  }
  auto token = call.take();
  pool->release(token, Release());
}

void PoolBase::invalidate_all(GenerationReason reason, Invalidation how) const {
  shell()->input([&](PoolCore& core, auto now, Actions& actions) { core.invalidate_all(reason, how, now, actions); });
}

void PoolBase::pause() const {
  shell()->input([](PoolCore& core, auto now, Actions& actions) { core.pause(now, actions); });
}

void PoolBase::resume() const {
  shell()->input([](PoolCore& core, auto now, Actions& actions) { core.resume(now, actions); });
}

void PoolBase::resize(PoolSize size) const { shell()->resize(size); }

void PoolBase::set_refill(Refill refill) const {
  shell()->input([&](PoolCore& core, auto now, Actions& actions) { core.set_refill(refill, now, actions); });
}

void PoolBase::set_endpoint_health(EndpointHealth health) const {
  shell()->input([&](PoolCore& core, auto, Actions&) { core.set_endpoint_health(health); });
}

void PoolBase::suspect_idle() const {
  shell()->input([](PoolCore& core, auto now, Actions& actions) { core.suspect_idle(now, actions); });
}

void PoolBase::session_gone(SlotHandle slot) const {
  shell()->input([&](PoolCore& core, auto now, Actions& actions) { core.session_gone(slot, now, actions); });
}

Snapshot PoolBase::snapshot() const {
  return shell()->view([](PoolCore const& core, auto now) { return core.snapshot(now); });
}

Diagnosis PoolBase::diagnose() const {
  return shell()->view([](PoolCore const& core, auto now) { return core.diagnose(now); });
}

PoolOptions PoolBase::options() const {
  return shell()->view([](PoolCore const& core, auto) { return core.options(); });
}

void PoolBase::on_event(EventHandler handler) const { shell()->on_event(std::move(handler)); }

boost::asio::awaitable<DrainResult> PoolBase::close(Deadline deadline, WaitersAtClose waiters) const {
  return detail::PoolShell::close(shell(), deadline, waiters);
}

}  // namespace belay::pool
