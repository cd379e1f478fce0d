#include "belay/pool/detail/context_door.hpp"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/query.hpp>

namespace belay::pool::detail {

namespace asio = boost::asio;

namespace {

/// Keeps a context's door and learns of the context's end: services end in the reverse order of their making, so this
/// one ends before the queues do.
class DoorKeeper final : public asio::execution_context::service {
 public:
  static asio::execution_context::id id;

  explicit DoorKeeper(asio::execution_context& context) : service(context) {}

  std::shared_ptr<ContextDoor> const& door() const noexcept { return door_; }

 private:
  void shutdown() noexcept override { door_->close(); }

  std::shared_ptr<ContextDoor> door_ = std::make_shared<ContextDoor>();
};

asio::execution_context::id DoorKeeper::id;

}  // namespace

std::shared_ptr<ContextDoor> ContextDoor::of(asio::any_io_executor const& executor) {
  return asio::use_service<DoorKeeper>(asio::query(executor, asio::execution::context)).door();
}

void ContextDoor::close() noexcept {
  std::lock_guard const lock(mutex_);
  is_closed_ = true;
}

}  // namespace belay::pool::detail
