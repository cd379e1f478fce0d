#include "apps/casefile/health.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/describe/class.hpp>

#include "apps/casefile/dossier_service.hpp"
#include "apps/casefile/version.hpp"
#include "belay/core/json.hpp"
#include "belay/pool/endpoint.hpp"
#include "belay/pool/pool.hpp"

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace casefile {

namespace {

constexpr auto answer_is_good_for = 1s;
constexpr auto check_timeout = 5s;

http::Response healthy() {
  http::Response response;
  response.body = R"({"status":"ok","checks":{"database":"ok","vector":"not configured","modules":"ok"},"version":")";
  response.body += version;
  response.body += "\"}";
  return response;
}

http::Response unhealthy(std::string_view type, std::string_view message) {
  http::Response response;
  response.status = 503;
  response.headers.emplace_back("Retry-After", "1");
  response.body = R"({"status":"error","message":)";
  belay::json::append_json(response.body, message);
  response.body += ",\"type\":";
  belay::json::append_json(response.body, type);
  response.body += '}';
  return response;
}

/// The two pools in sum: what can be lent, what is lent, who waits.
struct PoolStats {
  std::int64_t pool_size = 0;
  std::int64_t pool_checked_out = 0;
  std::int64_t idle = 0;
  std::int64_t waiting = 0;
  std::int64_t max = 0;
};
BOOST_DESCRIBE_STRUCT(PoolStats, (), (pool_size, pool_checked_out, idle, waiting, max))

struct DatabaseHealth {
  bool healthy = false;
  double latency_ms = 0;
  std::optional<PoolStats> pool_stats;
  std::optional<std::string> circuit;  ///< of the breaker that is furthest from closed
  std::optional<std::string> error;
  belay::Datetime timestamp;
};
BOOST_DESCRIBE_STRUCT(DatabaseHealth, (), (healthy, latency_ms, pool_stats, circuit, error, timestamp))

/// At most 200 bytes, cut between two characters.
std::string shortened(std::string text) {
  constexpr std::size_t longest = 200;
  if (text.size() <= longest) return text;
  auto end = longest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) --end;
  text.resize(end);
  return text;
}

bool is_refusing(belay::resilience::SharedBreaker const* breaker) {
  return breaker && breaker->is_open(belay::Deadline::clock::now());
}

bool is_refusing_reads(Database const& database) {
  if (!database.is_open()) return false;
  auto const client = database.client();
  auto const* const endpoint = client.endpoint();
  return endpoint && is_refusing(endpoint->policy().breaker(belay::pool::OperationClass::read));
}

void read_pools(Database const& database, DatabaseHealth& view) {
  if (!database.is_open()) return;
  auto const client = database.client();
  auto& stats = view.pool_stats.emplace();
  for (auto const* const pool : {&client.reads(), &client.writes()}) {
    auto const shot = pool->snapshot();
    auto const places = std::int64_t{shot.live()} * shot.streams_per_connection;
    stats.pool_size += places;
    stats.pool_checked_out += static_cast<std::int64_t>(shot.leases);
    stats.idle += std::max<std::int64_t>(places - static_cast<std::int64_t>(shot.leases), 0);
    stats.waiting += static_cast<std::int64_t>(shot.waiting);
    stats.max += std::int64_t{shot.hard_limit} * shot.streams_per_connection;
  }
  auto const* const endpoint = client.endpoint();
  if (!endpoint) return;
  using belay::resilience::BreakerState;
  auto worst = BreakerState::closed;
  for (auto const operation : {belay::pool::OperationClass::read, belay::pool::OperationClass::write}) {
    auto const* const breaker = endpoint->policy().breaker(operation);
    if (!breaker) continue;
    auto const state = breaker->state();
    if (state == BreakerState::open || state == BreakerState::forced_open || worst == BreakerState::closed)
      worst = state;
  }
  view.circuit = std::string(name_of(worst));
}

}  // namespace

/// A request that waits for a running check, on its own executor.
struct Health::Waiter {
  explicit Waiter(asio::any_io_executor executor) : timer(executor, check_timeout * 2) {}
  asio::steady_timer timer;
};

Health::Health(Database& database) : database_(database) {}
Health::~Health() = default;

void Health::enter(Phase phase) {
  std::lock_guard const lock(mutex_);
  phase_ = phase;
  latest_.reset();
}

Phase Health::phase() const {
  std::lock_guard const lock(mutex_);
  return phase_;
}

http::Response Health::readiness() const {
  switch (phase()) {
    case Phase::starting: return unhealthy("starting", "start-up validation has not passed yet");
    case Phase::draining: return unhealthy("draining", "the server is shutting down");
    case Phase::ready: break;
  }
  if (is_refusing_reads(database_)) {
    return unhealthy("circuit_open", "the database has failed too often and is left alone for a while");
  }
  http::Response response;
  response.body = R"({"status":"ready"})";
  return response;
}

asio::awaitable<http::Response> Health::report() {
  auto const found = co_await finding();
  co_return found.is_well ? healthy() : unhealthy(found.type, found.error);
}

asio::awaitable<http::Response> Health::database_report() {
  auto const found = co_await finding();
  DatabaseHealth view;
  view.healthy = found.is_well;
  view.latency_ms = std::chrono::duration<double, std::milli>(found.took).count();
  view.timestamp = found.at;
  http::Response response;
  if (found.is_well) {
    read_pools(database_, view);
  } else {
    response.status = 503;
    response.headers.emplace_back("Retry-After", "1");
    view.error = shortened(found.error);
  }
  belay::json::append_json(response.body, view);
  co_return response;
}

asio::awaitable<Health::Finding> Health::finding() {
  {
    std::unique_lock lock(mutex_);
    if (latest_ && std::chrono::steady_clock::now() - latest_at_ < answer_is_good_for) co_return *latest_;
    if (checking_) {
      lock.unlock();
      co_await wait_for_running_check();
      lock.lock();
      if (latest_) co_return *latest_;
      Finding late;
      late.error = "the health check did not finish in time";
      late.type = "database_error";
      late.took = check_timeout;
      late.at = belay::Datetime::now();
      co_return late;
    }
    checking_ = true;
  }
  auto const found = co_await check();
  finish(found);
  co_return found;
}

asio::awaitable<void> Health::wait_for_running_check() {
  auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor);
  {
    std::lock_guard const lock(mutex_);
    if (!checking_) co_return;
    waiters_.push_back(waiter);
  }
  boost::system::error_code woken;
  co_await waiter->timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

void Health::finish(Finding const& found) {
  std::lock_guard const lock(mutex_);
  latest_ = found;
  latest_at_ = std::chrono::steady_clock::now();
  checking_ = false;
  for (auto& waiter : waiters_) {
    // A timer belongs to its executor's thread; the wait there has begun by the time this runs.
    asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
  }
  waiters_.clear();
}

asio::awaitable<Health::Finding> Health::check() {
  Finding found;
  found.at = belay::Datetime::now();
  auto const began = std::chrono::steady_clock::now();
  try {
    DossierService service(database_.client(), belay::Deadline::in(check_timeout));
    DossierPage page;
    page.limit = 1;
    (void)co_await service.list(page);
    found.is_well = true;
  } catch (std::exception const& error) {
    auto const still_opening = phase() == Phase::starting && !database_.has_failed();
    found.type = still_opening ? "starting" : "database_error";
    found.error = error.what();
  }
  found.took = std::chrono::steady_clock::now() - began;
  co_return found;
}

}  // namespace casefile
