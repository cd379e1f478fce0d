#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>

#include "belay/core/buggify.hpp"

namespace belay::pool::detail {

class PoolShell;

/// A pool's way into an execution context, open until the context begins to be destroyed: it then waits for posts that
/// are under way and drops all later ones. So a pool, its leases and its callers may end after a context they used.
///
/// Thread-safe.
class ContextLink {
 public:
  /// Registers the pool with the context, whose end is told to PoolShell::context_gone().
  ContextLink(boost::asio::execution_context&, std::weak_ptr<PoolShell>);
  ContextLink(ContextLink const&) = delete;
  ContextLink& operator=(ContextLink const&) = delete;

  boost::asio::execution_context const* context() const noexcept { return context_; }
  bool is_cut() const noexcept { return is_cut_.load(); }
  /// By the thread that destroys the context.
  void cut() noexcept;

  /// Runs f() on an executor of the context, never within this call. False when the context is gone: f is destroyed.
  /// Throws std::bad_alloc; f is destroyed then as well.
  template <class F>
  bool post(boost::asio::any_io_executor const& executor, F&& f) {
    Posting const posting(*this);
    if (is_cut()) return false;
    if (buggify("pool.post.no_memory")) throw std::bad_alloc();
    boost::asio::post(executor, std::forward<F>(f));
    return true;
  }

 private:
  struct Posting {
    explicit Posting(ContextLink& link) noexcept : under_way(link.posts_under_way_) { ++under_way; }
    Posting(Posting const&) = delete;
    Posting& operator=(Posting const&) = delete;
    ~Posting() { --under_way; }
    std::atomic<std::uint32_t>& under_way;
  };

  boost::asio::execution_context const* context_;
  std::atomic<bool> is_cut_{false};
  std::atomic<std::uint32_t> posts_under_way_{0};
};

/// The context that an executor runs its functions in.
boost::asio::execution_context& context_of(boost::asio::any_io_executor const&) noexcept;

}  // namespace belay::pool::detail
