#include "belay/sqlite/transaction.hpp"

#include <utility>

#include "belay/sqlite/client_state.hpp"
#include "belay/sqlite/database.hpp"
#include "belay/sqlite/lease.hpp"
#include "belay/sqlite/result_set_builder.hpp"

namespace belay::sqlite {

namespace {

std::shared_ptr<Job> make_job(std::shared_ptr<Lease> const& lease, Work::Kind kind, Deadline deadline) {
  Work work{};
  work.kind = kind;
  work.lease = lease;
  return std::make_shared<Job>(std::move(work), earlier(deadline, lease->deadline()));
}

boost::asio::awaitable<void> run_counted(std::shared_ptr<Lease> lease, std::shared_ptr<Job> job) {
  try {
    co_await Database::run(lease->database(), job);
  } catch (Error const& error) {
    lease->client().count(error);
    throw;
  }
}

boost::asio::awaitable<Summary> run_one(std::shared_ptr<Lease> lease, Work::Kind kind, Statement statement,
                                        std::shared_ptr<RowSink> sink, Deadline deadline) {
  auto job = make_job(lease, kind, deadline);
  job->work.statements = share(std::move(statement));
  job->work.sink = std::move(sink);
  co_await run_counted(lease, job);
  co_return job->summary;
}

boost::asio::awaitable<ResultSet> run_query(std::shared_ptr<Lease> lease, Statement statement, Deadline deadline) {
  auto const& options = lease->database()->options();
  auto job = make_job(lease, Work::Kind::query, deadline);
  job->work.statements = share(std::move(statement));
  job->work.results = std::make_shared<ResultSetBuilder>(options.result_rows_max, options.result_bytes_max);
  job->work.sink = job->work.results;
  co_await run_counted(lease, job);
  co_return job->work.results->take();
}

boost::asio::awaitable<void> run_commit(std::shared_ptr<Lease> lease) {
  auto job = make_job(lease, Work::Kind::commit, Deadline::never());
  co_await run_counted(lease, job);
}

}  // namespace

Transaction::Transaction(std::shared_ptr<Lease> lease) noexcept : lease_(std::move(lease)) {}
Transaction::Transaction(Transaction&&) noexcept = default;
Transaction::~Transaction() {
  if (lease_) lease_->release();
}

Deadline Transaction::deadline() const noexcept { return lease_->deadline(); }

boost::asio::awaitable<Summary> Transaction::read(Statement statement, std::shared_ptr<RowSink> sink) {
  return run_one(lease_, Work::Kind::read, std::move(statement), std::move(sink), deadline());
}
boost::asio::awaitable<Summary> Transaction::read(Statement statement, std::shared_ptr<RowSink> sink, Deadline until) {
  return run_one(lease_, Work::Kind::read, std::move(statement), std::move(sink), until);
}
boost::asio::awaitable<Summary> Transaction::write(Statement statement) {
  return run_one(lease_, Work::Kind::write, std::move(statement), nullptr, deadline());
}
boost::asio::awaitable<Summary> Transaction::write(Statement statement, Deadline until) {
  return run_one(lease_, Work::Kind::write, std::move(statement), nullptr, until);
}
boost::asio::awaitable<Summary> Transaction::write(Statement statement, std::shared_ptr<RowSink> sink) {
  return run_one(lease_, Work::Kind::write, std::move(statement), std::move(sink), deadline());
}
boost::asio::awaitable<Summary> Transaction::write(Statement statement, std::shared_ptr<RowSink> sink, Deadline until) {
  return run_one(lease_, Work::Kind::write, std::move(statement), std::move(sink), until);
}
boost::asio::awaitable<ResultSet> Transaction::query(Statement statement) {
  return run_query(lease_, std::move(statement), deadline());
}
boost::asio::awaitable<ResultSet> Transaction::query(Statement statement, Deadline until) {
  return run_query(lease_, std::move(statement), until);
}
boost::asio::awaitable<void> Transaction::commit() { return run_commit(lease_); }

}  // namespace belay::sqlite
