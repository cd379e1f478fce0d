// The only file that sees Beast: its message parser, fed with bytes we hold, without any of its I/O.
#include "belay/net/detail/response_parser.hpp"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include <boost/beast/http/basic_parser.hpp>

namespace belay::net::detail {

namespace {

namespace beast = boost::beast;
using beast::http::field;
using BeastError = beast::error_code;
using Refusal = ResponseParser::Refusal;

constexpr int interim_answers_max = 16;
/// What is reserved for a body before any of it has come; a larger one must prove itself by arriving.
constexpr std::uint64_t trusted_body_bytes = 64 * 1024;

constexpr Refusal violation(std::string_view sentence) noexcept {
  return {ErrorClass::protocol, SendState::unknown, sentence};
}
constexpr Refusal malformed = violation("its head is malformed");
constexpr Refusal malformed_body = violation("its chunked body is malformed");
constexpr Refusal bad_length = violation("its Content-Length is not one decimal number");
constexpr Refusal bad_coding = violation("its transfer coding is not chunked, once, by an HTTP/1.1 server");
constexpr Refusal ambiguous_length = violation("it has both Content-Length and Transfer-Encoding");
constexpr Refusal upgraded = violation("it switches protocols, which was not asked for");
constexpr Refusal chatter = violation("it is preceded by too many interim answers");
constexpr Refusal head_too_large{ErrorClass::capacity, SendState::unknown, "its head is larger than HttpLimits allow"};
constexpr Refusal body_too_large{ErrorClass::capacity, SendState::executed, "its body is larger than HttpLimits allow"};
constexpr Refusal no_answer{ErrorClass::transport, SendState::unknown, "the connection ended before it began"};
constexpr Refusal truncated{ErrorClass::transport, SendState::unknown, "the connection ended in the middle of it"};

bool is_decimal(std::string_view text) noexcept {
  constexpr std::size_t digits_max = 18;  // more would not fit, and nobody has that much
  return !text.empty() && text.size() <= digits_max &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool equal_ignoring_case(std::string_view text, std::string_view lower) noexcept {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b; });
}

}  // namespace

/// One message: Beast calls the functions in the order of its parts; a refusal ends the parse.
class ResponseParser::Message final : public beast::http::basic_parser<false> {
 public:
  Message(HttpLimits const& limits, Method method, Body body, HttpResponse& response)
      : limits_(limits), body_(body), response_(response) {
    body_limit(boost::none);                                  // ours depends on where the body goes
    header_limit(std::numeric_limits<std::uint32_t>::max());  // feed_head() has counted
    skip(method == Method::head);
    eager(true);
  }

  std::optional<Refusal> const& refusal() const noexcept { return refusal_; }
  bool is_streaming() const noexcept { return body_ == Body::streamed && response_.status / 100 == 2; }

 private:
  void refuse(Refusal refusal, BeastError& error) {
    refusal_ = refusal;
    error = beast::http::error::bad_value;  // any: it makes Beast stop
  }

  void on_response_impl(int status, beast::string_view, int version, BeastError& error) override {
    if (status < 100) return refuse(malformed, error);
    response_.status = status;
    is_http_1_0_ = version == 10;
  }

  void on_field_impl(field known, beast::string_view name, beast::string_view text, BeastError& error) override {
    if (is_head_done_) return;
    std::string_view const value(text.data(), text.size());
    if (response_.headers.size() == limits_.headers_max) return refuse(head_too_large, error);
    response_.headers.add({name.data(), name.size()}, std::string(value));
    if (known == field::content_length) {
      if (std::exchange(has_length_, true) || !is_decimal(value)) refuse(bad_length, error);
    } else if (known == field::transfer_encoding) {
      bool const is_understood = !is_http_1_0_ && equal_ignoring_case(value, "chunked");
      if (std::exchange(has_coding_, true) || !is_understood) refuse(bad_coding, error);
    }
  }

  void on_header_impl(BeastError& error) override {
    is_head_done_ = true;
    if (has_length_ && has_coding_) return refuse(ambiguous_length, error);
    if (is_done() || is_streaming()) return;  // without a body the length is that of another answer
    auto const length = content_length().value_or(0);
    if (length > limits_.body_bytes_max) return refuse(body_too_large, error);
    response_.body.reserve(static_cast<std::size_t>(std::min(length, trusted_body_bytes)));
  }

