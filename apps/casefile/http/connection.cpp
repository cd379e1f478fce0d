#include "apps/casefile/http/connection.hpp"

#include <ctime>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belay/core/error.hpp"

namespace casefile::http {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

/// Counts a running handler, unless there are too many.
class RequestPermit {
 public:
  explicit RequestPermit(Service& service) noexcept
      : service_(service), is_granted_(service.requests.fetch_add(1) < service.options.requests_max) {}
  RequestPermit(RequestPermit const&) = delete;
  RequestPermit& operator=(RequestPermit const&) = delete;
  ~RequestPermit() { service_.requests.fetch_sub(1); }
  bool is_granted() const noexcept { return is_granted_; }

 private:
  Service& service_;
  bool is_granted_;
};

}  // namespace

Connection::Connection(Service& service, ThreadService& thread, std::unique_ptr<belay::net::ByteStream> stream,
                       std::string peer, time_point now)
    : service_(service),
      thread_(thread),
      stream_(std::move(stream)),
      peer_(std::move(peer)),
      session_(service.options, now) {}

asio::awaitable<void> Connection::serve() {
  for (;;) {
    if (is_draining_) session_.drain();
    switch (session_.step()) {  // no default: the compiler reports a missing enumerator
      case Session::Step::read: co_await read(); break;
      case Session::Step::write: co_await write(); break;
      case Session::Step::handle: co_await handle(); break;
      case Session::Step::refuse: refuse(); break;
      case Session::Step::shut_down: co_await shut_down(); break;
      case Session::Step::close: stream_->close(); co_return;
    }
  }
}

asio::awaitable<void> Connection::read() {
  auto const room = session_.room();
  error_code error;
  pending_ = Pending::read;
  auto const count = co_await stream_->async_read_some(
      asio::mutable_buffer(room.data(), room.size()),
      asio::bind_cancellation_slot(interrupt_read_.slot(), asio::redirect_error(asio::use_awaitable, error)));
  pending_ = Pending::nothing;
  auto const now = Clock::now();
  if (!error) {
    session_.received(count, now);
  } else if (error == asio::error::eof) {
    session_.input_ended(now);
  } else if (error == asio::error::operation_aborted && stream_->is_open()) {
    session_.expire(now);
  } else {
    session_.broke();
  }
}

asio::awaitable<void> Connection::write() {
  belay::net::ConstBuffers pieces;
  for (auto const piece : session_.output()) pieces.add(asio::const_buffer(piece.data(), piece.size()));
  error_code error;
  pending_ = Pending::write;
  auto const count = co_await stream_->async_write_some(pieces, asio::redirect_error(asio::use_awaitable, error));
  pending_ = Pending::nothing;
  if (error) {
    session_.broke();
  } else {
    session_.written(count, Clock::now());
  }
}

asio::awaitable<void> Connection::shut_down() {
  error_code error;
  pending_ = Pending::write;
  co_await stream_->async_shutdown(asio::redirect_error(asio::use_awaitable, error));
  pending_ = Pending::nothing;
  if (error) {
    session_.broke();
  } else {
    session_.was_shut_down(Clock::now());
  }
}

asio::awaitable<void> Connection::handle() {
  auto const arrived = Clock::now();
  auto& request = session_.request();
  identify(request);
  Response response;
  RequestPermit const permit(service_);
  if (permit.is_granted()) {
    std::exception_ptr failure;
    try {
      response = co_await service_.handler(request);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) response = service_.failure_response(std::move(failure), request);
  } else {
    response = service_.refusal_response(503, "The server is handling too many requests");
    response.headers.emplace_back("Retry-After", "1");
  }
  answer(std::move(response), arrived);
}

void Connection::refuse() {
  identify(session_.request());
  answer(service_.refusal_response(session_.refusal().status, session_.refusal().message), Clock::now());
}

void Connection::identify(Request& request) {
  request.peer = peer_;
  auto const given = request.header("X-Request-Id");
  if (is_acceptable_request_id(given)) {
    request.id = given;
  } else {
    thread_.ids.next(request.id);
  }
}

void Connection::answer(Response response, time_point arrived) {
  auto const& request = session_.request();
  auto const now = Clock::now();
  if (is_draining_) session_.drain();  // it began while the handler ran: the answer must say so
  auto const date = thread_.dates.at(std::time(nullptr));
  auto body_bytes = response.body.size();
  if (!session_.try_respond(response, request.id, date, now)) {
    auto const problem = problem_with(response).value_or("the response cannot be sent");
    response = service_.failure_response(
        std::make_exception_ptr(belay::Error(belay::ErrorClass::internal, belay::SendState::executed, problem)),
        request);
    body_bytes = response.body.size();
    if (!session_.try_respond(response, request.id, date, now)) {
      response = default_plain_error(500, "HTTPException", "Internal server error");
      body_bytes = response.body.size();
      (void)session_.try_respond(response, request.id, date, now);
    }
  }
  if (service_.access_log) log(request, response.status, body_bytes, now - arrived);
}

void Connection::log(Request const& request, unsigned status, std::uint64_t body_bytes,
                     std::chrono::nanoseconds duration) const noexcept {
  AccessRecord record;
  record.id = request.id;
  record.method = request.method;
  record.target = request.target;
  record.route = request.route;
  record.peer = peer_;
  record.status = status;
  record.body_bytes = body_bytes;
  record.duration = duration;
  try {
    service_.access_log(record);
  } catch (...) {
    return;  // the answer matters more than its line in the log
  }
}

void Connection::sweep(time_point now) {
  if (now < session_.deadline()) return;
  if (pending_ == Pending::read) interrupt_read_.emit(asio::cancellation_type::terminal);
  if (pending_ == Pending::write) stream_->close();
}

void Connection::drain() {
  is_draining_ = true;
  if (pending_ == Pending::read) interrupt_read_.emit(asio::cancellation_type::terminal);
}

void Connection::stop() {
  stream_->close();
  stop_.emit(asio::cancellation_type::terminal);
}

}  // namespace casefile::http
