#include "belay/testkit/sim_time.hpp"

#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>

#include "belay/core/error.hpp"

namespace belay::testkit {

namespace asio = boost::asio;
using std::chrono::nanoseconds;
using std::chrono::seconds;

Datetime SimClock::wall() const {
  constexpr std::int64_t start = 1'704'067'200;  // 2024-01-01T00:00:00Z
  auto const since_change = static_cast<double>((since_boot() - changed_at_).count());
  auto const gone = wall_rate_ == 1
                        ? wall_at_change_ + (since_boot() - changed_at_)
                        : wall_at_change_ + nanoseconds(static_cast<std::int64_t>(since_change * wall_rate_));
  auto const whole = std::chrono::floor<seconds>(gone);
  return Datetime::from_unix(start + jumped_.count() + whole.count(),
                             static_cast<std::uint32_t>((gone - whole).count()));
}

void SimClock::set_wall_rate(double rate) noexcept {
  auto const since_change = since_boot() - changed_at_;
  wall_at_change_ +=
      wall_rate_ == 1 ? since_change
                      : nanoseconds(static_cast<std::int64_t>(static_cast<double>(since_change.count()) * wall_rate_));
  changed_at_ = since_boot();
  wall_rate_ = rate;
}

void SimClock::suspend(nanoseconds sleep) noexcept { suspended_ += sleep; }

namespace {

/// The scheduled end of a wait.
struct Wake {
  SimScheduler* scheduler;
  net::TimeService::WaitHandler handler;

  void operator()() {
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.clear();
    scheduler->deliver(std::move(handler), boost::system::error_code());
  }
};

}  // namespace

SimTime::SimTime(SimScheduler& scheduler, Options options)
    : scheduler_(&scheduler), clock_(scheduler), options_(options), random_(scheduler.random("lateness of timers")) {
  if (options.late_by_at_most < nanoseconds::zero()) {
    throw Error(ErrorClass::request, SendState::never_sent, "SimTime::Options: late_by_at_most must not be negative");
  }
}

void SimTime::start_wait(time_point instant, WaitHandler handler) {
  if (instant < scheduler_->now()) instant = scheduler_->now();
  if (options_.late_by_at_most > nanoseconds::zero() && instant != time_point::max()) {
    auto const late = nanoseconds(random_.below(static_cast<std::uint64_t>(options_.late_by_at_most.count()) + 1));
    if (late < time_point::max() - instant) instant += late;
  }
  auto slot = asio::get_associated_cancellation_slot(handler);
  auto const wait = scheduler_->schedule_at(instant, Wake{scheduler_, std::move(handler)});
  if (!slot.is_connected()) return;
  slot.assign([scheduler = scheduler_, wait](asio::cancellation_type) {
    auto wake = scheduler->take<Wake>(wait);
    if (!wake) return;
    scheduler->complete(scheduler->current_label(), std::move(wake->handler),
                        boost::system::error_code(asio::error::operation_aborted));
  });
}

}  // namespace belay::testkit
