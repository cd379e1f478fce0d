#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

namespace belay::pool::detail {

/// The way into an execution context from other threads: open until the context begins to be destroyed, because Asio
/// does not guard its queues against posts from then on.
///
/// Thread-safe. One per context, shared by all who may post after it is gone.
class ContextDoor {
 public:
  /// That of the context which the executor runs its functions in.
  static std::shared_ptr<ContextDoor> of(boost::asio::any_io_executor const&);

  /// Runs f() on an executor of the context, never within this call; not at all when the context is gone.
  template <class F>
  void post(boost::asio::any_io_executor const& executor, F&& f) {
    std::lock_guard const lock(mutex_);
    if (!is_closed_) boost::asio::post(executor, std::forward<F>(f));
  }
  /// By the thread that destroys the context; waits for a post that is under way.
  void close() noexcept;

 private:
  std::mutex mutex_;
  bool is_closed_ = false;
};

}  // namespace belay::pool::detail
