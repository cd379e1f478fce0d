#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "apps/casefile/database.hpp"
#include "apps/casefile/http/response.hpp"
#include "belay/core/datetime.hpp"

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
  /// The same check, told of the database: how long it took, the pools and the circuit breakers.
  boost::asio::awaitable<http::Response> database_report();
  /// 200 once start-up validation has passed, until draining begins and while reads are not refused by an open circuit
  /// breaker, else 503. No I/O.
  http::Response readiness() const;

  void enter(Phase);
  Phase phase() const;

 private:
  struct Waiter;
  /// What one check has found.
  struct Finding {
    bool is_well = false;
    std::string error;  ///< when it is not
    std::string type;
    std::chrono::nanoseconds took{};
    belay::Datetime at;
  };
  boost::asio::awaitable<Finding> finding();
  boost::asio::awaitable<Finding> check();
  boost::asio::awaitable<void> wait_for_running_check();
  void finish(Finding const&);

  Database& database_;
  mutable std::mutex mutex_;
  Phase phase_ = Phase::starting;
  bool checking_ = false;
  std::optional<Finding> latest_;
  std::chrono::steady_clock::time_point latest_at_;
  std::vector<std::shared_ptr<Waiter>> waiters_;
};

}  // namespace casefile
