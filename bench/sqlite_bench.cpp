#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>

#include <benchmark/benchmark.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <sqlite3.h>
#include <stdlib.h>

#include "belay/sqlite/client.hpp"

namespace {

namespace asio = boost::asio;
namespace sqlite = belay::sqlite;

constexpr std::int64_t rows = 10'000;
constexpr char const* point_read = "SELECT id, name, n FROM t WHERE id = ?1";

/// Spread over the table, so that neither side profits from reading one page again and again.
std::int64_t row_of(std::int64_t call) { return call * 7919 % rows; }

class Sink final : public sqlite::RowSink {
 public:
  void row(sqlite::Row const& row) override { bytes += row.text(1).size(); }
  void restart() override {}
  std::size_t bytes = 0;
};

/// A table of 10,000 rows in a directory of its own, opened once for all benchmarks.
class Database {
 public:
  static Database& instance() {
    static Database database;
    return database;
  }

  /// Runs `calls` calls spread over so many coroutines to their end.
  template <class Call>
  void run(int coroutines, std::int64_t calls, Call call) {
    auto worker = [call, coroutines, calls](std::int64_t first) -> asio::awaitable<void> {
      for (auto i = first; i < calls; i += coroutines) co_await call(i);
    };
    for (int i = 0; i < coroutines; ++i) asio::co_spawn(context_, worker(i), asio::detached);
    context_.restart();
    context_.run();
  }

  sqlite::Client& client() { return *client_; }
  std::string const& file() const { return file_; }

 private:
  Database() {
    std::string name = (std::filesystem::temp_directory_path() / "belay-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    directory_ = name;
    file_ = (directory_ / "bench.db").string();
    auto fill = [this]() -> asio::awaitable<void> {
      client_.emplace(co_await sqlite::Client::open(sqlite::Options(file_)));
      co_await client_->write("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n INT)");
      std::vector<sqlite::Statement> unit;
      for (std::int64_t i = 0; i < rows; ++i) {
        unit.emplace_back("INSERT INTO t VALUES (?1, ?2, 0)", i, "the name of row number " + std::to_string(i));
      }
      co_await client_->write(std::move(unit));
    };
    asio::co_spawn(context_, fill, [](std::exception_ptr failure) {
      if (failure) std::rethrow_exception(failure);
    });
    context_.run();
  }
  ~Database() {
    client_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  asio::io_context context_{1};
  std::filesystem::path directory_;
  std::string file_;
  std::optional<sqlite::Client> client_;
};

// Question: what does SQLite itself cost? One thread, one cached statement, autocommit. The yardstick for the next one.
void hand_written_read_loop(benchmark::State& state) {
  sqlite3* connection = nullptr;
  sqlite3_stmt* statement = nullptr;
  sqlite3_open_v2(Database::instance().file().c_str(), &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                  nullptr);
  sqlite3_prepare_v3(connection, point_read, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  std::int64_t call = 0;
  std::size_t bytes = 0;
  for (auto _ : state) {
    sqlite3_bind_int64(statement, 1, row_of(call++));
    while (sqlite3_step(statement) == SQLITE_ROW) {
      sqlite3_column_text(statement, 1);
      bytes += static_cast<std::size_t>(sqlite3_column_bytes(statement, 1));
    }
    sqlite3_reset(statement);
  }
  benchmark::DoNotOptimize(bytes);
  state.SetItemsProcessed(state.iterations());
  sqlite3_finalize(statement);
  sqlite3_close(connection);
}
BENCHMARK(hand_written_read_loop)->MeasureProcessCPUTime()->UseRealTime();

// Question: what does a point read cost through the client? items_per_second against the loop above; the CPU time is
// that of all threads. With 64 coroutines on two cores it should reach 0.7 of the loop.
void read(benchmark::State& state) {
  constexpr std::int64_t calls = 20'000;
  auto& database = Database::instance();
  for (auto _ : state) {
    auto const sink = std::make_shared<Sink>();
    database.run(static_cast<int>(state.range(0)), calls, [&database, sink](std::int64_t i) {
      return database.client().read(sqlite::Statement(point_read, row_of(i)), sink);
    });
    benchmark::DoNotOptimize(sink->bytes);
  }
  state.SetItemsProcessed(state.iterations() * calls);
}
BENCHMARK(read)->ArgName("coroutines")->Arg(1)->Arg(64)->MeasureProcessCPUTime()->UseRealTime();

// Question: what does group commit gain? items_per_second with 64 writers against one; writes_per_commit says why.
void write(benchmark::State& state) {
  auto const coroutines = static_cast<int>(state.range(0));
  std::int64_t const calls = coroutines * 20;
  auto& database = Database::instance();
  auto const before = database.client().stats();
  for (auto _ : state) {
    database.run(coroutines, calls, [&database](std::int64_t i) {
      return database.client().write(sqlite::Statement("UPDATE t SET n = n + 1 WHERE id = ?1", row_of(i)));
    });
  }
  auto const after = database.client().stats();
  state.SetItemsProcessed(state.iterations() * calls);
  state.counters["writes_per_commit"] =
      static_cast<double>(after.writes - before.writes) / static_cast<double>(after.commits - before.commits);
}
BENCHMARK(write)->ArgName("coroutines")->Arg(1)->Arg(64)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
