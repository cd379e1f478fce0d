#include "belay/sqlite/client.hpp"

#include <utility>

#include "belay/sqlite/database.hpp"
#include "belay/sqlite/lease.hpp"
#include "belay/sqlite/result_set_builder.hpp"
#include "belay/sqlite/statement_digest.hpp"

namespace belay::sqlite {

namespace {

using DatabasePointer = std::shared_ptr<Database>;

/// VACUUM cannot run inside a transaction, hence in no group.
Company company_of(Statement const& statement) {
  return first_keyword(statement.sql()) == "VACUUM" ? Company::alone : Company::shared;
}

std::shared_ptr<Job> make_job(Work::Kind kind, Deadline deadline) {
  Work work{};
  work.kind = kind;
  return std::make_shared<Job>(std::move(work), deadline);
}

boost::asio::awaitable<Summary> run_one(DatabasePointer database, Work::Kind kind, Statement statement,
                                        std::shared_ptr<RowSink> sink, Deadline deadline) {
  auto job = make_job(kind, deadline);
  if (kind == Work::Kind::write) job->work.company = company_of(statement);
  job->work.statements.push_back(std::move(statement));
  job->work.sink = std::move(sink);
  co_await Database::run(std::move(database), job);
  co_return job->summary;
}

boost::asio::awaitable<Summary> run_unit(DatabasePointer database, std::vector<Statement> statements,
                                         Deadline deadline) {
  if (statements.empty()) {
    throw Error(ErrorClass::request, SendState::never_sent, "write() was given no statement");
  }
  auto job = make_job(Work::Kind::write, deadline);
  if (statements.size() == 1) job->work.company = company_of(statements.front());
  job->work.statements = std::move(statements);
  co_await Database::run(std::move(database), job);
  co_return job->summary;
}

boost::asio::awaitable<ResultSet> run_query(DatabasePointer database, Statement statement, Deadline deadline) {
  auto const& options = database->options();
  auto job = make_job(Work::Kind::query, deadline);
  job->work.company = company_of(statement);
  job->work.statements.push_back(std::move(statement));
  job->work.results = std::make_shared<ResultSetBuilder>(options.result_rows_max, options.result_bytes_max);
  job->work.sink = job->work.results;
  co_await Database::run(std::move(database), job);
  co_return job->work.results->take();
}

boost::asio::awaitable<void> run_backup(DatabasePointer database, std::string path, Deadline deadline) {
  auto job = make_job(Work::Kind::backup, deadline);
  job->work.path = std::move(path);
  co_await Database::run(std::move(database), job);
}

boost::asio::awaitable<void> run_close(DatabasePointer database, Deadline deadline) {
  auto job = make_job(Work::Kind::close, deadline);
  co_await Database::run(std::move(database), job);
}

}  // namespace

/// What the copies of a client share; its end is the database's end.
struct Client::Handle {
  explicit Handle(Options const& options) : database(std::make_shared<Database>(options)) {}
  ~Handle() { database->stop(); }
  Handle(Handle const&) = delete;
  Handle& operator=(Handle const&) = delete;

  DatabasePointer database;
};

Client::Client(std::shared_ptr<Handle> handle) noexcept : handle_(std::move(handle)) {}

DatabasePointer const& Client::database() const noexcept { return handle_->database; }

boost::asio::awaitable<Client> Client::open(Options options, Deadline deadline) {
  auto handle = std::make_shared<Handle>(options);
  auto job = make_job(Work::Kind::open, deadline);
  co_await Database::run(handle->database, job);
  co_return Client(std::move(handle));
}

boost::asio::awaitable<Client> Client::open(Options options) {
  auto const deadline = Deadline::in(options.statement_timeout);
  return open(std::move(options), deadline);
}

boost::asio::awaitable<Summary> Client::read(Statement statement, std::shared_ptr<RowSink> sink) {
  return run_one(database(), Work::Kind::read, std::move(statement), std::move(sink), default_deadline());
}
boost::asio::awaitable<Summary> Client::read(Statement statement, std::shared_ptr<RowSink> sink, Deadline deadline) {
  return run_one(database(), Work::Kind::read, std::move(statement), std::move(sink), deadline);
}
boost::asio::awaitable<Summary> Client::write(Statement statement) {
  return run_one(database(), Work::Kind::write, std::move(statement), nullptr, default_deadline());
}
boost::asio::awaitable<Summary> Client::write(Statement statement, Deadline deadline) {
  return run_one(database(), Work::Kind::write, std::move(statement), nullptr, deadline);
}
boost::asio::awaitable<Summary> Client::write(Statement statement, std::shared_ptr<RowSink> sink) {
  return run_one(database(), Work::Kind::write, std::move(statement), std::move(sink), default_deadline());
}
boost::asio::awaitable<Summary> Client::write(Statement statement, std::shared_ptr<RowSink> sink, Deadline deadline) {
  return run_one(database(), Work::Kind::write, std::move(statement), std::move(sink), deadline);
}
boost::asio::awaitable<Summary> Client::write(std::vector<Statement> statements) {
  return run_unit(database(), std::move(statements), default_deadline());
}
boost::asio::awaitable<Summary> Client::write(std::vector<Statement> statements, Deadline deadline) {
  return run_unit(database(), std::move(statements), deadline);
}
boost::asio::awaitable<ResultSet> Client::query(Statement statement) {
  return run_query(database(), std::move(statement), default_deadline());
}
boost::asio::awaitable<ResultSet> Client::query(Statement statement, Deadline deadline) {
  return run_query(database(), std::move(statement), deadline);
}
boost::asio::awaitable<void> Client::backup(std::string path) {
  return run_backup(database(), std::move(path), default_deadline());
}
boost::asio::awaitable<void> Client::backup(std::string path, Deadline deadline) {
  return run_backup(database(), std::move(path), deadline);
}
boost::asio::awaitable<void> Client::close() { return run_close(database(), default_deadline()); }
boost::asio::awaitable<void> Client::close(Deadline deadline) { return run_close(database(), deadline); }

boost::asio::awaitable<Transaction> Client::begin(std::shared_ptr<Database> database, Deadline deadline) {
  auto job = make_job(Work::Kind::transaction, deadline);
  job->work.company = Company::exclusive;
  job->work.lease = std::make_shared<Lease>(database, deadline);
  // Made before the wait: whatever ends it, the lease is given back.
  Transaction transaction(job->work.lease);
  co_await Database::run(std::move(database), job);
  co_return std::move(transaction);
}

Stats Client::stats() const { return database()->stats(); }

Deadline Client::default_deadline() const { return Deadline::in(database()->options().statement_timeout); }

}  // namespace belay::sqlite
