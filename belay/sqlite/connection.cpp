#include "belay/sqlite/connection.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <thread>
#include <utility>

#include <sqlite3.h>

#include "belay/sqlite/authorizer.hpp"
#include "belay/sqlite/database_file.hpp"
#include "belay/sqlite/functions.hpp"
#include "belay/sqlite/statement_digest.hpp"

namespace belay::sqlite {

namespace {

using namespace std::chrono_literals;

/// Steps of the virtual machine between two looks at deadline and cancellation: some ten microseconds.
constexpr int steps_between_stop_checks = 1000;
/// Beyond SQLite's own limit, which then refuses in its own words; fits an int.
constexpr std::size_t sql_bytes_max = 1'000'000'002;
/// The log's size to which a checkpoint shrinks the file again after a burst.
constexpr char const* journal_size_limit = "67108864";
constexpr char const* wal_autocheckpoint_pages = "1000";

/// Sets a flag until the end of the scope.
class Flag {
 public:
  explicit Flag(bool& flag) : flag_(flag), before_(std::exchange(flag, true)) {}
  ~Flag() { flag_ = before_; }
  Flag(Flag const&) = delete;
  Flag& operator=(Flag const&) = delete;

 private:
  bool& flag_;
  bool before_;
};

/// Ends a statement's execution on every way out, and forgets the pointers it was bound to.
class Execution {
 public:
  explicit Execution(sqlite3_stmt* statement) : statement_(statement) {}
  ~Execution() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Execution(Execution const&) = delete;
  Execution& operator=(Execution const&) = delete;

 private:
  sqlite3_stmt* statement_;
};

[[noreturn]] void refuse(std::string sentence, std::string_view sql) {
  sentence.append(" in: ").append(statement_digest(sql));
  throw Error(ErrorClass::request, SendState::never_sent, std::move(sentence));
}

std::string_view spelling(Synchronous synchronous) noexcept {
  switch (synchronous) {
    case Synchronous::off: return "OFF";
    case Synchronous::normal: return "NORMAL";
    case Synchronous::full: return "FULL";
    case Synchronous::extra: return "EXTRA";
  }
  return "FULL";
}

struct Binder {
  sqlite3_stmt* statement;
  int index;

  int operator()(std::nullptr_t) const { return sqlite3_bind_null(statement, index); }
  int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, index, value); }
  int operator()(double value) const { return sqlite3_bind_double(statement, index, value); }
  int operator()(std::string const& value) const {
    return sqlite3_bind_text64(statement, index, value.data(), value.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  int operator()(Bytes const& value) const {
    // An empty blob has no address, and a null address would bind NULL.
    if (value.empty()) return sqlite3_bind_zeroblob(statement, index, 0);
    return sqlite3_bind_blob64(statement, index, value.data(), value.size(), SQLITE_STATIC);
  }
};

}  // namespace

void Connection::CloseConnection::operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }

Connection::Connection(Options const& options, Role role, StopCheck& stop_check)
    : stop_check_(stop_check), busy_timeout_(options.busy_timeout), cache_(options.statement_cache) {
  if (role == Role::writer) {
    prepare_database_file(options.path);
  }
  open(options, role);
  configure(options, role);
  begin_immediate_ = compile_own("BEGIN IMMEDIATE");
  begin_read_ = compile_own("BEGIN");
  commit_ = compile_own("COMMIT");
  rollback_ = compile_own("ROLLBACK");
  savepoint_ = compile_own("SAVEPOINT belay_member");
  release_ = compile_own("RELEASE belay_member");
  rollback_to_ = compile_own("ROLLBACK TO belay_member");
  running_own_ = false;
}

Connection::~Connection() = default;

void Connection::open(Options const& options, Role role) {
  int const flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (role == Role::writer ? SQLITE_OPEN_CREATE : 0);
  sqlite3* connection = nullptr;
  int const code =
      sqlite3_open_v2(options.path.c_str(), &connection, flags, options.vfs.empty() ? nullptr : options.vfs.c_str());
  handle_.reset(connection);
  if (connection == nullptr) throw std::bad_alloc();
  if (code != SQLITE_OK) {
    throw make_error(code, Phase::opening, "cannot open " + options.path, sqlite3_errmsg(connection), {});
  }
}

