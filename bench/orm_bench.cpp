// Question: what does the ORM cost a point read, against code written by hand?
//
//   by_hand     one thread, the C API, one prepared statement kept, columns copied into the same struct: the floor
//   client      belay::sqlite::Client with the same SQL and a sink written by hand: what the coroutine API costs
//   orm         orm::get: what the ORM adds to that
//
// The last two with 64 calls in flight on one executor thread. Read items_per_second; orm should be at least 0.6 of
// by_hand. The CPU column of client and orm is all threads together, for 12,800 calls: what a busy machine pays. The
// rows fit the page cache, so that the disk has no part in it.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <benchmark/benchmark.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/describe.hpp>
#include <sqlite3.h>

#include "belay/orm/orm.hpp"
#include "belay/orm/sqlite.hpp"
#include "belay/sqlite/client.hpp"

namespace asio = boost::asio;
namespace orm = belay::orm;

enum class Status { open, in_work, closed };
BOOST_DESCRIBE_ENUM(Status, open, in_work, closed)

struct File {
  belay::Id<File> id;
  std::string title;
  std::optional<std::string> summary;
  Status status = Status::open;
  std::string user_id;
  std::optional<double> score;
  bool pinned = false;
  belay::Datetime created_at;
  belay::Datetime updated_at;
};
BOOST_DESCRIBE_STRUCT(File, (), (id, title, summary, status, user_id, score, pinned, created_at, updated_at))

template <>
struct belay::orm::Table<File> {
  static constexpr auto name = "file";
};

namespace {

constexpr int rows = 1000;
constexpr int in_flight = 64;
constexpr int calls_each = 200;
constexpr char const* sql =
    "SELECT id, title, summary, status, user_id, score, pinned, created_at, updated_at FROM file WHERE id = ?1";

std::string key_of(int number) { return "file" + std::to_string(1000000 + number % rows); }

asio::awaitable<void> fill(belay::sqlite::Client db) {
  co_await orm::create_tables<File>(db);
  auto const inserting = [](belay::sqlite::Transaction& transaction) -> asio::awaitable<void> {
    for (int i = 0; i < rows; ++i) {
      File file;
      file.id = belay::Id<File>(key_of(i));
      file.title = "Sale of the house at 12 rue de la Paix, second floor";
      file.summary = "waits for the notary";
      file.user_id = "user:ann";
      file.score = 0.75;
      co_await orm::insert(transaction, file);
    }
  };
  co_await db.transaction(inserting);
}

/// The file, made once per process and removed at its end.
class Fixture {
 public:
  static Fixture& get() {
    static Fixture fixture;
    return fixture;
  }
  std::string path() const { return (directory_ / "bench.db").string(); }
  asio::io_context& context() noexcept { return context_; }
  belay::sqlite::Client& client() noexcept { return *client_; }

 private:
  Fixture() {
    auto pattern = (std::filesystem::temp_directory_path() / "belay-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = pattern;
    auto opened = asio::co_spawn(context_, open(), asio::use_future);
    context_.run();
    opened.get();
  }
  ~Fixture() {
    client_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  asio::awaitable<void> open() {
    belay::sqlite::Options options(path());
    options.synchronous = belay::sqlite::Synchronous::off;
    client_.emplace(co_await belay::sqlite::Client::open(options));
    co_await fill(*client_);
  }

  std::filesystem::path directory_;
  asio::io_context context_{1};
  std::optional<belay::sqlite::Client> client_;
};

std::string text_at(sqlite3_stmt* statement, int column) {
  auto const* text = static_cast<char const*>(static_cast<void const*>(sqlite3_column_text(statement, column)));
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
}

File read_by_hand(sqlite3_stmt* statement, std::string const& key) {
  sqlite3_reset(statement);
  sqlite3_bind_text(statement, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
  if (sqlite3_step(statement) != SQLITE_ROW) throw std::runtime_error("no such row");
  File file;
  file.id = belay::Id<File>(text_at(statement, 0));
  file.title = text_at(statement, 1);
  if (sqlite3_column_type(statement, 2) != SQLITE_NULL) file.summary = text_at(statement, 2);
  file.status = belay::enum_from_name<Status>(text_at(statement, 3)).value();
  file.user_id = text_at(statement, 4);
  if (sqlite3_column_type(statement, 5) != SQLITE_NULL) file.score = sqlite3_column_double(statement, 5);
  file.pinned = sqlite3_column_int(statement, 6) != 0;
  file.created_at = belay::Datetime::from_unix_nanoseconds(sqlite3_column_int64(statement, 7));
  file.updated_at = belay::Datetime::from_unix_nanoseconds(sqlite3_column_int64(statement, 8));
  return file;
}

void by_hand(benchmark::State& state) {
  sqlite3* connection = nullptr;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_open_v2(Fixture::get().path().c_str(), &connection, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
                      nullptr) != SQLITE_OK ||
      sqlite3_prepare_v2(connection, sql, -1, &statement, nullptr) != SQLITE_OK) {
    state.SkipWithError("cannot open");
    return;
  }
  int number = 0;
  for (auto _ : state) benchmark::DoNotOptimize(read_by_hand(statement, key_of(number++)));
  sqlite3_finalize(statement);
  sqlite3_close(connection);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(by_hand)->UseRealTime();

class OneFile final : public belay::sqlite::RowSink {
 public:
  void row(belay::sqlite::Row const& row) override {
    file.id = belay::Id<File>(row.text(0));
    file.title = row.text(1);
    if (!row.is_null(2)) file.summary = row.text(2);
    file.status = belay::enum_from_name<Status>(row.text(3)).value();
    file.user_id = row.text(4);
    if (!row.is_null(5)) file.score = row.real(5);
    file.pinned = row.integer(6) != 0;
    file.created_at = belay::Datetime::from_unix_nanoseconds(row.integer(7));
    file.updated_at = belay::Datetime::from_unix_nanoseconds(row.integer(8));
  }
  void restart() override {}
  File file;
};

asio::awaitable<void> read_with_client(belay::sqlite::Client& db, int number) {
  for (int i = 0; i < calls_each; ++i) {
    auto sink = std::make_shared<OneFile>();
    belay::sqlite::Statement statement(sql, key_of(number + i));
    co_await db.read(std::move(statement), sink);
    benchmark::DoNotOptimize(sink->file);
  }
}

asio::awaitable<void> read_with_orm(belay::sqlite::Client& db, int number) {
  for (int i = 0; i < calls_each; ++i) {
    auto const file = co_await orm::get<File>(db, belay::Id<File>(key_of(number + i)));
    benchmark::DoNotOptimize(file.title.data());
  }
}

template <class Work>
void run_in_flight(benchmark::State& state, Work const& work) {
  auto& fixture = Fixture::get();
  for (auto _ : state) {
    for (int i = 0; i < in_flight; ++i) {
      asio::co_spawn(fixture.context(), work(fixture.client(), i * calls_each), asio::detached);
    }
    fixture.context().restart();
    fixture.context().run();
  }
  state.SetItemsProcessed(state.iterations() * in_flight * calls_each);
}

void client(benchmark::State& state) { run_in_flight(state, read_with_client); }
BENCHMARK(client)->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);

void get(benchmark::State& state) { run_in_flight(state, read_with_orm); }
BENCHMARK(get)->Name("orm")->MeasureProcessCPUTime()->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
