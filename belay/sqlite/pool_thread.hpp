#pragma once

#include <memory>
#include <thread>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "belay/sqlite/database_state.hpp"

namespace belay::sqlite {

/// The thread "belay-sql-pool", on which the pools keep their time and open and close their links.
class PoolThread {
 public:
  explicit PoolThread(std::shared_ptr<Counters>);
  /// stop() must have been called.
  ~PoolThread() = default;
  PoolThread(PoolThread const&) = delete;
  PoolThread& operator=(PoolThread const&) = delete;

  boost::asio::any_io_executor executor() { return context_.get_executor(); }
  /// Waits for what it is doing at this moment. Once, from another thread.
  void stop() noexcept;

 private:
  std::shared_ptr<Counters> counters_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

}  // namespace belay::sqlite
