// The only file that sees Beast: its message parser, fed with bytes we hold, without any of its I/O.
#include "apps/casefile/http/request_parser.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <boost/beast/http/basic_parser.hpp>

#include "apps/casefile/http/target.hpp"
#include "apps/casefile/http/text.hpp"

namespace casefile::http {

namespace {

namespace beast = boost::beast;
using beast::http::field;
using BeastError = beast::error_code;

constexpr Refusal malformed{400, "The request is malformed"};
constexpr Refusal malformed_body{400, "The chunked body is malformed"};
constexpr Refusal bad_length{400, "Content-Length must be given once, as a decimal number"};
constexpr Refusal ambiguous_length{400, "Content-Length and Transfer-Encoding exclude each other"};
constexpr Refusal unknown_coding{501, "The only transfer coding understood is chunked"};
constexpr Refusal bad_coding{400, "Transfer-Encoding must be given once, by an HTTP/1.1 client"};
constexpr Refusal bad_host{400, "An HTTP/1.1 request must have one valid Host header"};
constexpr Refusal target_too_long{414, "The request target is too long"};
constexpr Refusal unknown_expectation{417, "The only expectation understood is 100-continue"};
constexpr Refusal body_too_large{413, "The request body is too large"};
constexpr Refusal unknown_version{505, "The HTTP versions understood are 1.0 and 1.1"};

/// What is reserved for a body before any of it has come; a larger one must prove itself by arriving.
constexpr std::uint64_t trusted_body_bytes = 64 * 1024;

/// What ends a chunked body at the least: "0\r\n\r\n".
constexpr std::size_t last_chunk_bytes_min = 5;

bool is_host(std::string_view host) noexcept {
  for (char const c : host) {
    if (!is_alphanumeric(c) &&
        (c == '\0' || std::string_view("-._~!$&'()*+;=%:[]").find(c) == std::string_view::npos)) {
      return false;
    }
  }
  return true;
}

std::optional<std::uint64_t> length_in(std::string_view text) noexcept {
  constexpr std::size_t digits_max = 18;  // more would not fit, and nobody has that much
  if (text.empty() || text.size() > digits_max) return std::nullopt;
  std::uint64_t length = 0;
  for (char const c : text) {
    if (!is_digit(c)) return std::nullopt;
    length = length * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return length;
}

/// Whether the request line is well-formed but for its version, which is one of HTTP's if not one of ours.
bool names_a_version(std::string_view head) noexcept {
  auto const line = head.substr(0, head.find("\r\n"));
  auto const target_end = line.rfind(' ');
  if (std::count(line.begin(), line.end(), ' ') != 2) return false;
  auto const version = line.substr(target_end + 1);
  return version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) && version[6] == '.' &&
         is_digit(version[7]);
}

}  // namespace

/// One message: Beast calls the functions in the order of its parts; a refusal ends the parse.
class RequestParser::Message final : public beast::http::basic_parser<true> {
 public:
  Message(Limits const& limits, Request& request) : limits_(limits), request_(request) {
    body_limit(boost::none);                                  // ours tells apart what may be thrown away
    header_limit(std::numeric_limits<std::uint32_t>::max());  // HeadScanner has counted
    eager(true);
  }

  std::optional<Refusal> const& refusal() const noexcept { return refusal_; }
  bool is_too_large() const noexcept { return is_too_large_; }
  bool expects_continue() const noexcept { return expects_continue_; }
  bool is_http_1_0() const noexcept { return version_ == 10; }

 private:
  void refuse(Refusal refusal, BeastError& error) {
    refusal_ = refusal;
    error = beast::http::error::bad_value;  // any: it makes Beast stop
  }

  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                       BeastError& error) override {
    version_ = version;
    request_.method.assign(method.data(), method.size());
    if (target.size() > limits_.target_bytes_max) return refuse(target_too_long, error);
    auto const bad = read_target({target.data(), target.size()}, limits_.query_pairs_max, request_);
    if (bad) refuse(*bad, error);
  }

  void on_field_impl(field known, beast::string_view name, beast::string_view text, BeastError& error) override {
    if (is_head_done_) return;  // trailers must not pass for headers (RFC 9110, section 6.5.1)
    std::string_view const value(text.data(), text.size());
    request_.headers.add({name.data(), name.size()}, value);
    switch (known) {
      case field::content_length:
        if (std::exchange(has_length_, true) || !length_in(value)) refuse(bad_length, error);
        break;
      case field::transfer_encoding:
        if (std::exchange(has_coding_, true) || is_http_1_0()) return refuse(bad_coding, error);
        if (!equal_ignoring_case(value, "chunked")) refuse(unknown_coding, error);
        break;
      case field::host:
        if (++hosts_ > 1 || !is_host(value)) refuse(bad_host, error);
        break;
      case field::expect:
        if (is_http_1_0()) break;  // such a client cannot mean it (RFC 9110, section 10.1.1)
        if (!equal_ignoring_case(value, "100-continue")) return refuse(unknown_expectation, error);
        expects_continue_ = true;
        break;
      default: break;
    }
  }

