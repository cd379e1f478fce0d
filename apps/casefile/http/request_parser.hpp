#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "apps/casefile/http/head_scanner.hpp"
#include "apps/casefile/http/limits.hpp"
#include "apps/casefile/http/refusal.hpp"
#include "apps/casefile/http/request.hpp"

namespace casefile::http {

/// Turns bytes into one Request after the other. Knows the syntax and the rules of RFC 9112; no I/O, no clock.
class RequestParser {
 public:
  explicit RequestParser(Limits const&);
  ~RequestParser();
  RequestParser(RequestParser const&) = delete;
  RequestParser& operator=(RequestParser const&) = delete;

  enum class State {
    head,      ///< waits for the rest of the head
    body,      ///< the head is known, waits for the rest of the body
    complete,  ///< request() is whole
    refused    ///< refusal() says why; nothing more can be read from this connection
  };
  State state() const noexcept { return state_; }

  /// Whether anything of a request has come, empty lines before it apart.
  bool has_begun() const noexcept { return state_ != State::head || scanner_.size() > 0; }

  /// Takes bytes and returns how many it has used up; the rest must come again, with more behind it. Stops at the end
  /// of a request. State head or body on entry.
  std::size_t feed(std::string_view bytes);
  /// Makes ready for the next request; only what was fed of it so far is forgotten.
  void reset();

  Request& request() noexcept { return request_; }
  Refusal const& refusal() const noexcept { return refusal_; }
  /// Set when the body was too large and has been thrown away: the request is complete but must be answered with this.
  bool is_too_large() const noexcept;

  /// Once the head is known:
  bool keeps_alive() const noexcept;
  bool is_http_1_0() const noexcept;
  /// The client waits for a "100 Continue" before it sends the body.
  bool expects_continue() const noexcept;

 private:
  class Message;

  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_body(std::string_view bytes);
  void refuse(Refusal refusal) noexcept;

  Limits const& limits_;
  HeadScanner scanner_;
  std::unique_ptr<Message> message_;
  State state_ = State::head;
  Request request_;
  Refusal refusal_;
};

}  // namespace casefile::http
