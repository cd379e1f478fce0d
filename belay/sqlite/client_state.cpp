#include "belay/sqlite/client_state.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "belay/sqlite/lease.hpp"
#include "belay/sqlite/observer.hpp"

namespace belay::sqlite {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t readers_by_default_max = 4;
/// Nothing ages in an embedded engine, nor does it go away while nobody looks: a link is opened once and kept.
constexpr auto for_ever = std::chrono::hours(24 * 366);

std::size_t reader_threads(Options const& options) {
  if (options.readers > 0) return static_cast<std::size_t>(options.readers);
  return std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, readers_by_default_max);
}

Options const& checked(Options const& options) {
  check(options);
  if (options.endpoint) pool::check(*options.endpoint);
  return options;
}

/// Who holds a lease is told by its label: every call goes through here.
constexpr pool::CallSite nowhere{};

pool::PoolOptions pool_options(Options const& options, std::size_t streams) {
  pool::PoolOptions pool;
  pool.min_idle = 1;
  pool.max_size = 1;
  pool.streams_per_connection = static_cast<std::uint32_t>(streams);
  pool.acquire_timeout = options.acquire_timeout;
  pool.max_waiters = options.queue_max;
  pool.max_lifetime.reset();
  pool.idle_timeout.reset();
  pool.keepalive.reset();
  pool.pre_ping = pool::PrePing::off;
  pool.liveness_bypass = 1h;
  pool.zombie_grace = 0s;
  pool.close_timeout = for_ever;  // the deadline of close() counts
  return pool;
}

/// A refusal by the pool, told with the options that bound it.
Error refusal_of(Error const& error, Options const& options, Side side) {
  if (error.error_class() != ErrorClass::capacity) return error;
  auto const places = side == Side::readers ? "reads_at_once=" + std::to_string(options.reads_at_once)
                                            : "group_max=" + std::to_string(options.group_max);
  return error.with_context("no place among the " + std::string(side == Side::readers ? "reads" : "writes") +
                            " under way (" + places + ", queue_max=" + std::to_string(options.queue_max) + "): ");
}

/// Where a read failed by what its own sink threw, the engine did what it was asked to do.
std::exception_ptr failure_of_sink(Job const& job) {
  return job.is_sink_s_failure ? std::current_exception() : nullptr;
}

pool::CallOptions call_options(Side side, Deadline deadline) {
  pool::CallOptions options;
  options.operation = side == Side::readers ? pool::OperationClass::read : pool::OperationClass::write;
  options.context.deadline = deadline;
  options.context.idempotent = side == Side::readers ? resilience::Idempotent::yes : resilience::Idempotent::no;
  return options;
}

}  // namespace

std::shared_ptr<std::vector<Statement> const> share(Statement statement) {
  auto list = std::make_shared<std::vector<Statement>>();
  list->push_back(std::move(statement));
  return list;
}

ClientState::ClientState(Options const& given)
    : options(checked(given)),
      readers(reader_threads(options)),
      thread(databases->counters),
      read_connector(std::make_shared<LinkConnector>(options, Side::readers, readers, databases)),
      write_connector(std::make_shared<LinkConnector>(options, Side::writer, 0, databases)),
      endpoint(make_endpoint()),
      reads(pool_options(options, options.reads_at_once), read_connector, pool_environment()),
      writes(pool_options(options, options.group_max), write_connector, pool_environment()) {
  watch(reads, "reads");
  watch(writes, "writes");
}

void ClientState::watch(pool::PoolBase const& pool, std::string_view side) {
  pool::PoolBase::EventHandler told;
  if (options.observer && options.observer->on_pool_event) {
    told = [observer = options.observer, side](pool::PoolEvent const& event) { observer->on_pool_event(side, event); };
  }
  if (endpoint) {
    endpoint->attach(pool, std::move(told));
  } else if (told) {
    pool.on_event(std::move(told));
  }
}

