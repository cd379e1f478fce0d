#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace casefile::http {

/// Whether a client's X-Request-Id may go into logs and answers: 1 to 128 of A-Z a-z 0-9 - _ . : /
bool is_acceptable_request_id(std::string_view) noexcept;

/// Makes ids of 16 hexadecimal digits that do not repeat within 2^64 and do not tell how many there were.
///
/// Not a secret and not thread-safe: one per thread, each with a seed of its own.
class RequestIds {
 public:
  explicit RequestIds(std::uint64_t seed) noexcept : state_(seed) {}
  /// Writes the next id over `id`.
  void next(std::string& id);

 private:
  std::uint64_t state_;
};

}  // namespace casefile::http
