#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "apps/casefile/http/access_log.hpp"
#include "apps/casefile/http/limits.hpp"
#include "apps/casefile/http/request.hpp"
#include "apps/casefile/http/response.hpp"
#include "belay/core/deadline.hpp"

namespace casefile::http {

/// Answers a request. Runs on the connection's executor; the request outlives the coroutine. What it throws goes to
/// the ErrorHandler. It is cancelled when the server stops, and must end then or within a deadline of its own.
using Handler = std::function<boost::asio::awaitable<Response>(Request&)>;

/// Turns what a handler threw into the answer. Called from any of the server's threads; when it throws itself, the
/// client gets a plain 500.
using ErrorHandler = std::function<Response(std::exception_ptr, Request const&)>;

/// Gives the answers the server and the router make by themselves (malformed, too large, unknown route) the
/// application's shape. `type` is always "HTTPException". Called from any of the server's threads.
using PlainError = std::function<Response(unsigned status, std::string_view type, std::string_view message)>;

/// {"error":{"message":…,"type":…}}: the PlainError used where the application gives none.
Response default_plain_error(unsigned status, std::string_view type, std::string_view message);

struct Options : Limits {
  /// Each "host:port", IPv6 in brackets; a name is resolved and all its addresses are listened on. Port 0 takes a
  /// free one.
  std::vector<std::string> listen = {"127.0.0.1:8000"};
  unsigned threads = 0;  ///< 0 for one a core
  /// Client connections at once. One more is accepted, answered 503 and closed, so that the client learns why.
  std::size_t connections_max = 4096;
  /// Requests whose handlers run at once; one more is answered 503 with Retry-After, its connection lives on.
  std::size_t requests_max = 4096;
  int backlog = 1024;  ///< connections the kernel holds before they are accepted
  /// How often overdue connections are looked for: what every time-out may be late by. No request arms a timer.
  std::chrono::milliseconds sweep_interval = std::chrono::milliseconds(100);
};

/// An HTTP/1.1 server: RFC 9110 and 9112 with keep-alive, pipelining and chunked request bodies; no TLS, no upgrade.
///
/// Each thread ("http-0", "http-1" …) has its own executor; a connection is given to one of them in turn and stays
/// there. All functions may be called from any thread but those of the server itself.
class Server {
 public:
  Server(Options, Handler);
  Server(Options, Handler, ErrorHandler, PlainError = PlainError(), AccessLog = AccessLog());
  /// Stops and joins.
  ~Server();
  Server(Server const&) = delete;
  Server& operator=(Server const&) = delete;

  /// Binds all addresses, then serves. Throws belay::Error that names the address which could not be bound and what
  /// to do about it; nothing is served then. Once only.
  void start();
  /// Where it listens, with the real ports: "127.0.0.1:41873", "[::1]:8000". Empty before start().
  std::vector<std::string> const& addresses() const;
  std::size_t connections() const;

  /// Ends in good order: accepts no more, closes idle connections, lets requests in flight finish with
  /// "Connection: close"; returns when all are gone. At the deadline those that are left are cut and their handlers
  /// cancelled.
  void drain(belay::Deadline);
  /// Cuts all connections and cancels their handlers. Does not wait. Idempotent.
  void stop();
  /// Waits until stop() or drain() has ended all threads. Idempotent. A handler that neither ends nor heeds
  /// cancellation keeps it waiting: its frame must not be destroyed under an operation that still refers to it.
  void join();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace casefile::http
