#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "belay/pool/endpoint.hpp"
#include "belay/pool/pool.hpp"
#include "belay/sqlite/link.hpp"
#include "belay/sqlite/options.hpp"
#include "belay/sqlite/pool_thread.hpp"
#include "belay/sqlite/stats.hpp"

namespace belay::sqlite {

/// What the copies of a client share, and what each of its calls holds while it runs.
///
/// Every call is led through the endpoint's policy, when there is one, to a place on a side of the file, which its pool
/// lends in order of arrival, and there to the side's threads.
struct ClientState {
  using JobPointer = std::shared_ptr<Job>;

  /// The options have been checked; starts the pools' thread. Throws Error(capacity) when there is none to be had.
  explicit ClientState(Options const&);

  /// Opens both sides, the writer first: it makes the file. Throws what opening fails with.
  static boost::asio::awaitable<void> open(std::shared_ptr<ClientState>, Deadline);

  /// Runs the work on a side until it is done; throws what it failed with. The result is in the job.
  static boost::asio::awaitable<JobPointer> run(std::shared_ptr<ClientState>, Side, Work, Deadline);
  static boost::asio::awaitable<std::shared_ptr<Lease>> begin(std::shared_ptr<ClientState>, Deadline);
  static boost::asio::awaitable<void> close(std::shared_ptr<ClientState>, Deadline);

  /// Ends everything: waiting calls fail, running ones are interrupted, threads joined. Blocks. Once.
  void stop() noexcept;

  void count(Error const&) noexcept;
  Stats stats() const;
  pool::Pool<Link> const& pool_of(Side side) const noexcept { return side == Side::readers ? reads : writes; }

  Options const options;
  std::size_t const readers;
  std::shared_ptr<Databases> const databases = std::make_shared<Databases>();
  PoolThread thread;
  std::shared_ptr<LinkConnector> const read_connector;
  std::shared_ptr<LinkConnector> const write_connector;
  std::optional<pool::Endpoint> endpoint;
  pool::Pool<Link> reads;
  pool::Pool<Link> writes;
  std::atomic<bool> is_closing{false};

 private:
  void close_by_force() noexcept;
  std::optional<pool::Endpoint> make_endpoint();
  pool::PoolEnvironment pool_environment();
  void watch(pool::PoolBase const&, std::string_view side);
  static boost::asio::awaitable<void> attempt(ClientState&, Side, JobPointer, Deadline);
};

/// A list of one.
std::shared_ptr<std::vector<Statement> const> share(Statement);

}  // namespace belay::sqlite
