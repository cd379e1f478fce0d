#include "belay/pool/detail/parked_call.hpp"

#include <utility>

#include "belay/pool/detail/pool_shell.hpp"

namespace belay::pool::detail {

void ParkedCall::prepare(boost::asio::any_io_executor executor) { shell_->prepare(*this, std::move(executor)); }

void ParkedCall::park(Handler handler) {
  auto slot = boost::asio::get_associated_cancellation_slot(handler);
  if (slot.is_connected()) {
    slot.assign([this](boost::asio::cancellation_type) { shell_->cancel(*this); });
  }
  shell_->park(*this, std::move(handler));
}

bool AcquireCall::enter() { return shell_->acquire(*this); }

bool AcquireCall::accept() { return shell_->accept(*this); }

bool AcquireCall::try_enter() { return shell_->try_acquire(*this); }

void AcquireCall::leave() noexcept { shell_->leave(*this); }

bool AcquireCall::cancel(Deadline::time_point now, Actions& actions) noexcept {
  return shell_->withdraw(*this, now, actions);
}

CloseCall::Outcome CloseCall::look() { return shell_->look(*this); }

void CloseCall::leave() noexcept { shell_->leave(*this); }

bool CloseCall::cancel(Deadline::time_point, Actions&) noexcept { return true; }

}  // namespace belay::pool::detail
