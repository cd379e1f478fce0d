#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "belay/sqlite/completions.hpp"
#include "belay/sqlite/job_queue.hpp"
#include "belay/sqlite/options.hpp"
#include "belay/sqlite/watch.hpp"

namespace belay::sqlite {

/// The counters behind Stats, of all that a client opens one after the other; each is only ever added to, except
/// threads.
struct Counters {
  std::atomic<std::size_t> threads{0};
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> read_batches{0};
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> transactions{0};
  std::atomic<std::uint64_t> groups{0};
  std::atomic<std::uint64_t> commits{0};
  std::atomic<std::uint64_t> replays{0};
  std::atomic<std::size_t> largest_group{0};
  std::atomic<std::uint64_t> timeouts{0};
  std::atomic<std::uint64_t> cancelled{0};
  std::atomic<std::uint64_t> refused{0};
  std::atomic<std::uint64_t> abandoned{0};
};

/// What the threads of one open database share. Every member is thread-safe.
struct DatabaseState {
  DatabaseState(Options const& checked, std::size_t reader_threads, std::shared_ptr<Counters> counted)
      : options(checked),
        readers(reader_threads),
        counters_owner(std::move(counted)),
        counters(*counters_owner),
        read_completions(reader_threads),
        reads("a reader", std::max<std::size_t>(reader_threads, 1)),
        writes("the writer", 1) {}

  Options const options;
  std::size_t const readers;
  std::shared_ptr<Counters> const counters_owner;
  Counters& counters;
  std::vector<Completions> read_completions;  ///< one per reader
  JobQueue reads;
  JobQueue writes;
  Watch watch;
  std::atomic<bool> stopping{false};  ///< end what is running, too: a hard stop
};

/// How long a worker that should stop may take to notice, before its caller is answered without it.
inline constexpr auto stop_grace = std::chrono::milliseconds(100);

/// What calls that a hard stop ends are told.
inline Error closing_error(SendState send_state) {
  return Error(ErrorClass::cancelled, send_state, "the SQLite client is closing");
}

/// What calls that come after close() are told.
inline Error closed_error() { return Error(ErrorClass::request, SendState::never_sent, "the SQLite client is closed"); }

/// Gives a job to a queue; completes it with the reason when the queue is closed.
void enqueue(DatabaseState&, JobQueue&, std::shared_ptr<Job>);

}  // namespace belay::sqlite
