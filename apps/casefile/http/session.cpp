#include "apps/casefile/http/session.hpp"

#include <algorithm>
#include <utility>

#include "apps/casefile/http/response_writer.hpp"

namespace casefile::http {

namespace {

constexpr Refusal head_too_slow{408, "The request headers did not arrive in time"};
constexpr Refusal body_too_slow{408, "The request body did not arrive in time"};
constexpr Refusal cut_short{400, "The connection ended inside the request"};
constexpr Refusal part_too_long{400, "A chunk's header or the trailers are too long"};

/// A body up to this size goes into one buffer with its head; copying it is cheaper than a second piece.
constexpr std::size_t body_copied_max = 16 * 1024;
/// What a client may need to take an answer beyond write_timeout.
constexpr std::size_t write_bytes_per_second_min = 64 * 1024;

/// How long and how much is read after the last answer, so that closing does not reset the connection before the
/// client has read it (RFC 9112, section 9.6).
constexpr std::chrono::seconds linger_timeout{1};
constexpr std::size_t linger_bytes_max = 256 * 1024;

/// Chunk headers and trailers must fit into the buffer as well, however small the head may be.
std::size_t input_bytes_max(Limits const& limits) noexcept {
  return std::max<std::size_t>(limits.head_bytes_max, 4096) + 1024;
}

}  // namespace

Session::Session(Limits const& limits, time_point now)
    : limits_(limits), parser_(limits), input_(input_bytes_max(limits)), deadline_(now + limits.head_timeout) {}

Session::Step Session::step() const noexcept {
  if (phase_ == Phase::closed) return Step::close;
  if (has_output()) return Step::write;
  switch (phase_) {  // no default: the compiler reports a missing enumerator
    case Phase::handling: return Step::handle;
    case Phase::refusing: return Step::refuse;
    case Phase::ending: return Step::shut_down;
    case Phase::fresh:
    case Phase::idle:
    case Phase::head:
    case Phase::body:
    case Phase::lingering: return Step::read;
    case Phase::closed: return Step::close;
  }
  return Step::close;
}

std::span<char> Session::room() {
  if (phase_ == Phase::lingering) input_.consume(input_.bytes().size());
  return input_.room();
}

void Session::received(std::size_t bytes, time_point now) {
  if (phase_ == Phase::lingering) {
    lingered_ += bytes;
    if (lingered_ > linger_bytes_max) phase_ = Phase::closed;
    return;
  }
  input_.commit(bytes);
  parse(now);
}

void Session::input_ended(time_point now) {
  has_input_ended_ = true;
  bool const is_inside_request = phase_ == Phase::head || phase_ == Phase::body;
  if (is_inside_request) return refuse(cut_short);
  enter(Phase::closed, now);
}

void Session::parse(time_point now) {
  input_.consume(parser_.feed(input_.bytes()));
  switch (parser_.state()) {  // no default: the compiler reports a missing enumerator
    case RequestParser::State::head:
      if (parser_.has_begun() && phase_ != Phase::head) enter(Phase::head, now + limits_.head_timeout);
      return;
    case RequestParser::State::body:
      if (input_.is_full()) return refuse(part_too_long);
      if (phase_ == Phase::body) return;
      enter(Phase::body, now + limits_.body_timeout);
      if (parser_.expects_continue() && input_.empty()) head_ = "HTTP/1.1 100 Continue\r\n\r\n";
      return;
    case RequestParser::State::complete:
      closes_ = !parser_.keeps_alive();
      is_head_request_ = parser_.request().method == "HEAD";
      if (parser_.is_too_large()) refusal_ = parser_.refusal();
      enter(parser_.is_too_large() ? Phase::refusing : Phase::handling, time_point::max());
      return;
    case RequestParser::State::refused: return refuse(parser_.refusal());
  }
}

void Session::enter(Phase phase, time_point deadline) noexcept {
  phase_ = phase;
  deadline_ = deadline;
}

void Session::refuse(Refusal refusal) {
  refusal_ = refusal;
  closes_ = true;
  has_unread_input_ = true;
  is_head_request_ = parser_.request().method == "HEAD";
  enter(Phase::refusing, time_point::max());
}

void Session::turn_away(Refusal refusal) { refuse(refusal); }

bool Session::try_respond(Response& response, std::string_view request_id, std::string_view date, time_point now) {
  if (problem_with(response)) return false;
  if (is_draining_ && !closes_) closes_ = has_unread_input_ = true;
  Envelope envelope;
  envelope.date = date;
  envelope.request_id = request_id;
  envelope.closes = closes_;
  envelope.is_http_1_0 = parser_.is_http_1_0();
  append_head(head_, response, envelope);
  if (may_have_body(response.status) && !is_head_request_) {
    if (response.body.size() <= body_copied_max) {
      head_ += response.body;
    } else {
      body_ = std::move(response.body);
    }
  }
  std::chrono::seconds const extra(body_.size() / write_bytes_per_second_min);
  enter(closes_ ? Phase::ending : Phase::idle, now + limits_.write_timeout + extra);
  return true;
}

std::array<std::string_view, 2> Session::output() const noexcept {
  auto const head_sent = std::min(sent_, head_.size());
  return {std::string_view(head_).substr(head_sent), std::string_view(body_).substr(sent_ - head_sent)};
}

void Session::written(std::size_t bytes, time_point now) {
  sent_ += bytes;
  if (!has_output()) finish_output(now);
}

void Session::finish_output(time_point now) {
  head_.clear();
  body_ = std::string();
  sent_ = 0;
  if (phase_ == Phase::ending) return end(now);
  if (phase_ != Phase::idle) return;  // it was a "100 Continue"
  parser_.reset();
  enter(Phase::idle, now + limits_.idle_timeout);
  if (!input_.empty()) parse(now);
}

/// Without anything unread a plain close is in good order and saves the waiting.
void Session::end(time_point now) {
  bool const must_linger = (has_unread_input_ || !input_.empty()) && !has_input_ended_;
  enter(must_linger ? Phase::ending : Phase::closed, now + linger_timeout);
}

void Session::was_shut_down(time_point now) { enter(Phase::lingering, now + linger_timeout); }

void Session::expire(time_point now) {
  if (now < deadline_) return;
  if (has_output()) return enter(Phase::closed, now);
  switch (phase_) {  // no default: the compiler reports a missing enumerator
    case Phase::head: return refuse(head_too_slow);
    case Phase::body: return refuse(body_too_slow);
    case Phase::fresh:
    case Phase::idle:
    case Phase::ending:
    case Phase::lingering: return enter(Phase::closed, now);
    case Phase::handling:
    case Phase::refusing:
    case Phase::closed: return;
  }
}

void Session::drain() noexcept {
  is_draining_ = true;
  if (phase_ != Phase::fresh && phase_ != Phase::idle) return;
  if (!has_output()) {
    phase_ = Phase::closed;
    return;
  }
  phase_ = Phase::ending;  // the answer that is on its way did not say so: let the client read it in peace
  has_unread_input_ = true;
}

}  // namespace casefile::http
