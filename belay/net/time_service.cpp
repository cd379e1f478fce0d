#include "belay/net/time_service.hpp"

#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/consign.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "belay/core/error.hpp"

namespace belay::net {

namespace asio = boost::asio;

namespace {

class SystemTime final : public TimeService {
 public:
  explicit SystemTime(asio::any_io_executor executor) : idle_(std::make_shared<Idle>(std::move(executor))) {}

  Clock const& clock() const noexcept override { return system_clock(); }

 private:
  /// The timers nobody waits on. Shared, because waits may outlive the service.
  struct Idle {
    explicit Idle(asio::any_io_executor on) : executor(std::move(on)) {}
    asio::any_io_executor executor;
    std::vector<std::unique_ptr<asio::steady_timer>> timers;
  };

  /// Keeps a timer while its wait is pending, and returns it afterwards.
  class Loan {
   public:
    explicit Loan(std::shared_ptr<Idle> idle) : idle_(std::move(idle)) {
      if (idle_->timers.empty()) {
        timer_ = std::make_unique<asio::steady_timer>(idle_->executor);
      } else {
        timer_ = std::move(idle_->timers.back());
        idle_->timers.pop_back();
      }
    }
    Loan(Loan&&) noexcept = default;
    Loan& operator=(Loan&&) = delete;
    ~Loan() {
      if (timer_ && idle_->timers.size() < idle_timers_max) idle_->timers.push_back(std::move(timer_));
    }
    asio::steady_timer& timer() const noexcept { return *timer_; }

   private:
    static constexpr std::size_t idle_timers_max = 64;
    std::shared_ptr<Idle> idle_;
    std::unique_ptr<asio::steady_timer> timer_;
  };

  void start_wait(time_point instant, WaitHandler handler) override {
    Loan loan(idle_);
    auto& timer = loan.timer();
    timer.expires_at(instant);
    timer.async_wait(asio::consign(std::move(handler), std::move(loan)));
  }

  std::shared_ptr<Idle> idle_;
};

}  // namespace

std::unique_ptr<TimeService> system_time(asio::any_io_executor executor) {
  return std::make_unique<SystemTime>(std::move(executor));
}

asio::awaitable<void> TimeService::wait_until(time_point instant) {
  co_await async_wait_until(instant, asio::use_awaitable);
}

asio::awaitable<void> TimeService::wait_for(Deadline::duration pause) {
  auto const now = this->now();
  auto const longest = time_point::max() - now;
  return wait_until(pause >= longest ? time_point::max() : now + pause);
}

asio::awaitable<void> with_deadline(asio::awaitable<void> operation, Deadline deadline, TimeService& time) {
  if (deadline.is_never()) {
    co_await std::move(operation);
    co_return;
  }
  if (deadline.expired(time.now())) {
    throw Error(ErrorClass::timeout_local, SendState::never_sent, "the deadline had passed before the operation began");
  }
  auto const executor = co_await asio::this_coro::executor;
  // Not `operation || timer`: that waits for the first success, so a failure would sit until the deadline and look like
  // a time-out.
  auto race = asio::experimental::make_parallel_group(asio::co_spawn(executor, std::move(operation), asio::deferred),
                                                      time.async_wait_until(deadline.at(), asio::deferred));
  auto const outcome = co_await race.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  auto const& [finish_order, exception, timer_error] = outcome;
  bool const timer_won = finish_order[0] == 1 && !timer_error;  // a cancelled caller also ends the timer
  if (timer_won) throw Error(ErrorClass::timeout_local, SendState::unknown, "no answer before the deadline");
  if (exception) std::rethrow_exception(exception);
}

}  // namespace belay::net
