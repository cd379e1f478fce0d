#include <utility>

#include <boost/asio/awaitable.hpp>

#include "belay/orm/detail/sqlite_schema.hpp"
#include "belay/orm/detail/sqlite_values.hpp"
#include "belay/orm/sqlite.hpp"
#include "belay/orm/sqlite_dialect.hpp"
#include "belay/sqlite/client.hpp"

namespace asio = boost::asio;

namespace belay::orm {

namespace {

/// Hands SQLite's rows on, on the thread that steps the statement.
class Sink final : public sqlite::RowSink {
 public:
  explicit Sink(std::shared_ptr<RowReader> reader) noexcept : reader_(std::move(reader)) {}
  void row(sqlite::Row const& row) override { reader_->row(detail::SqliteRow(row)); }
  void restart() override { reader_->restart(); }

 private:
  std::shared_ptr<RowReader> reader_;
};

class SqliteSession : public Session {
 public:
  Dialect const& dialect() const noexcept override { return sqlite_dialect(); }
  ScalarSink& parameters() noexcept override { return parameters_; }

  asio::awaitable<void> read(std::string text, std::shared_ptr<RowReader> reader, Deadline deadline) override {
    auto sink = std::make_shared<Sink>(std::move(reader));
    sqlite::Statement statement(std::move(text), parameters_.take());
    (void)co_await run_read(std::move(statement), std::move(sink), deadline);
  }

  asio::awaitable<std::int64_t> write(std::string text, Deadline deadline) override {
    sqlite::Statement statement(std::move(text), parameters_.take());
    auto const summary = co_await run_write(std::move(statement), deadline);
    co_return summary.changes;
  }

  asio::awaitable<std::vector<std::string>> schema_problems(TableInfo const& table, Deadline deadline) override {
    return detail::sqlite_schema_problems(*this, table, deadline);
  }

 private:
  virtual asio::awaitable<sqlite::Summary> run_read(sqlite::Statement, std::shared_ptr<sqlite::RowSink>, Deadline) = 0;
  virtual asio::awaitable<sqlite::Summary> run_write(sqlite::Statement, Deadline) = 0;

  detail::SqliteParameters parameters_;
};

class ClientSession final : public SqliteSession {
 public:
  explicit ClientSession(sqlite::Client client) noexcept : client_(std::move(client)) {}

  asio::awaitable<void> write_all(std::vector<std::string> texts, Deadline deadline) override {
    std::vector<sqlite::Statement> statements;
    for (auto& text : texts) statements.emplace_back(std::move(text));
    (void)co_await client_.write(std::move(statements), deadline);
  }
  Deadline default_deadline() const override { return client_.default_deadline(); }

 private:
  asio::awaitable<sqlite::Summary> run_read(sqlite::Statement statement, std::shared_ptr<sqlite::RowSink> sink,
                                            Deadline deadline) override {
    return client_.read(std::move(statement), std::move(sink), deadline);
  }
  asio::awaitable<sqlite::Summary> run_write(sqlite::Statement statement, Deadline deadline) override {
    return client_.write(std::move(statement), deadline);
  }

  sqlite::Client client_;
};

class TransactionSession final : public SqliteSession {
 public:
  explicit TransactionSession(sqlite::Transaction& transaction) noexcept : transaction_(transaction) {}

  asio::awaitable<void> write_all(std::vector<std::string> texts, Deadline deadline) override {
    for (auto& text : texts) {
      sqlite::Statement statement(std::move(text));
      (void)co_await transaction_.write(std::move(statement), deadline);
    }
  }
  Deadline default_deadline() const override { return transaction_.deadline(); }

 private:
  asio::awaitable<sqlite::Summary> run_read(sqlite::Statement statement, std::shared_ptr<sqlite::RowSink> sink,
                                            Deadline deadline) override {
    return transaction_.read(std::move(statement), std::move(sink), deadline);
  }
  asio::awaitable<sqlite::Summary> run_write(sqlite::Statement statement, Deadline deadline) override {
    return transaction_.write(std::move(statement), deadline);
  }

  sqlite::Transaction& transaction_;
};

}  // namespace

}  // namespace belay::orm

namespace belay::sqlite {

std::unique_ptr<orm::Session> session_of(Client const& client) { return std::make_unique<orm::ClientSession>(client); }

std::unique_ptr<orm::Session> session_of(Transaction& transaction) {
  return std::make_unique<orm::TransactionSession>(transaction);
}

}  // namespace belay::sqlite
