#include "belay/pool/endpoint.hpp"

#include "belay/pool/detail/endpoint_shell.hpp"

namespace belay::pool {

void check(EndpointOptions const& options) {
  check(options.policy);
  // These check themselves when they are made.
  (void)resilience::Recovery(options.recovery, Random(0));
  (void)resilience::HealthMonitor(options.health, Random(0));
}

/// What the copies of an endpoint share; its end is the endpoint's end.
struct Endpoint::Handle {
  explicit Handle(std::shared_ptr<detail::EndpointShell> of) noexcept : shell(std::move(of)) {}
  ~Handle() { shell->stop_later(); }
  Handle(Handle const&) = delete;
  Handle& operator=(Handle const&) = delete;

  std::shared_ptr<detail::EndpointShell> shell;
};

Endpoint::Endpoint(EndpointOptions const& options, std::shared_ptr<Connector> prober, EndpointEnvironment environment)
    : handle_(std::make_shared<Handle>(
          std::make_shared<detail::EndpointShell>(options, std::move(prober), std::move(environment)))) {}

PoolEnvironment Endpoint::pool_environment() const { return handle_->shell->pool_environment(); }
void Endpoint::attach(PoolBase const& pool, PoolBase::EventHandler on_event) const {
  handle_->shell->attach(pool, std::move(on_event));
}
Policy const& Endpoint::policy() const noexcept { return handle_->shell->policy(); }
resilience::HealthReport Endpoint::health() const { return handle_->shell->health(); }
resilience::RecoverySnapshot Endpoint::recovery() const { return handle_->shell->recovery(); }
void Endpoint::start() const { handle_->shell->start(); }
boost::asio::awaitable<void> Endpoint::close(Deadline deadline) const {
  return detail::EndpointShell::close(handle_->shell, deadline);
}

}  // namespace belay::pool
