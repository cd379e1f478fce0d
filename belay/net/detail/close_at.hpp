#pragma once

#include <memory>

#include <boost/asio/steady_timer.hpp>

#include "belay/core/deadline.hpp"
#include "belay/net/byte_stream.hpp"

namespace belay::net::detail {

/// Closes a stream at a deadline, as long as this lives: for exchanges after whose half the stream is of no use anyway.
/// The stream must live as long. Not thread-safe.
class CloseAt {
 public:
  CloseAt(ByteStream&, Deadline);

  /// Whether the deadline came: the reason of an operation's failure.
  bool has_closed() const noexcept { return watch_->has_closed; }

 private:
  struct Watch {
    ByteStream& stream;
    bool has_closed;
  };
  std::shared_ptr<Watch> watch_;
  boost::asio::steady_timer timer_;
};

}  // namespace belay::net::detail
