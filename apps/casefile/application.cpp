#include "apps/casefile/application.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "apps/casefile/api_error.hpp"
#include "apps/casefile/dossier_service.hpp"
#include "apps/casefile/http/access_log.hpp"
#include "apps/casefile/http/server.hpp"
#include "apps/casefile/routes.hpp"
#include "apps/casefile/version.hpp"
#include "belay/core/error.hpp"
#include "belay/core/url.hpp"

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace casefile {

namespace {

constexpr auto open_timeout = 10s;
constexpr auto close_timeout = 30s;

/// Waits between attempts to open the database: doubling from half a second to three.
std::chrono::milliseconds pause_before_attempt(int attempt) {
  return std::min<std::chrono::milliseconds>(500ms * (1 << std::min(attempt, 3)), 3s);
}

http::Options server_options(Config const& config) {
  http::Options options;
  options.listen = config.listen;
  options.threads = config.threads;
  options.connections_max = config.connections_max;
  options.body_bytes_max = config.body_max;
  options.head_timeout = config.head_timeout;
  options.body_timeout = config.body_timeout;
  options.write_timeout = config.write_timeout;
  options.idle_timeout = config.idle_timeout;
  return options;
}

/// A database in a folder of its own that goes with it.
class ScratchFolder {
 public:
  ScratchFolder() {
    auto pattern = (std::filesystem::temp_directory_path() / "casefile-check-XXXXXX").string();
    if (!mkdtemp(pattern.data())) {
      throw belay::Error(belay::ErrorClass::request, belay::SendState::never_sent,
                         "cannot make a scratch folder in " + std::filesystem::temp_directory_path().string());
    }
    path_ = pattern;
  }
  ScratchFolder(ScratchFolder const&) = delete;
  ScratchFolder& operator=(ScratchFolder const&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;  // a folder left behind in the temporary directory harms nobody
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(char const* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// Runs a coroutine to its end on a context of its own and returns or throws what it did.
template <class T>
T run_alone(asio::awaitable<T> operation) {
  asio::io_context context{1};
  auto result = asio::co_spawn(context, std::move(operation), asio::use_future);
  context.run();
  return result.get();
}

asio::awaitable<void> try_every_query_in(std::string path) {
  auto const deadline = belay::Deadline::in(open_timeout);
  belay::sqlite::Options options(std::move(path));
  auto client = co_await belay::sqlite::Client::open(options, deadline);
  co_await try_every_query(client, deadline);
  co_await client.close(deadline);
}

asio::awaitable<void> open_and_close(Database& database) {
  co_await database.open(belay::Deadline::in(open_timeout));
  co_await database.close(belay::Deadline::in(close_timeout));
}

}  // namespace

Application::Application(Config config) : config_(std::move(config)), database_(config_.database), health_(database_) {}

Application::~Application() = default;

void Application::check() {
  ScratchFolder const scratch;
  run_alone(try_every_query_in(scratch.file("queries.db")));
  auto const path = belay::sqlite::options_from(belay::Url::parse(config_.database)).path;
  if (std::filesystem::exists(path)) {
    run_alone(open_and_close(database_));
    return;
  }
  auto folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  if (!std::filesystem::is_directory(folder) || access(folder.c_str(), W_OK | X_OK) != 0) {
    throw belay::Error(belay::ErrorClass::request, belay::SendState::never_sent,
                       "database: there is no folder '" + folder.string() + "' in which a file can be created");
  }
}

int Application::run() {
  spdlog::info("casefile {} starting", version);
  auto result = asio::co_spawn(context_, live(), asio::use_future);
  context_.run();
  try {
    return result.get();
  } catch (std::exception const& error) {
    spdlog::error("{}", error.what());
    return 1;
  }
}

asio::awaitable<int> Application::live() {
  asio::signal_set signals(context_, SIGINT, SIGTERM);
  auto const is_required = config_.startup == StartupPolicy::require;
  if (is_required)
    co_await open_database_until(belay::Deadline::in(config_.startup_timeout));
  else
    (void)co_await try_to_open_database();

  auto const router = make_router(database_, health_, config_.request_timeout, config_.admin_token);
  auto const access_log = http::open_access_log(config_.access_log);
  http::Server server(server_options(config_), router, response_for, plain_error, access_log);
  server.start();
  for (auto const& address : server.addresses()) spdlog::info("listening on http://{}", address);

  asio::cancellation_signal stop_opening;
  if (database_.is_open()) {
    announce_ready();
  } else {
    asio::co_spawn(context_, keep_opening_database(),
                   asio::bind_cancellation_slot(stop_opening.slot(), asio::detached));
  }
  auto const signal = co_await signals.async_wait(asio::use_awaitable);
  spdlog::info("{} received, shutting down", signal == SIGINT ? "SIGINT" : "SIGTERM");
  stop_opening.emit(asio::cancellation_type::terminal);
  co_await shut_down(server);
  co_return 0;
}

asio::awaitable<bool> Application::try_to_open_database() {
  spdlog::info("opening the database {}", database_.name());
  try {
    co_await database_.open(belay::Deadline::in(open_timeout));
  } catch (belay::Error const& error) {
    spdlog::warn("cannot open the database {}: {}", database_.name(), error.what());
    co_return false;
  }
  spdlog::info("database open, schema verified");
  co_return true;
}

asio::awaitable<void> Application::open_database_until(belay::Deadline deadline) {
  asio::steady_timer timer(context_);
  for (int attempt = 0; !co_await try_to_open_database(); ++attempt) {
    auto const pause = pause_before_attempt(attempt);
    if (deadline.remaining() < pause) {
      throw belay::Error(belay::ErrorClass::transport, belay::SendState::never_sent,
                         "giving up: the database is required at start and did not open within " +
                             std::to_string(config_.startup_timeout.count()) + " ms");
    }
    timer.expires_after(pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> Application::keep_opening_database() {
  asio::steady_timer timer(context_);
  for (int attempt = 0;; ++attempt) {
    timer.expires_after(pause_before_attempt(attempt));
    co_await timer.async_wait(asio::use_awaitable);
    if (co_await try_to_open_database()) break;
  }
  announce_ready();
}

void Application::announce_ready() {
  health_.enter(Phase::ready);
  spdlog::info("ready");
}

asio::awaitable<void> Application::shut_down(http::Server& server) {
  health_.enter(Phase::draining);
  spdlog::info("draining requests in flight, at most {} ms", config_.drain_timeout.count());
  server.drain(belay::Deadline::in(config_.drain_timeout));
  server.join();
  spdlog::info("closing the database");
  co_await database_.close(belay::Deadline::in(close_timeout));
  spdlog::info("database closed");
  spdlog::info("stopped cleanly");
}

}  // namespace casefile
