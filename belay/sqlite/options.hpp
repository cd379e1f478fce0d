#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace belay {
class Url;
}
namespace belay::pool {
struct EndpointOptions;
}

namespace belay::sqlite {

struct Observer;

/// What a commit waits for. Except with `full` and `extra`, an acknowledged write may be lost in a power cut.
enum class Synchronous {
  off,     ///< nothing: a power cut may lose writes and corrupt the file
  normal,  ///< the log is flushed at checkpoints only: a power cut loses the last writes, never corrupts
  full,    ///< each commit is flushed
  extra    ///< like full; what it adds concerns rollback journals only, which this client does not use
};

/// How a database file is opened and worked on. Checked by Client::open: a value out of range is Error(request) that
/// names the option.
struct Options {
  Options() = default;
  explicit Options(std::string file) : path(std::move(file)) {}

  /// The database file; created with mode 0600 when missing, its directory must exist. In-memory databases are
  /// refused: they have no write-ahead log and cannot be shared by connections.
  std::string path;
  /// Threads, each with its own connection, that run read-only statements; 0 = one per hardware thread, at most 4.
  /// 0…64.
  int readers = 0;
  /// Reads that may be under way at once, shared out among the readers; more wait in order. 1…64.
  std::size_t reads_at_once = 64;
  /// Calls that may wait for a place among the reads, and separately among the writes; beyond it a call fails at once
  /// with Error(capacity, never_sent). 1…1'000'000.
  std::size_t queue_max = 4096;
  /// How long a call waits for such a place, within its deadline. 1 ms…24 h.
  std::chrono::milliseconds acquire_timeout = std::chrono::seconds(30);
  /// Writes that may be under way at once and share one commit. More means fewer syncs but a longer replay when one of
  /// them loses the transaction. 1…64.
  std::size_t group_max = 64;
  /// A write that runs longer than this among others is interrupted, and runs again by itself after they committed.
  /// 1 ms…1 h.
  std::chrono::milliseconds slow_in_company = std::chrono::milliseconds(100);
  /// How long a statement waits for a lock held by another process, within its deadline. 0…1 h.
  std::chrono::milliseconds busy_timeout = std::chrono::seconds(5);
  /// The deadline of calls that give none. 1 ms…24 h.
  std::chrono::milliseconds statement_timeout = std::chrono::seconds(30);
  /// Prepared statements kept per connection, least recently used out first. 1…10'000.
  std::size_t statement_cache = 128;
  Synchronous synchronous = Synchronous::full;
  /// Page cache per connection. 64 KiB…16 GiB.
  std::uint64_t cache_bytes = 8ULL << 20;
  /// Bounds on the answer of Client::query: beyond either the call fails with Error(capacity). > 0.
  std::size_t result_rows_max = 100'000;
  std::size_t result_bytes_max = 64ULL << 20;  ///< cell contents and a fixed overhead per cell
  /// The SQLite virtual file system by its registered name; empty = the default one.
  std::string vfs;
  /// Circuit breakers, retries and a health monitor before every call. Null: each call is made once, and its failure is
  /// the answer. A transaction is one call as far as its beginning; its statements are on their own.
  std::shared_ptr<pool::EndpointOptions const> endpoint;
  /// Told what happens. May be null.
  std::shared_ptr<Observer const> observer;
};

/// Error(request) that names the first option out of its range, and the range.
void check(Options const&);

/// The options a URL spells: sqlite:PATH?readers=2&synchronous=normal. Parameters have the names of the members,
/// durations in milliseconds; an unknown name or a value that does not parse is Error(request) that says what is
/// accepted.
Options options_from(Url const&);

}  // namespace belay::sqlite