void Connection::configure(Options const& options, Role role) {
  auto* const connection = handle_.get();
  sqlite3_busy_handler(
      connection, [](void* self, int attempt) { return static_cast<Connection*>(self)->wait_while_busy(attempt); },
      this);
  sqlite3_progress_handler(
      connection, steps_between_stop_checks,
      [](void* self) { return static_cast<Connection*>(self)->stop_check_.must_stop() ? 1 : 0; }, this);
  sqlite3_set_authorizer(
      connection,
      [](void* self, int action, char const* first, char const* second, char const*, char const*) {
        return static_cast<Connection*>(self)->authorize(action, first, second);
      },
      this);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_ENABLE_FKEY, 1, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(connection, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  register_functions(connection);

  try {
    if (role == Role::writer) require_wal(options);
    set_pragma("synchronous=" + std::string(spelling(options.synchronous)));
    set_pragma("temp_store=MEMORY");
    set_pragma("cache_size=-" + std::to_string(options.cache_bytes / 1024));
    set_pragma("journal_size_limit=" + std::string(journal_size_limit));
    set_pragma("wal_autocheckpoint=" + std::string(wal_autocheckpoint_pages));
    if (role == Role::reader) set_pragma("query_only=ON");
  } catch (Error const& failure) {
    throw failure.with_context("cannot open " + options.path + ": ").with_send_state(SendState::never_sent);
  }
}

void Connection::require_wal(Options const& options) {
  auto const mode = ask_pragma("journal_mode=WAL");
  if (mode == "wal") return;
  throw Error(ErrorClass::request, SendState::never_sent,
              "the write-ahead log cannot be switched on (journal mode stays " + mode +
                  "): use a file on a local file system" +
                  (options.vfs.empty() ? "" : " and a VFS with shared memory"));
}

void Connection::set_pragma(std::string const& pragma) { ask_pragma(pragma); }

std::string Connection::ask_pragma(std::string const& pragma) {
  auto const statement = compile_own("PRAGMA " + pragma);
  int code = sqlite3_step(statement.get());
  std::string answer;
  while (code == SQLITE_ROW) {
    auto const* text = sqlite3_column_text(statement.get(), 0);
    answer = text == nullptr ? "" : static_cast<char const*>(static_cast<void const*>(text));
    code = sqlite3_step(statement.get());
  }
  if (code != SQLITE_DONE) fail(code, Phase::opening, "PRAGMA " + pragma);
  return answer;
}

StatementHandle Connection::compile_own(std::string_view sql) {
  Flag const flag(running_own_);
  sqlite3_stmt* statement = nullptr;
  int const code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  StatementHandle owned(statement);
  if (code != SQLITE_OK) fail(code, Phase::opening, sql);
  return owned;
}

PreparedStatement& Connection::prepare(std::string const& sql) {
  if (auto* const known = cache_.find(sql)) return *known;
  if (sql.find('\0') != std::string::npos) refuse("the statement holds a NUL byte: bind it as a parameter", sql);

  // With the terminating NUL counted in, SQLite need not copy the text.
  refusal_.clear();
  sqlite3_stmt* statement = nullptr;
  char const* tail = nullptr;
  int const length = static_cast<int>(std::min<std::size_t>(sql.size() + 1, sql_bytes_max));
  int const code = sqlite3_prepare_v3(handle_.get(), sql.data(), length, SQLITE_PREPARE_PERSISTENT, &statement, &tail);
  StatementHandle owned(statement);
  if (!refusal_.empty()) refuse(std::exchange(refusal_, {}), sql);
  if (code != SQLITE_OK) fail(code, Phase::running, sql);
  if (!owned) refuse("the statement is empty", sql);
  if (!holds_no_statement(std::string_view(sql).substr(static_cast<std::size_t>(tail - sql.data())))) {
    refuse("the text holds more than one statement: give them one by one, or as a list to write()", sql);
  }
  int const parameters = sqlite3_bind_parameter_count(owned.get());
  bool const reads_only = sqlite3_stmt_readonly(owned.get()) != 0;
  return cache_.keep(PreparedStatement{sql, std::move(owned), parameters, reads_only});
}

void Connection::bind(PreparedStatement const& prepared, std::span<Param const> params) {
  if (static_cast<std::size_t>(prepared.parameters) != params.size()) {
    refuse("the statement wants " + std::to_string(prepared.parameters) + " parameters, " +
               std::to_string(params.size()) + " were given",
           prepared.sql);
  }
  int index = 1;
  for (auto const& param : params) {
    int const code = std::visit(Binder{prepared.handle.get(), index}, param);
    if (code != SQLITE_OK) fail(code, Phase::running, prepared.sql);
    ++index;
  }
}

Summary Connection::execute(PreparedStatement& prepared, std::span<Param const> params, RowDelivery& delivery) {
  auto* const connection = handle_.get();
  auto* const statement = prepared.handle.get();
  Execution const execution(statement);
  bind(prepared, params);
  delivery.columns(statement);

  // Both keep the value of an earlier statement when this one changes nothing.
  auto const changes_before = sqlite3_total_changes64(connection);
  if (!prepared.reads_only) sqlite3_set_last_insert_rowid(connection, 0);
  int code = sqlite3_step(statement);
  while (code == SQLITE_ROW) {
    if (!delivery.row(statement)) throw Interrupted{};
    code = sqlite3_step(statement);
  }
  if (code != SQLITE_DONE) {
    if (!refusal_.empty()) refuse(std::exchange(refusal_, {}), prepared.sql);
    fail(code, Phase::running, prepared.sql);
  }
  Summary summary;
  if (prepared.reads_only) return summary;
  if (sqlite3_total_changes64(connection) != changes_before) summary.changes = sqlite3_changes64(connection);
  summary.last_insert_rowid = sqlite3_last_insert_rowid(connection);
  return summary;
}

Summary Connection::vacuum(Statement const& statement, RowDelivery& delivery) {
  Flag const flag(vacuuming_);
  return execute(prepare(statement.sql()), statement.params(), delivery);
}

void Connection::run(StatementHandle const& statement, Phase phase) {
  Flag const flag(running_own_);
  sqlite3_step(statement.get());
  int const code = sqlite3_reset(statement.get());
  if (code != SQLITE_OK) fail(code, phase, sqlite3_sql(statement.get()));
}

void Connection::rollback() {
  if (in_transaction()) run(rollback_, Phase::running);
}

void Connection::rollback_to_savepoint() {
  run(rollback_to_, Phase::running);
  release();
}

bool Connection::in_transaction() const noexcept { return sqlite3_get_autocommit(handle_.get()) == 0; }

bool Connection::violates_deferred_foreign_keys() const noexcept {
  int current = 0;
  int highest = 0;
  sqlite3_db_status(handle_.get(), SQLITE_DBSTATUS_DEFERRED_FKS, &current, &highest, 0);
  return current != 0;
}

void Connection::hold_snapshot() {
  begin_read();
  run(compile_own("SELECT count(*) FROM sqlite_schema"), Phase::beginning);
}

bool Connection::checkpoint() noexcept {
  return sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr) == SQLITE_OK;
}

