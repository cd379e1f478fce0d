#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "apps/casefile/database.hpp"
#include "apps/casefile/http/response.hpp"

namespace casefile {

/// Where the process stands in its life.
enum class Phase { starting, ready, draining };

/// Answers GET /health by running what users run, not only a ping: a check that leaves the query path out says nothing.
///
/// An answer is at most one second old, and while a check runs everybody waits for that one: probes cannot drain the
/// database. Thread-safe.
class Health {
 public:
  explicit Health(Database& database);
  ~Health();

  /// 200 with the checks, or 503 with what is wrong and its type.
  boost::asio::awaitable<http::Response> report();
  /// 200 once start-up validation has passed and until draining begins, else 503. No I/O.
  http::Response readiness() const;

  void enter(Phase);
  Phase phase() const;

 private:
  struct Waiter;
  boost::asio::awaitable<http::Response> check();
  boost::asio::awaitable<void> wait_for_running_check();
  void finish(http::Response const&);

  Database& database_;
  mutable std::mutex mutex_;
  Phase phase_ = Phase::starting;
  bool checking_ = false;
  std::optional<http::Response> latest_;
  std::chrono::steady_clock::time_point latest_at_;
  std::vector<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace casefile
