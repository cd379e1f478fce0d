#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "apps/casefile/http/service.hpp"
#include "apps/casefile/http/session.hpp"
#include "belay/net/byte_stream.hpp"

namespace casefile::http {

/// One client's connection: does for a Session what it asks, over a ByteStream. Everything on the stream's executor.
class Connection {
 public:
  using time_point = Session::time_point;

  /// The services must outlive the connection. `peer` is the client's address as it is told to handlers and the log.
  Connection(Service&, ThreadService&, std::unique_ptr<belay::net::ByteStream>, std::string peer, time_point now);

  /// Serves until the connection is over. Once only; the connection must outlive it.
  boost::asio::awaitable<void> serve();
  /// To be bound to serve(): what stop() cancels the handler by.
  boost::asio::cancellation_slot stop_slot() noexcept { return stop_.slot(); }

  /// Instead of a first request: there are too many connections.
  void turn_away() { session_.turn_away({503, "The server has too many connections"}); }
  /// Ends what is overdue.
  void sweep(time_point now);
  /// Lets what goes on come to its end, then closes.
  void drain();
  /// Cuts the connection and cancels its handler.
  void stop();

 private:
  enum class Pending { nothing, read, write };

  boost::asio::awaitable<void> read();
  boost::asio::awaitable<void> write();
  boost::asio::awaitable<void> shut_down();
  boost::asio::awaitable<void> handle();
  void refuse();
  /// Gives the request its id and its peer.
  void identify(Request&);
  void answer(Response, time_point arrived);
  void log(Request const&, unsigned status, std::uint64_t body_bytes, std::chrono::nanoseconds duration) const noexcept;

  Service& service_;
  ThreadService& thread_;
  std::unique_ptr<belay::net::ByteStream> stream_;
  std::string peer_;
  Session session_;
  Pending pending_ = Pending::nothing;
  bool is_draining_ = false;
  boost::asio::cancellation_signal interrupt_read_;
  boost::asio::cancellation_signal stop_;
};

}  // namespace casefile::http