void Connection::fail(int code, Phase phase, std::string_view sql) {
  bool const gave_up_waiting = (code & 0xFF) == SQLITE_BUSY && std::exchange(stopped_waiting_, false);
  if (code == SQLITE_INTERRUPT || gave_up_waiting) throw Interrupted{};
  throw make_error(code, phase, "SQLite refuses", sqlite3_errmsg(handle_.get()), sql);
}

int Connection::wait_while_busy(int attempt) noexcept {
  constexpr std::array<std::chrono::milliseconds, 6> pauses{1ms, 1ms, 2ms, 5ms, 8ms, 10ms};
  auto const now = std::chrono::steady_clock::now();
  if (attempt == 0) busy_since_ = now;
  stopped_waiting_ = stop_check_.must_stop();
  if (stopped_waiting_ || now - busy_since_ >= busy_timeout_) return 0;
  std::this_thread::sleep_for(pauses[std::min(static_cast<std::size_t>(attempt), pauses.size() - 1)]);
  return 1;
}

int Connection::authorize(int action, char const* first, char const* second) noexcept {
  if (running_own_) return SQLITE_OK;
  // VACUUM attaches a nameless temporary file and sets pragmas on it; VACUUM INTO would name one.
  if (vacuuming_ && (action != SQLITE_ATTACH || first == nullptr || *first == '\0')) return SQLITE_OK;
  try {
    auto sentence = refusal(action, first, second);
    if (sentence.empty()) return SQLITE_OK;
    if (vacuuming_) sentence = "VACUUM INTO is not available: use Client::backup";
    refusal_ = std::move(sentence);
  } catch (std::bad_alloc const&) {
    refusal_.clear();
  }
  return SQLITE_DENY;
}

}  // namespace belay::sqlite
