#include "belay/net/time_service.hpp"

#include <chrono>
#include <memory>
#include <string>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/system/system_error.hpp>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace belay::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using namespace std::chrono_literals;

struct TimeServiceTest : testing::Test {
  asio::io_context context;
  std::unique_ptr<TimeService> time = system_time(context.get_executor());

  Deadline in(std::chrono::nanoseconds left) const { return Deadline::at(time->now() + left); }

  template <class T>
  T run(asio::awaitable<T> coroutine) {
    context.restart();
    auto done = asio::co_spawn(context, std::move(coroutine), asio::use_future);
    context.run();
    return done.get();
  }
  Error failure(asio::awaitable<void> coroutine) {
    try {
      run(std::move(coroutine));
    } catch (Error const& error) {
      return error;
    }
    throw std::logic_error("it should have failed");
  }
  asio::awaitable<void> wait_for_ever() { return time->wait_until(TimeService::time_point::max()); }
};

TEST_F(TimeServiceTest, WaitsUntilTheInstant) {
  auto const due = time->now() + 5ms;
  run(time->wait_until(due));
  EXPECT_GE(time->now(), due);
  run(time->wait_until(time->now() - 1h));
  run(time->wait_for(-1h));
}

TEST_F(TimeServiceTest, CompletesAfterTheCallThatStartedTheWait) {
  bool is_done = false;
  time->async_wait_until(time->now() - 1s, [&](error_code) { is_done = true; });
  EXPECT_FALSE(is_done);
  context.run();
  EXPECT_TRUE(is_done);
}

TEST_F(TimeServiceTest, CancelsOneWaitAndLeavesTheOther) {
  asio::cancellation_signal stop;
  error_code cancelled;
  error_code other = asio::error::would_block;
  time->async_wait_until(TimeService::time_point::max(),
                         asio::bind_cancellation_slot(stop.slot(), [&](error_code error) { cancelled = error; }));
  time->async_wait_until(time->now() + 2ms, [&](error_code error) {
    other = error;
    stop.emit(asio::cancellation_type::terminal);
  });
  context.run();
  EXPECT_EQ(cancelled, asio::error::operation_aborted);
  EXPECT_FALSE(other);
}

TEST_F(TimeServiceTest, LetsItsWaitsOutliveIt) {
  bool is_done = false;
  time->async_wait_until(time->now() + 1ms, [&](error_code error) { is_done = !error; });
  time.reset();
  context.run();
  EXPECT_TRUE(is_done);
}

TEST_F(TimeServiceTest, DropsWhatWaitsWithItsContext) {
  auto const kept = std::make_shared<int>();
  std::weak_ptr<int> const watched = kept;
  {
    asio::io_context gone;
    auto const service = system_time(gone.get_executor());
    service->async_wait_until(TimeService::time_point::max(),
                              [owned = std::make_shared<std::shared_ptr<int>>(kept)](error_code) {});
  }
  EXPECT_EQ(watched.use_count(), 1);
}

asio::awaitable<std::string> answer() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  co_return "answer";
}

asio::awaitable<void> fails() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  throw Error(ErrorClass::conflict, SendState::refused, "no");
}

TEST_F(TimeServiceTest, ReturnsWhatTheOperationReturnsInTime) {
  EXPECT_EQ(run(with_deadline(answer(), in(10s), *time)), "answer");
  EXPECT_EQ(run(with_deadline(answer(), Deadline::never(), *time)), "answer");
}

struct NoDefault {
  explicit NoDefault(int n) : value(std::make_unique<int>(n)) {}
  std::unique_ptr<int> value;
};

asio::awaitable<NoDefault> no_default() { co_return NoDefault(7); }

TEST_F(TimeServiceTest, NeedsNoDefaultForTheResult) {
  auto const use = [&]() -> asio::awaitable<int> {
    auto const result = co_await with_deadline(no_default(), in(10s), *time);
    co_return *result.value;
  };
  EXPECT_EQ(run(use()), 7);
}

TEST_F(TimeServiceTest, TellsAFailureAtOnce) {
  auto const begin = time->now();
  auto const error = failure(with_deadline(fails(), in(10s), *time));
  EXPECT_EQ(error.error_class(), ErrorClass::conflict);
  EXPECT_LT(time->now() - begin, 5s) << "not at the deadline";
}

TEST_F(TimeServiceTest, EndsTheOperationAtTheDeadline) {
  auto const error = failure(with_deadline(wait_for_ever(), in(5ms), *time));
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(error.send_state(), SendState::unknown);
}

// D4: expired on entry, so nothing is started.
TEST_F(TimeServiceTest, StartsNothingAfterTheDeadline) {
  bool has_started = false;
  auto const start = [&]() -> asio::awaitable<void> {
    has_started = true;
    co_return;
  };
  auto const error = failure(with_deadline(start(), in(0s), *time));
  EXPECT_EQ(error.error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(error.send_state(), SendState::never_sent);
  EXPECT_FALSE(has_started);
}

TEST_F(TimeServiceTest, PassesTheCallersCancellationThrough) {
  asio::cancellation_signal stop;
  std::exception_ptr ended;
  asio::co_spawn(context, with_deadline(wait_for_ever(), in(1h), *time),
                 asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr failure) { ended = failure; }));
  asio::post(context, [&] { stop.emit(asio::cancellation_type::terminal); });
  context.run();
  try {
    std::rethrow_exception(ended);
  } catch (boost::system::system_error const& error) {
    EXPECT_EQ(error.code(), asio::error::operation_aborted);
  }
}

}  // namespace
}  // namespace belay::net
