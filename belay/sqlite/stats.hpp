#pragma once

#include <cstddef>
#include <cstdint>

namespace belay::sqlite {

/// Counters since open() and gauges of now. Each is exact; together they are not one instant's picture.
struct Stats {
  std::size_t threads = 0;         ///< alive: writer, readers, watch, and a running backup's
  std::size_t readers = 0;         ///< reader threads, each with a connection
  std::size_t reads_queued = 0;    ///< waiting for a reader
  std::size_t writes_queued = 0;   ///< waiting for the writer, transactions included
  std::uint64_t reads = 0;         ///< calls answered by a reader, with rows or with an error
  std::uint64_t read_batches = 0;  ///< read transactions that served them; reads / read_batches share a snapshot
  std::uint64_t writes = 0;        ///< calls answered by the writer, with success or with an error
  std::uint64_t transactions = 0;  ///< leases of the writer by Client::transaction
  std::uint64_t groups = 0;        ///< groups of writes formed
  std::uint64_t commits = 0;       ///< successful commits; with synchronous=full each is one flush of the log
  std::uint64_t replays = 0;       ///< writes run again because a neighbour lost their transaction
  std::size_t largest_group = 0;   ///< most writes acknowledged by one commit
  std::uint64_t timeouts = 0;      ///< calls that ended at their deadline
  std::uint64_t cancelled = 0;     ///< calls that ended by cancellation or shutdown
  std::uint64_t refused = 0;       ///< calls refused because a queue was full
  std::uint64_t abandoned = 0;     ///< calls given up while their thread was stuck in the system
};

}  // namespace belay::sqlite
