#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/awaitable.hpp>

#include "belay/core/await_safe.hpp"
#include "belay/core/deadline.hpp"
#include "belay/net/byte_stream.hpp"
#include "belay/net/http_message.hpp"

namespace belay::net {

/// An HTTP/1.1 client on one connection: one exchange after the other, as long as both sides keep it alive.
///
/// What it does not do: redirects, cookies, authentication, proxies, content codings, pipelining, upgrades, "Expect:
/// 100-continue". A status is never an Error; 4xx and 5xx are answers like others.
///
/// After a failed exchange, of whatever kind, the connection is closed: what is still to come on it would be taken for
/// the answer to the next request. Threads: one at a time, on the stream's executor.
class HttpClient {
 public:
  /// Takes a body piece by piece, each valid during the call. The next is read when it has returned; what it throws
  /// ends the exchange and comes out of it.
  using Sink = std::function<boost::asio::awaitable<void>(std::string_view)>;

  /// `host` is for the Host header and for sentences: "db.example.com:8000". Throws Error(request) when it is none, or
  /// a limit is out of its range.
  HttpClient(std::unique_ptr<ByteStream>, std::string host, HttpLimits = HttpLimits());
  /// Closes the connection; an exchange that is running ends as cancelled.
  ~HttpClient();
  HttpClient(HttpClient const&) = delete;
  HttpClient& operator=(HttpClient const&) = delete;

  /// Sends a request and reads its answer, all before the deadline.
  ///
  /// Throws belay::Error: request (never sent) for what cannot be a request, or while another exchange runs;
  /// timeout_local at the deadline; cancelled; capacity when the answer exceeds HttpLimits; protocol when it is none;
  /// transport when the connection breaks, or has ended before. Send state: never_sent until the first byte has been
  /// taken by the connection, unknown from then on, executed when the answer was known and only its body too large.
  /// The detail "status" is that of an answer whose head had come.
  ///
  /// An answer that comes while the request is still being sent (413, say) is returned as any other.
  boost::asio::awaitable<HttpResponse> exchange(HttpRequest, Deadline);

  /// The same, but the body of a 2xx answer goes to the sink as it comes; that of any other is collected. The time the
  /// sink takes counts, but at the deadline it is not interrupted: its own waits need one. A named lambda, or one that
  /// owns nothing: see AwaitSafe.
  boost::asio::awaitable<HttpResponse> exchange_streamed(HttpRequest, Sink, Deadline);
  template <AwaitSafe F>
  boost::asio::awaitable<HttpResponse> exchange(HttpRequest request, F&& sink, Deadline deadline) {
    return exchange_streamed(std::move(request), Sink(std::forward<F>(sink)), deadline);
  }

  /// Waits, between two exchanges, until the server ends the connection or says what nobody asked for; then closes it
  /// and returns. To be cancelled, and waited for, before the next exchange: throws Error(cancelled) then, and the
  /// connection is as good as before.
  boost::asio::awaitable<void> watch_idle();

  /// Whether another exchange may be tried. False during an exchange, after Connection: close, an HTTP/1.0 answer
  /// without keep-alive, a body that only the end of the connection ended, bytes behind an answer, and any failure.
  bool is_reusable() const noexcept;
  void close() noexcept;

 private:
  class Connection;
  std::shared_ptr<Connection> connection_;  ///< shared with what runs on it
};

}  // namespace belay::net
