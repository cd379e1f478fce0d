#include "belay/net/detail/close_at.hpp"

#include <boost/system/error_code.hpp>

namespace belay::net::detail {

CloseAt::CloseAt(ByteStream& stream, Deadline deadline)
    : watch_(std::make_shared<Watch>(Watch{stream, false})), timer_(stream.get_executor(), deadline.at()) {
  if (deadline.is_never()) return;
  // Weak: the timer may have fired and its handler be queued when we are gone.
  timer_.async_wait([weak = std::weak_ptr<Watch>(watch_)](boost::system::error_code stopped) {
    auto const watch = weak.lock();
    if (stopped || !watch) return;
    watch->has_closed = true;
    watch->stream.close();
  });
}

}  // namespace belay::net::detail