  std::size_t on_body_impl(beast::string_view piece, BeastError& error) override {
    body_bytes_ += piece.size();
    auto const bytes_max = is_streaming() ? limits_.streamed_bytes_max : limits_.body_bytes_max;
    if (bytes_max && body_bytes_ > *bytes_max) {
      refuse(body_too_large, error);
    } else {
      response_.body.append(piece.data(), piece.size());
    }
    return piece.size();
  }
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view piece, BeastError& error) override {
    return on_body_impl(piece, error);
  }

  void on_body_init_impl(boost::optional<std::uint64_t> const&, BeastError&) override {}
  void on_chunk_header_impl(std::uint64_t, beast::string_view, BeastError&) override {}
  void on_finish_impl(BeastError&) override {}
  void on_request_impl(beast::http::verb, beast::string_view, beast::string_view, int, BeastError&) override {}

  HttpLimits const& limits_;
  Body body_;
  HttpResponse& response_;
  std::optional<Refusal> refusal_;
  bool is_http_1_0_ = false;
  bool has_length_ = false;
  bool has_coding_ = false;
  bool is_head_done_ = false;
  std::uint64_t body_bytes_ = 0;
};

ResponseParser::ResponseParser(HttpLimits const& limits, Method method, Body body)
    : limits_(limits), method_(method), body_(body) {}

ResponseParser::~ResponseParser() = default;

bool ResponseParser::is_streaming() const noexcept { return message_ && message_->is_streaming(); }
bool ResponseParser::keeps_alive() const noexcept { return state_ == State::complete && message_->keep_alive(); }

std::size_t ResponseParser::feed(std::string_view bytes) {
  std::size_t used = 0;
  for (;;) {
    auto const rest = bytes.substr(used);
    std::size_t step = 0;
    if (state_ == State::head) {
      step = feed_head(rest);
    } else if (state_ == State::body) {
      step = feed_body(rest);
    }
    if (step == 0) return used;
    used += step;
  }
}

std::size_t ResponseParser::feed_head(std::string_view bytes) {
  constexpr std::string_view protocol = "HTTP/1.";
  constexpr std::string_view end_of_head = "\r\n\r\n";
  has_begun_ = has_begun_ || !bytes.empty();
  // Something else is speaking: no use in waiting until its words fill the buffer.
  if (bytes.substr(0, protocol.size()) != protocol.substr(0, bytes.size())) return refuse(malformed), 0;
  auto const end = bytes.find(end_of_head, scanned_);
  bool const is_found = end != std::string_view::npos;
  auto const size = is_found ? end + end_of_head.size() : bytes.size();
  if (size > limits_.head_bytes_max || (!is_found && size == limits_.head_bytes_max)) return refuse(head_too_large), 0;
  if (!is_found) {
    scanned_ = bytes.size() - std::min(bytes.size(), end_of_head.size() - 1);
    return 0;
  }
  scanned_ = 0;
  response_ = HttpResponse();
  message_ = std::make_unique<Message>(limits_, method_, body_, response_);
  BeastError error;
  message_->put(boost::asio::const_buffer(bytes.data(), size), error);
  if (message_->refusal()) {
    refuse(*message_->refusal());
  } else if (error == beast::http::error::bad_content_length || error == beast::http::error::multiple_content_length) {
    refuse(bad_length);
  } else if ((error && error != beast::http::error::need_more) || !message_->is_header_done()) {
    refuse(malformed);
  } else {
    finish_head();
  }
  return size;
}

void ResponseParser::finish_head() {
  if (response_.status == 101) return refuse(upgraded);
  if (response_.status / 100 != 1) {
    state_ = message_->is_done() ? State::complete : State::body;
    return;
  }
  response_ = HttpResponse();
  if (++interim_answers_ > interim_answers_max) refuse(chatter);
}

std::size_t ResponseParser::feed_body(std::string_view bytes) {
  // Beast 1.81 asserts that the last chunk's line does not come alone with one byte behind it. No chunked body is ever
  // complete with fewer bytes to come than "0\r\n\r\n".
  constexpr std::size_t last_chunk_bytes_min = 5;
  if (bytes.empty() || (message_->chunked() && bytes.size() < last_chunk_bytes_min)) return 0;
  BeastError error;
  auto const used = message_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (message_->refusal()) {
    refuse(*message_->refusal());
  } else if (error && error != beast::http::error::need_more) {
    refuse(malformed_body);
  } else if (message_->is_done()) {
    state_ = State::complete;
  }
  return used;
}

void ResponseParser::end_input() {
  if (state_ == State::head) return refuse(has_begun_ ? truncated : no_answer);
  if (state_ != State::body) return;
  if (!message_->need_eof()) return refuse(truncated);
  BeastError error;
  message_->put_eof(error);
  state_ = State::complete;
}

void ResponseParser::refuse(Refusal refusal) noexcept {
  refusal_ = refusal;
  state_ = State::refused;
}

}  // namespace belay::net::detail
