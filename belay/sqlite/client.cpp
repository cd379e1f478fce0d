#include "belay/sqlite/client.hpp"

#include <utility>

#include "belay/sqlite/client_state.hpp"
#include "belay/sqlite/lease.hpp"
#include "belay/sqlite/result_set_builder.hpp"
#include "belay/sqlite/statement_digest.hpp"

namespace belay::sqlite {

namespace {

using StatePointer = std::shared_ptr<ClientState>;

/// VACUUM cannot run inside a transaction, hence in no group.
Company company_of(Statement const& statement) {
  return first_keyword(statement.sql()) == "VACUUM" ? Company::alone : Company::shared;
}

Work make_work(Work::Kind kind, Statement statement, std::shared_ptr<RowSink> sink) {
  Work work{};
  work.kind = kind;
  if (kind != Work::Kind::read) work.company = company_of(statement);
  work.statements = share(std::move(statement));
  work.sink = std::move(sink);
  return work;
}

boost::asio::awaitable<Summary> run_one(StatePointer state, Work::Kind kind, Statement statement,
                                        std::shared_ptr<RowSink> sink, Deadline deadline) {
  auto const side = kind == Work::Kind::read ? Side::readers : Side::writer;
  auto work = make_work(kind, std::move(statement), std::move(sink));
  auto const job = co_await ClientState::run(std::move(state), side, std::move(work), deadline);
  co_return job->summary;
}

boost::asio::awaitable<Summary> run_unit(StatePointer state, std::vector<Statement> statements, Deadline deadline) {
  if (statements.empty()) {
    throw Error(ErrorClass::request, SendState::never_sent, "write() was given no statement");
  }
  Work work{};
  work.kind = Work::Kind::write;
  if (statements.size() == 1) work.company = company_of(statements.front());
  work.statements = std::make_shared<std::vector<Statement> const>(std::move(statements));
  auto const job = co_await ClientState::run(std::move(state), Side::writer, std::move(work), deadline);
  co_return job->summary;
}

boost::asio::awaitable<ResultSet> run_query(StatePointer state, Statement statement, Deadline deadline) {
  auto const results =
      std::make_shared<ResultSetBuilder>(state->options.result_rows_max, state->options.result_bytes_max);
  auto work = make_work(Work::Kind::query, std::move(statement), results);
  work.results = results;
  auto job = co_await ClientState::run(state, Side::readers, work, deadline);
  if (job->wants_writer) job = co_await ClientState::run(std::move(state), Side::writer, std::move(work), deadline);
  co_return results->take();
}

boost::asio::awaitable<void> run_backup(StatePointer state, std::string path, Deadline deadline) {
  Work work{};
  work.kind = Work::Kind::backup;
  work.path = std::move(path);
  co_await ClientState::run(std::move(state), Side::readers, std::move(work), deadline);
}

}  // namespace

/// What the copies of a client share; its end is the database's end.
struct Client::Handle {
  explicit Handle(Options const& options) : state(std::make_shared<ClientState>(options)) {}
  ~Handle() { state->stop(); }
  Handle(Handle const&) = delete;
  Handle& operator=(Handle const&) = delete;

  StatePointer state;
};

Client::Client(std::shared_ptr<Handle> handle) noexcept : handle_(std::move(handle)) {}

StatePointer const& Client::state() const noexcept { return handle_->state; }

boost::asio::awaitable<Client> Client::open(Options options, Deadline deadline) {
  auto handle = std::make_shared<Handle>(options);
  co_await ClientState::open(handle->state, deadline);
  co_return Client(std::move(handle));
}

boost::asio::awaitable<Client> Client::open(Options options) {
  auto const deadline = Deadline::in(options.statement_timeout);
  return open(std::move(options), deadline);
}

boost::asio::awaitable<Summary> Client::read(Statement statement, std::shared_ptr<RowSink> sink) {
  return run_one(state(), Work::Kind::read, std::move(statement), std::move(sink), default_deadline());
}
boost::asio::awaitable<Summary> Client::read(Statement statement, std::shared_ptr<RowSink> sink, Deadline deadline) {
  return run_one(state(), Work::Kind::read, std::move(statement), std::move(sink), deadline);
}
boost::asio::awaitable<Summary> Client::write(Statement statement) {
  return run_one(state(), Work::Kind::write, std::move(statement), nullptr, default_deadline());
}
boost::asio::awaitable<Summary> Client::write(Statement statement, Deadline deadline) {
  return run_one(state(), Work::Kind::write, std::move(statement), nullptr, deadline);
}
boost::asio::awaitable<Summary> Client::write(Statement statement, std::shared_ptr<RowSink> sink) {
  return run_one(state(), Work::Kind::write, std::move(statement), std::move(sink), default_deadline());
}
boost::asio::awaitable<Summary> Client::write(Statement statement, std::shared_ptr<RowSink> sink, Deadline deadline) {
  return run_one(state(), Work::Kind::write, std::move(statement), std::move(sink), deadline);
}
boost::asio::awaitable<Summary> Client::write(std::vector<Statement> statements) {
  return run_unit(state(), std::move(statements), default_deadline());
}
boost::asio::awaitable<Summary> Client::write(std::vector<Statement> statements, Deadline deadline) {
  return run_unit(state(), std::move(statements), deadline);
}
boost::asio::awaitable<ResultSet> Client::query(Statement statement) {
  return run_query(state(), std::move(statement), default_deadline());
}
boost::asio::awaitable<ResultSet> Client::query(Statement statement, Deadline deadline) {
  return run_query(state(), std::move(statement), deadline);
}
boost::asio::awaitable<void> Client::backup(std::string path) {
  return run_backup(state(), std::move(path), default_deadline());
}
boost::asio::awaitable<void> Client::backup(std::string path, Deadline deadline) {
  return run_backup(state(), std::move(path), deadline);
}
boost::asio::awaitable<void> Client::close() { return ClientState::close(state(), default_deadline()); }
boost::asio::awaitable<void> Client::close(Deadline deadline) { return ClientState::close(state(), deadline); }

boost::asio::awaitable<Transaction> Client::begin(StatePointer state, Deadline deadline) {
  auto lease = co_await ClientState::begin(std::move(state), deadline);
  co_return Transaction(std::move(lease));
}

Stats Client::stats() const { return state()->stats(); }

pool::PoolBase const& Client::reads() const noexcept { return state()->reads; }
pool::PoolBase const& Client::writes() const noexcept { return state()->writes; }
pool::Endpoint const* Client::endpoint() const noexcept {
  auto const& endpoint = state()->endpoint;
  return endpoint ? &*endpoint : nullptr;
}

Deadline Client::default_deadline() const { return Deadline::in(state()->options.statement_timeout); }

}  // namespace belay::sqlite
