// The examples of docs/resilience.md. What stands between two guide marks is quoted there; a test compares.
//
// resilience FILE     runs them all on a database file, and fails when one does not do what the guide says
// resilience defaults prints every default that the guide tells, as name = value
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "belay/core/duration.hpp"
#include "belay/pool/endpoint.hpp"
#include "belay/pool/policy.hpp"
#include "belay/pool/pool.hpp"
#include "belay/resilience/presets.hpp"
#include "belay/sqlite/client.hpp"
#include "belay/sqlite/observer.hpp"
#include "belay/testkit/sim_scheduler.hpp"
#include "belay/testkit/sim_time.hpp"

namespace asio = boost::asio;
namespace pool = belay::pool;
namespace resilience = belay::resilience;
namespace sqlite = belay::sqlite;
using namespace std::chrono_literals;

namespace {

void require(bool holds, char const* what) {
  if (holds) return;
  std::fprintf(stderr, "resilience: %s\n", what);
  std::exit(1);
}

// [guide: options]
sqlite::Options guarded(std::string path) {
  auto guards = std::make_shared<pool::EndpointOptions>();
  guards->policy = pool::policy_options(resilience::presets::enterprise());  // breaker, retries, budget
  guards->health.interval = 30s;

  auto observer = std::make_shared<sqlite::Observer>();
  observer->policy.on_breaker_change = [](pool::BreakerChange const& change) {
    std::printf("breaker: %s\n", std::string(name_of(change.event.to)).c_str());
  };

  sqlite::Options options(std::move(path));
  options.endpoint = guards;
  options.observer = observer;
  return options;
}
// [guide end]

// [guide: first call]
asio::awaitable<void> first_call(sqlite::Options options) {
  auto db = co_await sqlite::Client::open(options);
  co_await db.write("CREATE TABLE IF NOT EXISTS route(name TEXT)");
  // Two seconds for everything: the place in the pool, the work, and whatever has to be repeated.
  sqlite::Statement insert("INSERT INTO route VALUES (?1)", "Walker Spur");
  co_await db.write(std::move(insert), belay::Deadline::in(2s));
  co_await db.close();
}
// [guide end]

// [guide: errors]
std::string advice(belay::Error const& error) {
  if (error.detail("refused_by") == "circuit_breaker") {
    auto const pause = error.detail("retry_after_ms");  // none while an operator holds it open
    return pause.empty() ? "left alone until an operator says otherwise"
                         : "left alone for " + std::string(pause) + " ms";
  }
  if (!error.detail("verdict").empty()) return "no connection: " + std::string(error.detail("verdict"));
  if (error.error_class() == belay::ErrorClass::request)
    return "the call itself is wrong: " + std::string(error.what());
  switch (error.send_state()) {
    case belay::SendState::never_sent:
    case belay::SendState::refused: return "nothing was changed: it may be asked again";
    case belay::SendState::unknown: return "look whether it was done before asking again";
    case belay::SendState::executed: return "the answer is: " + std::string(error.what());
  }
  return {};
}
// [guide end]

// [guide: operator]
void look_after(sqlite::Client const& db) {
  auto const shot = db.writes().snapshot();
  std::printf("%zu of %u places lent, %zu callers wait\n", shot.leases, shot.streams_per_connection, shot.waiting);
  if (shot.waiting > 0) std::printf("%s\n", db.writes().diagnose().text().c_str());

  // None of the connections so far is lent again; what runs on them ends in peace.
  db.writes().invalidate_all(pool::GenerationReason::operator_request, pool::Invalidation::soft);

  if (auto const* const endpoint = db.endpoint()) {
    auto* const breaker = endpoint->policy().breaker(pool::OperationClass::write);
    breaker->force_open(belay::Deadline::clock::now());    // nobody writes
    breaker->force_closed(belay::Deadline::clock::now());  // everybody does, whatever happens
    breaker->release(belay::Deadline::clock::now());       // it decides for itself again
  }
}
// [guide end]

// [guide: policy]
asio::awaitable<int> ask_with_patience(pool::Policy policy, belay::Deadline deadline) {
  auto const ask = [](pool::Attempt& attempt) -> asio::awaitable<int> {
    if (attempt.number < 3) {
      throw belay::Error(belay::ErrorClass::transport, belay::SendState::unknown, "the line was cut");
    }
    co_return 42;
  };
  pool::CallOptions call;
  call.operation = pool::OperationClass::read;
  call.context.deadline = deadline;
  call.context.idempotent = resilience::Idempotent::yes;  // else the first "unknown" would be the last word
  co_return co_await policy.run(call, ask);
}
// [guide end]

// [guide: connection]
/// A connection to an engine that lives in this process.
class Line final : public pool::Connection {
 public:
  int ask() { return ++asked_; }

