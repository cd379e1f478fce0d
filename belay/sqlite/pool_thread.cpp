#include "belay/sqlite/pool_thread.hpp"

#include <string>
#include <system_error>
#include <utility>

#include <pthread.h>

#include "belay/core/error.hpp"

namespace belay::sqlite {

PoolThread::PoolThread(std::shared_ptr<Counters> counters)
    : counters_(std::move(counters)), work_(boost::asio::make_work_guard(context_)) {
  ++counters_->threads;
  try {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "belay-sql-pool");
      context_.run();
      --counters_->threads;
    });
  } catch (std::system_error const& failure) {
    --counters_->threads;
    throw Error(ErrorClass::capacity, SendState::never_sent, std::string("cannot start a thread: ") + failure.what());
  }
}

void PoolThread::stop() noexcept {
  context_.stop();
  thread_.join();
}

}  // namespace belay::sqlite
