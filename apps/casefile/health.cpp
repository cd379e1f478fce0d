#include "apps/casefile/health.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "apps/casefile/dossier_service.hpp"
#include "apps/casefile/version.hpp"
#include "belay/core/json.hpp"

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
  http::Response response;
  response.body = R"({"status":"ready"})";
  return response;
}

asio::awaitable<http::Response> Health::report() {
  {
    std::unique_lock lock(mutex_);
    if (latest_ && std::chrono::steady_clock::now() - latest_at_ < answer_is_good_for) co_return *latest_;
    if (checking_) {
      lock.unlock();
      co_await wait_for_running_check();
      lock.lock();
      if (latest_) co_return *latest_;
      co_return unhealthy("database_error", "the health check did not finish in time");
    }
    checking_ = true;
  }
  auto response = co_await check();
  finish(response);
  co_return response;
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

void Health::finish(http::Response const& response) {
  std::lock_guard const lock(mutex_);
  latest_ = response;
  latest_at_ = std::chrono::steady_clock::now();
  checking_ = false;
  for (auto& waiter : waiters_) {
    // A timer belongs to its executor's thread; the wait there has begun by the time this runs.
    asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
  }
  waiters_.clear();
}

asio::awaitable<http::Response> Health::check() {
  try {
    DossierService service(database_.client(), belay::Deadline::in(check_timeout));
    DossierPage page;
    page.limit = 1;
    (void)co_await service.list(page);
    co_return healthy();
  } catch (std::exception const& error) {
    auto const still_opening = phase() == Phase::starting && !database_.has_failed();
    co_return unhealthy(still_opening ? "starting" : "database_error", error.what());
  }
}

}  // namespace casefile
