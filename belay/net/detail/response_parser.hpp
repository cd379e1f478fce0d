#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "belay/core/error.hpp"
#include "belay/net/http_message.hpp"

namespace belay::net::detail {

/// Turns bytes into the answer to one request. Knows the syntax and the rules of RFC 9112; no I/O, no clock.
///
/// Interim answers (100 Continue, 103 Early Hints) are passed over, 16 at most; an upgrade (101) is refused, because we
/// never ask for one. Trailers are dropped: they must not pass for headers (RFC 9110, section 6.5.1).
class ResponseParser {
 public:
  enum class Method { head, other };
  enum class Body { collected, streamed };

  /// Body::streamed: the body of a 2xx answer is taken away piece by piece, and has the limit for that.
  ResponseParser(HttpLimits const&, Method, Body);
  ~ResponseParser();
  ResponseParser(ResponseParser const&) = delete;
  ResponseParser& operator=(ResponseParser const&) = delete;

  enum class State {
    head,      ///< waits for the rest of the head
    body,      ///< the head is known, waits for the rest of the body
    complete,  ///< response() is whole
    refused    ///< refusal() says why; nothing more can be read from this connection
  };
  State state() const noexcept { return state_; }

  /// Why an answer is of no use, and what we know of the request's fate by then.
  struct Refusal {
    ErrorClass error_class = ErrorClass::protocol;
    SendState send_state = SendState::unknown;
    std::string_view sentence;
  };
  Refusal const& refusal() const noexcept { return refusal_; }

  /// Takes bytes and returns how many it has used up; the rest must come again, with more behind it. Stops at the end
  /// of the answer.
  std::size_t feed(std::string_view bytes);
  /// The connection has ended in good order: complete when that is what ends the body, else refused.
  void end_input();

  /// What has come of the answer so far. `body` may be taken out at any time.
  HttpResponse& response() noexcept { return response_; }
  HttpResponse const& response() const noexcept { return response_; }
  bool is_streaming() const noexcept;
  /// Once complete: whether another request may follow on this connection.
  bool keeps_alive() const noexcept;

 private:
  class Message;

  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  void finish_head();
  void refuse(Refusal refusal) noexcept;

  HttpLimits const& limits_;
  Method method_;
  Body body_;
  std::unique_ptr<Message> message_;
  State state_ = State::head;
  HttpResponse response_;
  Refusal refusal_;
  std::size_t scanned_ = 0;  ///< of the head: no end before
  bool has_begun_ = false;
  int interim_answers_ = 0;
};

}  // namespace belay::net::detail
