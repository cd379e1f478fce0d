#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "apps/casefile/http/limits.hpp"
#include "apps/casefile/http/refusal.hpp"

namespace casefile::http {

/// Finds the end of a request's head in bytes that come piece by piece, and refuses early what no parser needs to see:
/// heads that are too long, control characters, lines that end otherwise than in CRLF, folded header lines.
///
/// Looks at each byte once, however small the pieces. Pure state; source of the rules: RFC 9112, sections 2.2 and 5.2.
class HeadScanner {
 public:
  explicit HeadScanner(Limits const& limits) noexcept : limits_(&limits) {}

  enum class Result { need_more, found, refused };
  /// `head` begins with the head's first byte and has grown since the last call.
  Result scan(std::string_view head) noexcept;
  /// After found: bytes of the head with the empty line that ends it.
  std::size_t size() const noexcept { return scanned_; }
  /// After refused.
  Refusal const& refusal() const noexcept { return refusal_; }
  void reset() noexcept;

 private:
  Result refuse(Refusal refusal) noexcept;
  Result end_line() noexcept;
  bool is_in_request_line() const noexcept { return lines_ == 0; }

  Limits const* limits_;
  std::size_t scanned_ = 0;
  std::size_t line_begin_ = 0;
  std::size_t lines_ = 0;  ///< that have ended
  bool expects_line_feed_ = false;
  Refusal refusal_;
};

}  // namespace casefile::http