  asio::awaitable<void> test(belay::Deadline) override { co_return; }
  asio::awaitable<void> reset(std::uint32_t, belay::Deadline) override { co_return; }
  asio::awaitable<void> rollback(std::uint32_t, belay::Deadline) override { co_return; }
  asio::awaitable<pool::CleanUp> clean_up(pool::CancelledWork&, belay::Deadline) override {
    co_return pool::CleanUp::at_boundary;
  }
  asio::awaitable<void> close(belay::Deadline) override { co_return; }
  bool looks_alive() noexcept override { return true; }
  pool::ReleaseCondition condition(std::uint32_t) const noexcept override { return pool::ReleaseCondition::clean; }
  void cancel() noexcept override {}
  pool::Aborted abort() noexcept override { return {}; }
  void on_lost(LostHandler) override {}

 private:
  int asked_ = 0;
};

class Exchange final : public pool::Connector {
  asio::awaitable<std::unique_ptr<pool::Connection>> connect(belay::Deadline, pool::AttemptInfo attempt) override {
    attempt.sign_in();
    co_return std::make_unique<Line>();
  }
};

asio::awaitable<int> ask_once(asio::any_io_executor executor) {
  pool::Pool<Line> lines(pool::presets::rag(), std::make_shared<Exchange>(), pool::PoolEnvironment(executor));
  int answer = 0;
  {
    auto const line = co_await lines.acquire({.deadline = belay::Deadline::in(1s), .label = "ask once"});
    answer = line->ask();
  }  // given back here, whatever happens
  co_await lines.close(belay::Deadline::in(1s));
  co_return answer;
}
// [guide end]

// [guide: virtual time]
void waits_in_virtual_time() {
  belay::testkit::SimScheduler world(42);  // the seed decides every order and every random number
  pool::PolicyEnvironment environment;
  environment.time = std::make_shared<belay::testkit::SimTime>(world);
  environment.random = world.random("policy");
  pool::Policy policy(resilience::presets::enterprise(), environment);

  auto const began = world.now();
  auto const answer = world.run(ask_with_patience(policy, belay::Deadline::at(began + 10s)));
  require(answer == 42, "the third attempt answers");
  require(world.now() - began >= 750ms, "after two pauses of at least half of 0.5 s and 1 s");
}
// [guide end]

/// Runs a coroutine to its end.
template <class T>
T run(asio::awaitable<T> operation) {
  asio::io_context context{1};
  std::exception_ptr failure;
  T result{};
  asio::co_spawn(context, std::move(operation), [&](std::exception_ptr thrown, T value) {
    failure = thrown;
    result = std::move(value);
  });
  context.run();
  if (failure) std::rethrow_exception(failure);
  return result;
}

asio::awaitable<int> with_the_database(sqlite::Options options) {
  co_await first_call(options);
  auto db = co_await sqlite::Client::open(options);
  look_after(db);
  std::string told;
  try {
    co_await db.write("INSERT INTO nowhere VALUES (1)");
  } catch (belay::Error const& error) {
    told = advice(error);
  }
  require(told.starts_with("the call itself is wrong: "), "a request error is told as such");
  auto* const breaker = db.endpoint()->policy().breaker(pool::OperationClass::write);
  breaker->force_open(belay::Deadline::clock::now());
  try {
    co_await db.write("DELETE FROM route");
    require(false, "an open breaker refuses");
  } catch (belay::Error const& error) {
    told = advice(error);
  }
  require(told == "left alone until an operator says otherwise", "the breaker says so");
  breaker->release(belay::Deadline::clock::now());
  co_await db.close();
  co_return 0;
}

asio::awaitable<int> on_this_executor() {
  auto const executor = co_await asio::this_coro::executor;
  auto const answer = co_await ask_once(executor);
  co_return answer;
}

std::string text(std::chrono::nanoseconds value) { return belay::Duration::from(value).to_string(); }
std::string text(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%g", value);
  return buffer;
}
template <class T>
std::string text(std::optional<T> const& value) {
  return value ? text(*value) : "none";
}

template <class T>
void print(std::string_view name, T const& value) {
  if constexpr (std::is_integral_v<T>) {
    std::printf("%s = %s\n", std::string(name).c_str(), std::to_string(value).c_str());
  } else {
    std::printf("%s = %s\n", std::string(name).c_str(), text(value).c_str());
  }
}

void print_defaults() {
  pool::PoolOptions const pool;
  print("min_idle", pool.min_idle);
  print("max_size", pool.max_size);
  print("max_overflow", pool.max_overflow);
  print("overflow_linger", pool.overflow_linger);
  print("acquire_timeout", pool.acquire_timeout);
  print("max_waiters", pool.waiters_limit());
  print("admission", pool.admission);
  print("connect_timeout", pool.connect_timeout);
  print("down_after", pool.down_after);
  print("max_lifetime", pool.max_lifetime);
  print("idle_timeout", pool.idle_timeout);
  print("liveness_bypass", pool.liveness_bypass);
  print("liveness_timeout", pool.liveness_timeout);
  print("keepalive", pool.keepalive);
  print("quarantine_timeout", pool.quarantine_timeout);
  print("zombie_grace", pool.zombie_grace);
  print("leak_warn_after", pool.leak_warn_after);
  print("close_timeout", pool.close_timeout);
  auto const preset = resilience::presets::standard();
  print("retries_max", preset.retry.retries_max);
  print("backoff.base", preset.retry.backoff.base);
  print("backoff.cap", preset.retry.backoff.cap);
  print("overload_pushback", preset.retry.overload_pushback);
  print("deposit_per_call", preset.retry_budget.deposit_per_call);
  print("floor_per_second", preset.retry_budget.floor_per_second);
  print("cap_min", preset.retry_budget.cap_min);
  auto const& breaker = preset.breaker;
  print("consecutive.failures", breaker.consecutive->failures);
  print("time_window.share", breaker.time_window->share);
  print("time_window.calls_min", breaker.time_window->calls_min);
  print("time_window_length", breaker.time_window_length);
  print("open_for", breaker.open_for);
  print("open_for_max", breaker.open_for_max);
  print("probes_max", breaker.probes_max);
  print("successes_to_close", breaker.successes_to_close);
  print("probe_lease", breaker.probe_lease);
  resilience::HealthOptions const health;
  print("interval", health.interval);
  print("probe_timeout", health.probe_timeout);
  print("failures_to_down", health.failures_to_down);
  print("successes_to_up", health.successes_to_up);
  resilience::RecoveryOptions const recovery;
  print("max_connecting", recovery.max_connecting);
  print("connect_rate", recovery.connect_rate);
  print("probe_delay", recovery.probe_delay);
  print("probe_delay_max", recovery.probe_delay_max);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: resilience FILE | defaults\n");
    return 2;
  }
  if (std::string_view(argv[1]) == "defaults") {
    print_defaults();
    return 0;
  }
  try {
    run(with_the_database(guarded(argv[1])));
    require(run(on_this_executor()) == 1, "the first question has the first answer");
    waits_in_virtual_time();
    std::printf("all as the guide says\n");
    return 0;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "resilience: %s\n", error.what());
    return 1;
  }
}
