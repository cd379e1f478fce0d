#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "apps/casefile/http/input_buffer.hpp"
#include "apps/casefile/http/limits.hpp"
#include "apps/casefile/http/refusal.hpp"
#include "apps/casefile/http/request.hpp"
#include "apps/casefile/http/request_parser.hpp"
#include "apps/casefile/http/response.hpp"

namespace casefile::http {

/// One HTTP/1.1 connection as pure state: bytes and answers in, requests and bytes out. No I/O, no clock, no thread.
///
///     fresh ──byte──> head ──> body ──> answering ──respond()──> output ──> idle ──byte──> head …
///       any of them ──the connection is to end──> output ──> lingering ──> closed
///
/// The owner looks at step(), does what it says and tells the result: read into room() and received() or
/// input_ended(), handle request() or refusal() and respond(), write output() and written(), and so on until close.
/// Requests are answered one after the other; what a client sends ahead waits in a bounded buffer and then in the
/// kernel's. Time-outs: when deadline() has passed, call expire() and look at step() again.
class Session {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  /// The limits must outlive the session.
  Session(Limits const&, time_point now);

  enum class Step {
    read,       ///< the peer's bytes are wanted
    handle,     ///< request() wants an answer
    refuse,     ///< refusal() wants to be put into an answer
    write,      ///< output() is to be sent
    shut_down,  ///< our direction is to be ended in good order, then was_shut_down()
    close       ///< the connection is over
  };
  Step step() const noexcept;

  /// Where to read to; never empty when step() is read. Valid until the next call.
  std::span<char> room();
  void received(std::size_t bytes, time_point now);
  /// The peer ended its direction.
  void input_ended(time_point now);
  /// The connection broke: whatever was going on, it is over.
  void broke() noexcept { phase_ = Phase::closed; }

  /// When step() is handle. The owner fills in id and peer; the handler may change it as it likes.
  Request& request() noexcept { return parser_.request(); }
  /// When step() is refuse.
  Refusal const& refusal() const noexcept { return refusal_; }

  /// Answers what step() asked for. False, and nothing has changed, when the response must not be sent (see
  /// problem_with()). `request_id` is echoed.
  [[nodiscard]] bool try_respond(Response&, std::string_view request_id, std::string_view date, time_point now);

  /// What to send, in this order. Valid until written().
  std::array<std::string_view, 2> output() const noexcept;
  /// `bytes` of it have been sent.
  void written(std::size_t bytes, time_point now);
  void was_shut_down(time_point now);

  /// When the phase the connection is in ends at the latest; time_point::max() while a handler runs.
  time_point deadline() const noexcept { return deadline_; }
  /// Does nothing before the deadline.
  void expire(time_point now);

  /// The server is going away: an idle connection is over, any other ends with the answer it is about.
  void drain() noexcept;
  /// Refuses a connection before it has said anything.
  void turn_away(Refusal);

 private:
  enum class Phase { fresh, idle, head, body, handling, refusing, ending, lingering, closed };

  void parse(time_point now);
  void enter(Phase, time_point deadline) noexcept;
  void refuse(Refusal);
  void finish_output(time_point now);
  void end(time_point now);
  bool has_output() const noexcept { return sent_ < head_.size() + body_.size(); }

  Limits const& limits_;
  RequestParser parser_;
  InputBuffer input_;
  Phase phase_ = Phase::fresh;
  time_point deadline_;
  Refusal refusal_;
  std::string head_;      ///< of an answer, with the body when it is small
  std::string body_;      ///< of an answer that is large
  std::size_t sent_ = 0;  ///< bytes of head_ and body_ that are out
  bool closes_ = false;   ///< the next answer is the last
  bool is_head_request_ = false;
  bool is_draining_ = false;
  bool has_input_ended_ = false;
  bool has_unread_input_ = false;  ///< closing now would reset the connection under the answer
  std::size_t lingered_ = 0;
};

}  // namespace casefile::http
