#include "apps/casefile/http/head_scanner.hpp"

#include "apps/casefile/http/text.hpp"

namespace casefile::http {

namespace {

/// A request line is a method, the target and "HTTP/1.1": what a line may have beside its target.
constexpr std::size_t request_line_extra_max = 64;

constexpr Refusal target_too_long{414, "The request target is too long"};
constexpr Refusal head_too_long{431, "The request headers are too large"};
constexpr Refusal too_many_headers{431, "The request has too many headers"};
constexpr Refusal bad_line_end{400, "Lines of the request head must end in CRLF"};
constexpr Refusal control_character{400, "The request head holds a control character"};
constexpr Refusal folded_line{400, "Folded header lines are not accepted"};

}  // namespace

HeadScanner::Result HeadScanner::scan(std::string_view head) noexcept {
  while (scanned_ < head.size()) {
    if (scanned_ >= limits_->head_bytes_max) return refuse(is_in_request_line() ? target_too_long : head_too_long);
    auto const position = scanned_++;
    auto const c = head[position];
    if (expects_line_feed_) {
      if (c != '\n') return refuse(bad_line_end);
      auto const result = end_line();
      if (result != Result::need_more) return result;
    } else if (c == '\r') {
      expects_line_feed_ = true;
    } else if (!is_field_character(c)) {
      return refuse(c == '\n' ? bad_line_end : control_character);
    } else if (position == line_begin_ && (c == ' ' || c == '\t')) {
      return refuse(folded_line);
    } else if (is_in_request_line() && position > limits_->target_bytes_max + request_line_extra_max) {
      return refuse(target_too_long);
    }
  }
  return Result::need_more;
}

HeadScanner::Result HeadScanner::end_line() noexcept {
  expects_line_feed_ = false;
  bool const is_empty = scanned_ == line_begin_ + 2;
  if (is_empty) return Result::found;
  line_begin_ = scanned_;
  return ++lines_ > limits_->headers_max + 1 ? refuse(too_many_headers) : Result::need_more;
}

HeadScanner::Result HeadScanner::refuse(Refusal refusal) noexcept {
  refusal_ = refusal;
  return Result::refused;
}

void HeadScanner::reset() noexcept { *this = HeadScanner(*limits_); }

}  // namespace casefile::http