  void on_header_impl(BeastError& error) override {
    is_head_done_ = true;
    if (has_length_ && has_coding_) return refuse(ambiguous_length, error);
    if (hosts_ == 0 && !is_http_1_0()) return refuse(bad_host, error);
    auto const length = content_length().value_or(0);
    auto const is_worth_discarding = length <= limits_.body_bytes_max + limits_.discard_bytes_max && !expects_continue_;
    if (length <= limits_.body_bytes_max) {
      request_.body.reserve(static_cast<std::size_t>(std::min(length, trusted_body_bytes)));
    } else if (is_worth_discarding) {
      is_too_large_ = true;
    } else {
      refuse(body_too_large, error);
    }
  }

  void on_body_init_impl(boost::optional<std::uint64_t> const&, BeastError&) override {}
  void on_chunk_header_impl(std::uint64_t, beast::string_view, BeastError&) override {}
  void on_finish_impl(BeastError&) override {}

  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view piece, BeastError& error) override {
    return on_body_impl(piece, error);
  }

  std::size_t on_body_impl(beast::string_view piece, BeastError& error) override {
    body_bytes_ += piece.size();
    if (body_bytes_ > limits_.body_bytes_max) is_too_large_ = true;
    if (body_bytes_ > limits_.body_bytes_max + limits_.discard_bytes_max) {
      refuse(body_too_large, error);
    } else if (is_too_large_) {
      request_.body.clear();
    } else {
      request_.body.append(piece.data(), piece.size());
    }
    return piece.size();
  }

  void on_response_impl(int, beast::string_view, int, BeastError&) override {}

  Limits const& limits_;
  Request& request_;
  std::optional<Refusal> refusal_;
  int version_ = 11;
  int hosts_ = 0;
  bool has_length_ = false;
  bool has_coding_ = false;
  bool expects_continue_ = false;
  bool is_head_done_ = false;
  bool is_too_large_ = false;
  std::uint64_t body_bytes_ = 0;
};

RequestParser::RequestParser(Limits const& limits) : limits_(limits), scanner_(limits) {}

RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  scanner_.reset();
  message_.reset();
  state_ = State::head;
  request_.clear();
  refusal_ = Refusal();
}

std::size_t RequestParser::feed(std::string_view bytes) {
  std::size_t used = 0;
  if (state_ == State::head) used = feed_head(bytes);
  if (state_ == State::body) used += feed_body(bytes.substr(used));
  return used;
}

std::size_t RequestParser::feed_head(std::string_view bytes) {
  std::size_t begin = 0;
  if (scanner_.size() == 0) {  // empty lines between requests are what some old clients send
    while (bytes.substr(begin, 2) == "\r\n") begin += 2;
  }
  auto const rest = bytes.substr(begin);
  if (rest.empty() || rest == "\r") return begin;
  auto const result = scanner_.scan(rest);
  if (result == HeadScanner::Result::refused) refuse(scanner_.refusal());
  if (result != HeadScanner::Result::found) return begin;

  auto const head = rest.substr(0, scanner_.size());
  message_ = std::make_unique<Message>(limits_, request_);
  BeastError error;
  message_->put(boost::asio::const_buffer(head.data(), head.size()), error);
  if (message_->refusal()) {
    refuse(*message_->refusal());
  } else if (error == beast::http::error::bad_version && names_a_version(head)) {
    refuse(unknown_version);
  } else if (error == beast::http::error::bad_content_length || error == beast::http::error::multiple_content_length) {
    refuse(bad_length);
  } else if (error || !message_->is_header_done()) {
    refuse(malformed);
  } else {
    state_ = message_->is_done() ? State::complete : State::body;
  }
  return begin + head.size();
}

std::size_t RequestParser::feed_body(std::string_view bytes) {
  if (bytes.empty()) return 0;
  // Beast (1.81) asserts that a last chunk it comes back to has all these bytes, though "0\r\n" may come alone.
  if (message_->chunked() && bytes.front() == '0' && bytes.size() < last_chunk_bytes_min) return 0;
  BeastError error;
  auto const used = message_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (message_->refusal()) {
    refuse(*message_->refusal());
  } else if (error && error != beast::http::error::need_more) {
    refuse(malformed_body);
  } else if (message_->is_done()) {
    if (is_too_large()) refusal_ = body_too_large;
    state_ = State::complete;
  }
  return used;
}

void RequestParser::refuse(Refusal refusal) noexcept {
  refusal_ = refusal;
  state_ = State::refused;
}

bool RequestParser::is_too_large() const noexcept { return message_ && message_->is_too_large(); }
bool RequestParser::keeps_alive() const noexcept {
  return message_ && message_->is_header_done() && message_->keep_alive();
}
bool RequestParser::is_http_1_0() const noexcept { return message_ && message_->is_http_1_0(); }
bool RequestParser::expects_continue() const noexcept { return message_ && message_->expects_continue(); }

}  // namespace casefile::http