std::optional<pool::Endpoint> ClientState::make_endpoint() {
  if (!options.endpoint) return std::nullopt;
  auto prober = std::make_shared<LinkConnector>(options, Side::readers, 1, databases);
  pool::EndpointEnvironment environment(thread.executor());
  if (options.observer) {
    environment.hooks = options.observer->policy;
    environment.on_health_change = options.observer->on_health_change;
  }
  return pool::Endpoint(*options.endpoint, std::move(prober), std::move(environment));
}

pool::PoolEnvironment ClientState::pool_environment() {
  return endpoint ? endpoint->pool_environment() : pool::PoolEnvironment(thread.executor());
}

boost::asio::awaitable<void> ClientState::open(std::shared_ptr<ClientState> state, Deadline deadline) {
  co_await state->write_connector->prepare(deadline);
  co_await state->read_connector->prepare(deadline);
  co_await state->writes.start(deadline);
  co_await state->reads.start(deadline);
  if (state->endpoint) state->endpoint->start();
}

boost::asio::awaitable<void> ClientState::attempt(ClientState& state, Side side, JobPointer job, Deadline deadline) {
  pool::AcquireOptions wanted;
  wanted.deadline = deadline;
  wanted.label = side == Side::readers ? "read" : "write";
  auto const& pool = state.pool_of(side);
  std::optional<pool::Lease<Link>> lease;
  try {
    lease = co_await pool.acquire(wanted, nowhere);
  } catch (Error const& error) {
    throw refusal_of(error, state.options, side);
  }
  auto database = (*lease)->database();
  try {
    co_await Database::run(std::move(database), job);
  } catch (Error const& error) {
    if (!job->is_sink_s_failure) lease->heed(error);
    throw;
  }
}

auto ClientState::run(std::shared_ptr<ClientState> state, Side side, Work work, Deadline deadline)
    -> boost::asio::awaitable<JobPointer> {
  if (state->is_closing.load(std::memory_order_relaxed)) throw closed_error();
  JobPointer job;
  try {
    if (!state->endpoint) {
      job = std::make_shared<Job>(std::move(work), deadline);
      co_await attempt(*state, side, job, deadline);
      co_return std::move(job);
    }
    std::exception_ptr sink_failure;
    auto const once = [&](pool::Attempt& call) -> boost::asio::awaitable<void> {
      if (call.number > 1 && work.sink) work.sink->restart();
      job = std::make_shared<Job>(work, call.deadline);
      try {
        co_await attempt(*state, side, job, call.deadline);
      } catch (...) {
        sink_failure = failure_of_sink(*job);
        if (!sink_failure) throw;
      }
    };
    auto policy = state->endpoint->policy();
    auto const wanted = call_options(side, deadline);
    co_await policy.run(wanted, once);
    if (sink_failure) std::rethrow_exception(sink_failure);
  } catch (Error const& error) {
    state->count(error);
    throw;
  }
  co_return std::move(job);
}

namespace {

/// The writer for one transaction: its pool's exclusive lease, and the writer's thread at the transaction's service.
boost::asio::awaitable<std::shared_ptr<Lease>> lease_writer(std::shared_ptr<ClientState> state, Deadline deadline,
                                                            Deadline until) {
  pool::AcquireOptions wanted;
  wanted.deadline = deadline;
  wanted.kind = pool::LeaseKind::exclusive;
  wanted.label = "transaction";
  std::optional<pool::Lease<Link>> place;
  try {
    place = co_await state->writes.acquire(wanted, nowhere);
  } catch (Error const& error) {
    throw refusal_of(error, state->options, Side::writer);
  }
  auto lease = std::make_shared<Lease>(std::move(state), *std::move(place), until);
  Work work{};
  work.kind = Work::Kind::transaction;
  work.company = Company::exclusive;
  work.lease = lease;
  auto job = std::make_shared<Job>(std::move(work), deadline);
  auto database = lease->database();
  try {
    co_await Database::run(std::move(database), job);
  } catch (...) {
    lease->release();
    throw;
  }
  co_return std::move(lease);
}

}  // namespace

