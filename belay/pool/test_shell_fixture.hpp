#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <gtest/gtest.h>

#include "belay/pool/failure_signal.hpp"
#include "belay/pool/pool.hpp"
#include "belay/pool/test_wire.hpp"
#include "belay/testkit/sim_scheduler.hpp"
#include "belay/testkit/sim_time.hpp"

namespace belay::pool {

/// A coroutine of a test's, started at once on the simulated scheduler.
struct Task {
  std::optional<Error> failure;
  bool has_ended = false;
  boost::asio::cancellation_signal signal;

  std::string reason() const { return failure ? std::string(failure->detail("reason")) : std::string(); }
};

/// A pool of Wires in a simulated world. Set `options` and `server` before the first use of pool().
struct ShellFixture : testing::Test {
  using duration = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;

  explicit ShellFixture(std::uint64_t seed = 1)
      : world(std::make_unique<testkit::SimScheduler>(seed)), time(std::make_shared<testkit::SimTime>(*world)) {
    options.min_idle = 0;
    options.max_size = 2;
    options.connect_rate = 1000;
    options.max_connecting = 100;
    server.time = time;
  }

  Pool<Wire>& pool() {
    if (!pool_) pool_.emplace(options, std::make_shared<FakeConnector>(server), environment());
    return *pool_;
  }
  PoolEnvironment environment() {
    PoolEnvironment made(world->get_executor());
    made.time = time;
    made.random = world->random("pool");
    return made;
  }

  /// Runs a coroutine to its end, and the world no further.
  template <class F>
  void run(F body) {
    world->run(body());
  }

  /// Starts a coroutine; `signal` of the task cancels it.
  template <class F>
  std::shared_ptr<Task> spawn(F body) {
    auto task = std::make_shared<Task>();
    boost::asio::co_spawn(world->get_executor(), std::move(body),
                          boost::asio::bind_cancellation_slot(task->signal.slot(), [task](std::exception_ptr failure) {
                            task->has_ended = true;
                            if (failure) task->failure = error_of(failure);
                          }));
    return task;
  }

  /// Takes a lease and holds it for so long, without a statement and without a handle of the pool.
  std::shared_ptr<Task> hold(duration held, AcquireOptions wanted = {}) {
    return spawn([this, held, acquiring = pool().acquire(wanted)]() mutable -> awaitable<void> {
      auto const lease = co_await std::move(acquiring);
      co_await time->wait_for(held);
    });
  }

  /// Everything that is due at this very moment.
  void settle() { world->run_for(duration(0)); }

  Snapshot snapshot() { return pool().snapshot(); }

  /// No lease is out, nobody waits, nothing is lost: P4.
  void expect_at_rest() {
    auto const shot = snapshot();
    EXPECT_EQ(shot.leases, 0U);
    EXPECT_EQ(shot.waiting, 0U);
    EXPECT_EQ(shot.leases_given, shot.leases_returned + shot.leases_destroyed);
    EXPECT_EQ(shot.in(SlotState::leased), 0U);
  }

  // Destroyed from below: first the pool's handle, then the world, then what frames of coroutines refer to.
  PoolOptions options;
  FakeServer server{nullptr};
  std::unique_ptr<testkit::SimScheduler> world;
  std::shared_ptr<testkit::SimTime> time;
  std::optional<Pool<Wire>> pool_;
};

}  // namespace belay::pool
