#pragma once

#include <atomic>
#include <cstddef>

#include "apps/casefile/http/request_id.hpp"
#include "apps/casefile/http/response_writer.hpp"
#include "apps/casefile/http/server.hpp"

namespace casefile::http {

/// What all connections of a server share. `handler` and `plain_error` are never empty.
struct Service {
  Options options;
  Handler handler;
  ErrorHandler error_handler;
  PlainError plain_error;
  AccessLog access_log;
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> requests{0};  ///< whose handlers run

  /// The answer the server makes by itself, in the application's shape where that can be had.
  Response refusal_response(unsigned status, std::string_view message) const noexcept;
  /// The answer to a request whose handler threw.
  Response failure_response(std::exception_ptr, Request const&) const noexcept;
};

/// What the connections of one thread share.
struct ThreadService {
  explicit ThreadService(std::uint64_t seed) : ids(seed) {}
  DateText dates;
  RequestIds ids;
};

}  // namespace casefile::http
