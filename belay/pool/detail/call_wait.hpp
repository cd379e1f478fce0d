#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "belay/core/deadline.hpp"
#include "belay/net/time_service.hpp"
#include "belay/pool/detail/context_door.hpp"
#include "belay/resilience/waker.hpp"

namespace belay::pool::detail {

/// Where one call waits: for an instant, for a gate's news, or until its caller cancels.
///
/// The completion handler lies with the timer, that is in the caller's own execution context, which therefore owns the
/// frame that waits: a context that is destroyed takes its callers along. News is a post to the caller's executor that
/// ends the timer early.
class CallWait final : public resilience::Waker, public std::enable_shared_from_this<CallWait> {
 public:
  enum class End { time, news, cancelled };

  explicit CallWait(boost::asio::any_io_executor executor)
      : executor_(std::move(executor)), door_(ContextDoor::of(executor_)) {}
  CallWait(CallWait const&) = delete;
  CallWait& operator=(CallWait const&) = delete;

  /// From any thread. Memory exhausted at this point ends the process: a lost wake-up would hold a place for ever.
  void wake() noexcept override;

  /// On the caller's executor. `time` may be early, for no reason.
  static boost::asio::awaitable<End> wait(std::shared_ptr<CallWait>, Deadline until, net::TimeService&);

  /// The frame is gone: no wake-up is posted any more once this has returned.
  void abandon() noexcept;

 private:
  bool park() noexcept;
  End unpark() noexcept;

  std::mutex mutex_;
  bool is_abandoned_ = false;
  bool is_parked_ = false;
  bool is_woken_ = false;
  boost::asio::any_io_executor executor_;
  std::shared_ptr<ContextDoor> door_;
  // On the caller's executor only.
  bool is_cancelled_ = false;
  boost::asio::cancellation_signal end_timer_;
};

}  // namespace belay::pool::detail
