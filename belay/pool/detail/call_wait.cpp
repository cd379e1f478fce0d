#include "belay/pool/detail/call_wait.hpp"

#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

namespace belay::pool::detail {

namespace asio = boost::asio;
using boost::system::error_code;

void CallWait::wake() noexcept {
  std::lock_guard const lock(mutex_);
  if (is_abandoned_ || std::exchange(is_woken_, true) || !is_parked_) return;
  door_->post(executor_, [self = shared_from_this()] { self->end_timer_.emit(asio::cancellation_type::terminal); });
}

asio::awaitable<CallWait::End> CallWait::wait(std::shared_ptr<CallWait> self, Deadline until, net::TimeService& time) {
  if (!self->park()) co_return End::news;
  auto const start = [&](auto handler) {
    auto caller = asio::get_associated_cancellation_slot(handler);
    if (caller.is_connected()) {
      caller.assign([call = self](asio::cancellation_type type) {
        call->is_cancelled_ = true;
        call->end_timer_.emit(type);
      });
    }
    time.async_wait_until(until.at(), asio::bind_cancellation_slot(self->end_timer_.slot(), std::move(handler)));
  };
  error_code ignored;  // what ended the wait is looked up, whatever the timer says
  auto token = asio::redirect_error(asio::use_awaitable, ignored);
  co_await asio::async_initiate<decltype(token), void(error_code)>(start, token);
  co_return self->unpark();
}

void CallWait::abandon() noexcept {
  std::lock_guard const lock(mutex_);
  is_abandoned_ = true;
}

/// False when there is news already.
bool CallWait::park() noexcept {
  std::lock_guard const lock(mutex_);
  is_parked_ = !std::exchange(is_woken_, false);
  return is_parked_;
}

CallWait::End CallWait::unpark() noexcept {
  end_timer_.slot().clear();  // a post that is still under way must not meet a timer that is gone
  std::lock_guard const lock(mutex_);
  is_parked_ = false;
  bool const is_woken = std::exchange(is_woken_, false);
  if (is_cancelled_) return End::cancelled;
  return is_woken ? End::news : End::time;
}

}  // namespace belay::pool::detail
