#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace casefile::http {

/// What one connection may ask of the server. All sizes are bytes, all values > 0.
///
/// Every time-out is for the whole phase, so that a client that trickles is treated like one that stands still.
struct Limits {
  std::size_t head_bytes_max = 16 * 1024;      ///< request line and headers together; beyond it 431
  std::size_t target_bytes_max = 8 * 1024;     ///< beyond it 414
  std::size_t headers_max = 100;               ///< header fields; beyond it 431
  std::size_t query_pairs_max = 100;           ///< name=value pairs in a query; beyond it 400
  std::uint64_t body_bytes_max = 1024 * 1024;  ///< beyond it 413
  /// A body that is too large by no more than this is read and thrown away, so that the connection can go on; with a
  /// larger one the connection is closed.
  std::uint64_t discard_bytes_max = 64 * 1024;

  /// From a request's first byte to the end of its head: 408, then closed. From the accept to the first byte of a
  /// connection: closed without a word.
  std::chrono::milliseconds head_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds body_timeout = std::chrono::seconds(30);  ///< from the head's end to the body's; 408
  /// For the client to take an answer, plus one second for each 64 KiB of it; then the connection is broken off.
  std::chrono::milliseconds write_timeout = std::chrono::seconds(30);
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(75);  ///< between two requests; closed silently
};

}  // namespace casefile::http
