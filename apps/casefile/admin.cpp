#include "apps/casefile/admin.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/describe/class.hpp>
#include <spdlog/spdlog.h>

#include "apps/casefile/api_error.hpp"
#include "belay/core/datetime.hpp"
#include "belay/core/enum_names.hpp"
#include "belay/core/json.hpp"
#include "belay/pool/endpoint.hpp"
#include "belay/pool/pool.hpp"
#include "belay/sqlite/client.hpp"

namespace casefile {

namespace {

using belay::pool::OperationClass;
using Clock = belay::Deadline::clock;

constexpr belay::json::WriteOptions with_nulls{belay::json::EmptyMembers::write_null};

double seconds(std::chrono::nanoseconds duration) { return std::chrono::duration<double>(duration).count(); }
double milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

struct BreakerView {
  std::string name;
  std::string state;
  std::int64_t failure_count = 0;  ///< in a row
  std::int64_t success_count = 0;
  std::int64_t opened_total = 0;
  std::int64_t refused_total = 0;
  std::optional<belay::Datetime> last_failure;
  std::optional<double> retry_after_s;  ///< while it is open
};
BOOST_DESCRIBE_STRUCT(BreakerView, (),
                      (name, state, failure_count, success_count, opened_total, refused_total, last_failure,
                       retry_after_s))

struct HolderView {
  std::string label;
  double held_ms = 0;
};
BOOST_DESCRIBE_STRUCT(HolderView, (), (label, held_ms))

struct PoolView {
  std::string name;
  std::int64_t generation = 0;
  std::int64_t connections = 0;
  std::int64_t connections_max = 0;
  std::int64_t places = 0;  ///< leases that its connections can carry at once
  std::int64_t checked_out = 0;
  std::int64_t waiting = 0;
  std::int64_t waiting_max = 0;
  double oldest_wait_ms = 0;
  double hold_p50_ms = 0;
  double hold_p99_ms = 0;
  std::int64_t leases_given = 0;
  std::int64_t refused = 0;
  std::int64_t connects_failed = 0;
  std::int64_t leak_warnings = 0;
  std::string health;
  std::string refill;
  std::string verdict;
  std::vector<HolderView> held_longest;
};
BOOST_DESCRIBE_STRUCT(PoolView, (),
                      (name, generation, connections, connections_max, places, checked_out, waiting, waiting_max,
                       oldest_wait_ms, hold_p50_ms, hold_p99_ms, leases_given, refused, connects_failed, leak_warnings,
                       health, refill, verdict, held_longest))

struct InvalidatedPool {
  std::string name;
  std::int64_t invalidated = 0;
  std::int64_t generation = 0;
};
BOOST_DESCRIBE_STRUCT(InvalidatedPool, (), (name, invalidated, generation))

struct Invalidated {
  std::int64_t invalidated = 0;
  std::int64_t generation = 0;
  std::vector<InvalidatedPool> pools;
};
BOOST_DESCRIBE_STRUCT(Invalidated, (), (invalidated, generation, pools))

template <class T>
http::Response answer(T const& value) {
  http::Response response;
  belay::json::append_json(response.body, value, with_nulls);
  return response;
}

/// Takes as long for a token that is nearly right as for one that is not.
bool is_same(std::string_view given, std::string_view wanted) noexcept {
  unsigned difference = given.size() == wanted.size() ? 0 : 1;
  for (std::size_t i = 0; i < given.size(); ++i) {
    difference |= static_cast<unsigned char>(given[i]) ^ static_cast<unsigned char>(wanted[i % wanted.size()]);
  }
  return difference == 0;
}

using NamedPool = std::pair<std::string_view, belay::pool::PoolBase const*>;

std::array<NamedPool, 2> pools_of(belay::sqlite::Client const& client) {
  return {NamedPool{"database.reads", &client.reads()}, NamedPool{"database.writes", &client.writes()}};
}

PoolView view_of(NamedPool const& named) {
  auto const diagnosis = named.second->diagnose();
  auto const& shot = diagnosis.pool;
  PoolView view;
  view.name = named.first;
  view.generation = static_cast<std::int64_t>(shot.generation);
  view.connections = shot.live();
  view.connections_max = shot.hard_limit;
  view.places = std::int64_t{shot.live()} * shot.streams_per_connection;
  view.checked_out = static_cast<std::int64_t>(shot.leases);
  view.waiting = static_cast<std::int64_t>(shot.waiting);
  view.waiting_max = static_cast<std::int64_t>(shot.waiters_limit);
  view.oldest_wait_ms = milliseconds(shot.oldest_wait);
  view.hold_p50_ms = milliseconds(shot.hold_p50);
  view.hold_p99_ms = milliseconds(shot.hold_p99);
  view.leases_given = static_cast<std::int64_t>(shot.leases_given);
  for (auto const count : shot.refused) view.refused += static_cast<std::int64_t>(count);
  view.connects_failed = static_cast<std::int64_t>(shot.connects_failed);
  view.leak_warnings = static_cast<std::int64_t>(shot.leak_warnings);
  view.health = belay::enum_name(shot.health);
  view.refill = belay::enum_name(shot.refill);
  // Why nobody gets a lease is a question only while somebody waits for one.
  view.verdict = belay::enum_name(shot.waiting > 0 ? diagnosis.verdict : belay::pool::Verdict::none);
  for (auto const& holder : diagnosis.oldest) view.held_longest.push_back({holder.label, milliseconds(holder.held)});
  return view;
}

std::vector<BreakerView> breakers_of(belay::sqlite::Client const& client, Database const& database) {
  std::vector<BreakerView> views;
  auto const* const endpoint = client.endpoint();
  if (!endpoint) return views;
  auto const shot = endpoint->policy().snapshot();
  for (auto const operation : {OperationClass::read, OperationClass::write}) {
    auto const& breaker = shot.of(operation).breaker;
    if (!breaker) continue;
    BreakerView view;
    view.name = "database." + std::string(name_of(operation));
    view.state = name_of(breaker->state);
    view.failure_count = breaker->failures_in_row;
    view.success_count = static_cast<std::int64_t>(breaker->counters.successes);
    view.opened_total = static_cast<std::int64_t>(breaker->counters.opened);
    view.refused_total = static_cast<std::int64_t>(breaker->counters.refused);
    view.last_failure = database.last_failure(operation);
    if (breaker->state == belay::resilience::BreakerState::open) view.retry_after_s = seconds(breaker->remaining);
    views.push_back(std::move(view));
  }
  return views;
}

}  // namespace

void Admin::authorize(http::Request const& request) const {
  constexpr std::string_view scheme = "bearer ";
  auto given = request.header("authorization");
  bool const is_bearer =
      given.size() > scheme.size() && std::equal(scheme.begin(), scheme.end(), given.begin(), [](char a, char b) {
        return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
      });
  if (is_bearer) given.remove_prefix(scheme.size());
  if (!is_bearer || !is_same(given, token_)) {
    throw ApiError(401, "AuthenticationError", "This route needs the header Authorization: Bearer TOKEN");
  }
}

http::Response Admin::breakers(http::Request const& request) const {
  authorize(request);
  return answer(breakers_of(database_.client(), database_));
}

http::Response Admin::reset_breakers(http::Request const& request) const {
  authorize(request);
  auto const client = database_.client();
  if (auto const* const endpoint = client.endpoint()) {
    for (auto const operation : {OperationClass::read, OperationClass::write}) {
      auto* const breaker = endpoint->policy().breaker(operation);
      if (!breaker) continue;
      breaker->force_closed(Clock::now());
      breaker->release(Clock::now());
    }
  }
  spdlog::info("request {}: circuit breakers closed by an operator", request.id);
  return answer(breakers_of(client, database_));
}

http::Response Admin::pools(http::Request const& request) const {
  authorize(request);
  auto const client = database_.client();
  std::vector<PoolView> views;
  for (auto const& named : pools_of(client)) views.push_back(view_of(named));
  return answer(views);
}

http::Response Admin::invalidate_pools(http::Request const& request) const {
  authorize(request);
  auto const client = database_.client();
  Invalidated result;
  for (auto const& [name, pool] : pools_of(client)) {
    auto const live = pool->snapshot().live();
    pool->invalidate_all(belay::pool::GenerationReason::operator_request, belay::pool::Invalidation::soft);
    auto const generation = static_cast<std::int64_t>(pool->snapshot().generation);
    result.pools.push_back({std::string(name), live, generation});
    result.invalidated += live;
    result.generation = std::max(result.generation, generation);
  }
  spdlog::info("request {}: {} connections invalidated by an operator", request.id, result.invalidated);
  return answer(result);
}

}  // namespace casefile
