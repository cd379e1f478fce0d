#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/pool/policy.hpp"
#include "belay/testkit/sim_scheduler.hpp"
#include "belay/testkit/sim_time.hpp"

namespace belay::pool {

using namespace std::chrono_literals;
using resilience::Idempotent;
using resilience::NoRetry;
using resilience::RefusedBy;

/// A database on virtual time that fails the first `failures` times it is asked.
struct TestServer {
  explicit TestServer(net::TimeService& with) : time(with) {}

  boost::asio::awaitable<int> answer(Attempt& attempt) {
    asked_at.push_back(time.now());
    deadlines.push_back(attempt.deadline);
    if (takes > 0ns) co_await time.wait_for(takes);
    if (asked_at.size() <= failures) throw Error(error_class, send_state, "the server failed");
    co_return static_cast<int>(attempt.number);
  }

  net::TimeService& time;
  std::size_t failures = 0;
  ErrorClass error_class = ErrorClass::transport;
  SendState send_state = SendState::refused;
  std::chrono::nanoseconds takes{0};
  std::vector<Deadline::time_point> asked_at;
  std::vector<Deadline> deadlines;
};

/// What came of one call.
struct CallResult {
  std::optional<int> value;
  std::optional<Error> error;
  std::string other;  ///< what() of an exception that is no belay::Error
  Deadline::time_point ended_at;

  bool has_ended() const noexcept { return ended_at != Deadline::time_point(); }
  bool is_refused_by(std::string_view layer) const { return error && error->detail("refused_by") == layer; }
};

inline boost::asio::awaitable<void> keep(boost::asio::awaitable<int> call, CallResult& result, net::TimeService& time) {
  try {
    result.value = co_await std::move(call);
  } catch (Error const& error) {
    result.error.emplace(error);
  } catch (std::exception const& exception) {
    result.other = exception.what();
  }
  result.ended_at = time.now();
}

/// A policy and its callers in a simulated world. Pauses are their nominal ones, to the nanosecond.
struct PolicyTest : testing::Test {
  static constexpr auto start = testkit::SimScheduler::start_time();

  explicit PolicyTest(std::uint64_t seed = 1) : world(seed), time(std::make_shared<testkit::SimTime>(world)) {
    options = policy_options(resilience::presets::enterprise());
    for (auto* const operation : {&options.read, &options.write, &options.connect}) {
      operation->retry.backoff.bounded_from = 1;
    }
  }

  /// From `options` and `hooks`, at the first use.
  Policy& policy() {
    if (!made) {
      PolicyEnvironment environment;
      environment.time = time;
      environment.random = Random(7);
      environment.hooks = hooks;
      environment.remedy = remedy;
      made.emplace(options, std::move(environment));
    }
    return *made;
  }
  ClassCounters counters(OperationClass operation = OperationClass::read) {
    return policy().snapshot().of(operation).counters;
  }
  resilience::SharedBreaker& breaker() { return *policy().breaker(OperationClass::read); }

  /// To its end.
  CallResult call(CallOptions const& with = CallOptions()) {
    CallResult result;
    world.run(keep(policy().run(with, body), result, *time));
    return result;
  }
  /// Beside others; it goes on when the world does.
  void spawn(CallResult& result, CallOptions const& with = CallOptions()) {
    boost::asio::co_spawn(world.get_executor(), keep(policy().run(with, body), result, *time), boost::asio::detached);
  }
  void spawn(CallResult& result, boost::asio::cancellation_signal& cancel, CallOptions const& with = CallOptions()) {
    boost::asio::co_spawn(world.get_executor(), keep(policy().run(with, body), result, *time),
                          boost::asio::bind_cancellation_slot(cancel.slot(), boost::asio::detached));
  }
  CallOptions until(std::chrono::nanoseconds after) const {
    CallOptions with;
    with.context.deadline = Deadline::at(world.now() + after);
    return with;
  }
  std::chrono::nanoseconds since_start() const { return world.now() - start; }

  PolicyOptions options;
  PolicyHooks hooks;
  std::function<boost::asio::awaitable<void>(resilience::Remedy, Attempt&)> remedy;
  std::optional<Policy> made;
  testkit::SimScheduler world;
  std::shared_ptr<testkit::SimTime> time;
  TestServer server{*time};
  std::function<boost::asio::awaitable<int>(Attempt&)> body = [this](Attempt& attempt) {
    return server.answer(attempt);
  };
};

}  // namespace belay::pool