boost::asio::awaitable<std::shared_ptr<Lease>> ClientState::begin(std::shared_ptr<ClientState> state,
                                                                  Deadline deadline) {
  if (state->is_closing.load(std::memory_order_relaxed)) throw closed_error();
  std::shared_ptr<Lease> lease;
  try {
    if (!state->endpoint) {
      lease = co_await lease_writer(state, deadline, deadline);
      co_return std::move(lease);
    }
    auto const once = [&](pool::Attempt& call) -> boost::asio::awaitable<void> {
      lease = co_await lease_writer(state, call.deadline, deadline);
    };
    auto policy = state->endpoint->policy();
    auto wanted = call_options(Side::writer, deadline);
    wanted.context.idempotent = resilience::Idempotent::yes;  // a beginning changes nothing
    co_await policy.run(wanted, once);
  } catch (Error const& error) {
    state->count(error);
    throw;
  }
  co_return std::move(lease);
}

boost::asio::awaitable<void> ClientState::close(std::shared_ptr<ClientState> state, Deadline deadline) {
  state->is_closing = true;
  if (state->endpoint) co_await state->endpoint->close(deadline);
  co_await state->reads.close(deadline, pool::WaitersAtClose::serve);
  // The writer last, when nobody else has the file open, not even a probe that was broken off: it folds the log into
  // the file.
  for (auto const& reading : state->databases->open_on(Side::readers)) {
    try {
      co_await sqlite::close(reading, deadline);
    } catch (Error const&) {
      break;  // its thread is stuck in the system, and the deadline has passed
    }
  }
  co_await state->writes.close(deadline, pool::WaitersAtClose::serve);
  // Not the pools' thread as well: another close() may be waiting for something on it.
  state->databases->prune();
}

void ClientState::stop() noexcept {
  is_closing = true;
  databases->interrupt();
  close_by_force();
  thread.stop();
  databases->join();
}

void ClientState::close_by_force() noexcept {
  try {
    auto const at_once = Deadline::in(0s);
    auto closing = [](pool::Pool<Link> pool, Deadline deadline) -> boost::asio::awaitable<void> {
      co_await pool.close(deadline);
    };
    auto read_side = boost::asio::co_spawn(thread.executor(), closing(reads, at_once), boost::asio::use_future);
    auto write_side = boost::asio::co_spawn(thread.executor(), closing(writes, at_once), boost::asio::use_future);
    read_side.wait();
    write_side.wait();
  } catch (...) {
    // No memory for that: the pools' last handles do the same.
  }
}

void ClientState::count(Error const& error) noexcept {
  auto& counters = *databases->counters;
  switch (error.error_class()) {
    case ErrorClass::timeout_local: ++counters.timeouts; break;
    case ErrorClass::cancelled: ++counters.cancelled; break;
    case ErrorClass::capacity: ++counters.refused; break;
    default: break;
  }
}

Stats ClientState::stats() const {
  auto const& counters = *databases->counters;
  Stats stats;
  stats.threads = counters.threads;
  stats.readers = readers;
  stats.reads_queued = reads.snapshot().waiting + databases->queued(Side::readers);
  stats.writes_queued = writes.snapshot().waiting + databases->queued(Side::writer);
  stats.reads = counters.reads;
  stats.read_batches = counters.read_batches;
  stats.writes = counters.writes;
  stats.transactions = counters.transactions;
  stats.groups = counters.groups;
  stats.commits = counters.commits;
  stats.replays = counters.replays;
  stats.largest_group = counters.largest_group;
  stats.timeouts = counters.timeouts;
  stats.cancelled = counters.cancelled;
  stats.refused = counters.refused;
  stats.abandoned = counters.abandoned;
  return stats;
}

}  // namespace belay::sqlite
