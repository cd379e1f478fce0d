#include "belay/pool/detail/context_link.hpp"

#include <mutex>
#include <thread>
#include <vector>

#include <boost/asio/execution/context.hpp>
#include <boost/asio/query.hpp>

#include "belay/pool/detail/pool_shell.hpp"

namespace belay::pool::detail {

namespace asio = boost::asio;

namespace {

/// Learns of a context's end before the handlers that wait in it are destroyed.
class ContextEnd final : public asio::execution_context::service {
 public:
  static asio::execution_context::id id;

  explicit ContextEnd(asio::execution_context& context) : service(context) {}

  void add(std::weak_ptr<PoolShell> pool) {
    std::lock_guard const lock(mutex_);
    std::erase_if(pools_, [](auto const& known) { return known.expired(); });
    pools_.push_back(std::move(pool));
  }

  void shutdown() noexcept override {
    for (;;) {
      std::weak_ptr<PoolShell> next;
      {
        std::lock_guard const lock(mutex_);
        if (pools_.empty()) return;
        next = std::move(pools_.back());
        pools_.pop_back();
      }
      if (auto const pool = next.lock()) pool->context_gone(context());
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<PoolShell>> pools_;
};

asio::execution_context::id ContextEnd::id;

}  // namespace

ContextLink::ContextLink(asio::execution_context& context, std::weak_ptr<PoolShell> pool) : context_(&context) {
  asio::use_service<ContextEnd>(context).add(std::move(pool));
}

void ContextLink::cut() noexcept {
  is_cut_ = true;
  while (posts_under_way_ != 0) std::this_thread::yield();
}

asio::execution_context& context_of(asio::any_io_executor const& executor) noexcept {
  return asio::query(executor, asio::execution::context);
}

}  // namespace belay::pool::detail
