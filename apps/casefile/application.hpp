#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "apps/casefile/config.hpp"
#include "apps/casefile/database.hpp"
#include "apps/casefile/health.hpp"

namespace casefile {

namespace http {
class Server;
}

/// The process's life: settings → database → server → ready → signal → drain → close.
class Application {
 public:
  explicit Application(Config);
  ~Application();

  /// Serves until SIGTERM or SIGINT. 0 after an orderly end, 1 when it could not start (the log says why).
  int run();
  /// --check: opens what exists, runs every query on a scratch database, binds nothing. Throws belay::Error.
  void check();

 private:
  boost::asio::awaitable<int> live();
  /// One attempt, told in the log.
  boost::asio::awaitable<bool> try_to_open_database();
  boost::asio::awaitable<void> open_database_until(belay::Deadline);
  boost::asio::awaitable<void> keep_opening_database();
  void announce_ready();
  boost::asio::awaitable<void> shut_down(http::Server&);

  Config config_;
  boost::asio::io_context context_{1};  ///< start, signals and shutdown; requests have their own
  Database database_;
  Health health_;
};

}  // namespace casefile
