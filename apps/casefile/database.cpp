#include "apps/casefile/database.hpp"

#include <array>
#include <chrono>
#include <string_view>
#include <utility>

#include <spdlog/spdlog.h>

#include "apps/casefile/dossier_service.hpp"
#include "belay/core/enum_names.hpp"
#include "belay/core/error.hpp"
#include "belay/core/url.hpp"
#include "belay/pool/endpoint.hpp"
#include "belay/resilience/outcome.hpp"
#include "belay/sqlite/observer.hpp"

namespace asio = boost::asio;

namespace casefile {

namespace {

using belay::pool::OperationClass;

/// The breakers, retries and health checks before every call.
std::shared_ptr<belay::pool::EndpointOptions const> guards() {
  auto options = std::make_shared<belay::pool::EndpointOptions>();
  options->policy = belay::pool::policy_options(belay::resilience::presets::standard());
  // The engine is in this process: what a write is refused for (a full disk, a lock that stays) it has already waited
  // for, and the client waits for us. What was never begun, or lost against another, is repeated all the same.
  options->policy.write.retry.retries_max = 0;
  return options;
}

}  // namespace

/// Puts what happens to the database into the log, and keeps what the operator may ask for. Thread-safe.
class Database::Chronicle {
 public:
  static std::shared_ptr<belay::sqlite::Observer const> observe(std::shared_ptr<Chronicle> const& chronicle) {
    auto observer = std::make_shared<belay::sqlite::Observer>();
    observer->policy.on_breaker_change = [](belay::pool::BreakerChange const& change) { tell(change); };
    observer->policy.after_attempt = [chronicle](belay::pool::AttemptEnd const& end) { chronicle->note(end); };
    observer->on_health_change = [](auto const& change) { tell(change); };
    observer->on_pool_event = [](std::string_view side, belay::pool::PoolEvent const& event) { tell(side, event); };
    return observer;
  }

  std::optional<belay::Datetime> last_failure(OperationClass operation) const {
    std::lock_guard const lock(mutex_);
    return last_failures_[static_cast<std::size_t>(operation)];
  }

 private:
  void note(belay::pool::AttemptEnd const& end) {
    if (!end.failure) return;
    auto const& outcome = belay::resilience::outcome_of(end.failure->error_class, end.failure->send_state);
    using belay::resilience::BreakerSignal;
    if (outcome.breaker != BreakerSignal::failure && outcome.breaker != BreakerSignal::slow_failure) return;
    std::lock_guard const lock(mutex_);
    last_failures_[static_cast<std::size_t>(end.operation)] = belay::Datetime::now();
  }

  static void tell(belay::pool::BreakerChange const& change) {
    using belay::resilience::BreakerState;
    if (change.event.kind != belay::resilience::BreakerEvent::Kind::transition) return;
    auto const is_bad = change.event.to == BreakerState::open || change.event.to == BreakerState::forced_open;
    spdlog::log(is_bad ? spdlog::level::warn : spdlog::level::info, "circuit breaker database.{}: {} -> {} ({})",
                name_of(change.operation), name_of(change.event.from), name_of(change.event.to),
                name_of(change.event.cause));
  }

  static void tell(belay::resilience::health_action::StateChanged const& change) {
    auto const is_bad = change.after != belay::resilience::HealthState::up;
    spdlog::log(is_bad ? spdlog::level::warn : spdlog::level::info, "database health: {} -> {}{}{}{}",
                name_of(change.before), name_of(change.after), is_bad ? " (" : "",
                is_bad ? std::string(name_of(change.reason)) +
                             (change.engine_code.empty() ? std::string() : ", " + change.engine_code)
                       : std::string(),
                is_bad ? ")" : "");
  }

  static void tell(std::string_view side, belay::pool::PoolEvent const& event) {
    using Kind = belay::pool::PoolEvent::Kind;
    auto const ms = std::chrono::duration_cast<std::chrono::milliseconds>(event.duration).count();
    switch (event.kind) {
      case Kind::generation_bumped:
        return spdlog::warn("pool {}: connections invalidated, generation {} ({})", side, event.number,
                            belay::enum_name(event.reason));
      case Kind::connect_failed: return spdlog::warn("pool {}: a connection could not be opened", side);
      case Kind::leak_warning: return spdlog::warn("pool {}: a {} holds its lease for {} ms", side, event.label, ms);
      case Kind::endpoint_down: return spdlog::error("pool {}: no connection for {} ms", side, ms);
      case Kind::endpoint_back: return spdlog::info("pool {}: connected again after {} ms", side, ms);
      default: return;  // told by the answers to requests, or of no interest to a person
    }
  }

  mutable std::mutex mutex_;
  std::array<std::optional<belay::Datetime>, belay::pool::operation_class_count> last_failures_;
};

Database::Database(std::string url)
    : chronicle_(std::make_shared<Chronicle>()),
      options_(belay::sqlite::options_from(belay::Url::parse(url))),
      name_(belay::Url::parse(url).to_string()) {
  options_.endpoint = guards();
  options_.observer = Chronicle::observe(chronicle_);
}

Database::~Database() = default;

std::optional<belay::Datetime> Database::last_failure(OperationClass operation) const {
  return chronicle_->last_failure(operation);
}

belay::sqlite::Client Database::client() const {
  std::lock_guard const lock(mutex_);
  if (client_) return *client_;
  throw belay::Error(belay::ErrorClass::transport, belay::SendState::never_sent, why_closed_);
}

bool Database::is_open() const {
  std::lock_guard const lock(mutex_);
  return client_.has_value();
}

bool Database::has_failed() const {
  std::lock_guard const lock(mutex_);
  return has_failed_;
}

void Database::remember(std::string why_closed) {
  std::lock_guard const lock(mutex_);
  has_failed_ = true;
  why_closed_ = std::move(why_closed);
}

asio::awaitable<void> Database::open(belay::Deadline deadline) {
  try {
    auto client = co_await belay::sqlite::Client::open(options_, deadline);
    co_await prepare_schema(client, deadline);
    std::lock_guard const lock(mutex_);
    client_ = std::move(client);
  } catch (std::exception const& error) {
    remember(error.what());
    throw;
  }
}

asio::awaitable<void> Database::close(belay::Deadline deadline) {
  std::optional<belay::sqlite::Client> closing;
  {
    std::lock_guard const lock(mutex_);
    closing.swap(client_);
    why_closed_ = "the server is shutting down";
  }
  if (closing) co_await closing->close(deadline);
}

}  // namespace casefile
