#include "belay/testkit/sim_scheduler.hpp"

#include <algorithm>
#include <numeric>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/testkit/sim_time.hpp"

namespace belay::testkit {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

std::vector<int> order_of_ten(std::uint64_t seed, SimScheduler::Options options = {}) {
  SimScheduler world(seed, options);
  std::vector<int> order;
  for (int i = 0; i < 10; ++i) world.post([&order, i] { order.push_back(i); });
  world.run();
  return order;
}

TEST(SimScheduler, LetsTheSeedDecideTheOrderOfReadyTasks) {
  EXPECT_EQ(order_of_ten(1), order_of_ten(1));
  EXPECT_NE(order_of_ten(1), order_of_ten(2));
  auto sorted = order_of_ten(1);
  std::sort(sorted.begin(), sorted.end());
  std::vector<int> expected(10);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(sorted, expected);
  EXPECT_EQ(order_of_ten(1, {.order = SimScheduler::Options::Order::first_in_first_out}), expected);
}

TEST(SimScheduler, MovesTimeOnlyWhenNothingIsReady) {
  SimScheduler world(1);
  std::vector<std::string> happened;
  world.schedule_in(10s, [&] { happened.emplace_back("later"); });
  world.schedule_in(1s, [&] {
    happened.emplace_back("soon");
    EXPECT_EQ(world.elapsed(), 1s);
    for (int i = 0; i < 3; ++i) {
      world.post([&] {
        happened.emplace_back("now");
        EXPECT_EQ(world.elapsed(), 1s);
      });
    }
  });
  world.run();
  EXPECT_EQ(happened, (std::vector<std::string>{"soon", "now", "now", "now", "later"}));
  EXPECT_EQ(world.elapsed(), 10s);
}

TEST(SimScheduler, StandsAtTheEndOfATimeItRanFor) {
  SimScheduler world(1);
  int fired = 0;
  for (int i = 1; i <= 10; ++i) world.schedule_in(std::chrono::seconds(i), [&] { ++fired; });
  world.run_for(5500ms);
  EXPECT_EQ(fired, 5);
  EXPECT_EQ(world.elapsed(), 5500ms);
  world.run_until([&] { return fired == 7; });
  EXPECT_EQ(world.elapsed(), 7s);
}

TEST(SimScheduler, KeepsTimersInOrderWhateverIsCancelled) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    SimScheduler world(seed);
    auto random = world.random("test");
    std::vector<std::pair<SimScheduler::Handle, SimScheduler::time_point>> timers;
    std::vector<SimScheduler::time_point> fired;
    for (int i = 0; i < 500; ++i) {
      auto const at = world.now() + std::chrono::milliseconds(random.below(100));
      timers.emplace_back(world.schedule_at(at, [&] { fired.push_back(world.now()); }), at);
    }
    std::vector<SimScheduler::time_point> expected;
    for (auto const& [timer, at] : timers) {
      if (random.below(2) == 0) {
        EXPECT_TRUE(world.cancel(timer));
        EXPECT_FALSE(world.cancel(timer)) << "a second time";
      } else {
        expected.push_back(at);
      }
    }
    std::sort(expected.begin(), expected.end());
    world.run();
    EXPECT_EQ(fired, expected);
    EXPECT_TRUE(world.is_empty());
  }
}

TEST(SimScheduler, CancelsWhatIsDueButHasNotRun) {
  for (auto const order : {SimScheduler::Options::Order::seeded, SimScheduler::Options::Order::first_in_first_out}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      SimScheduler world(seed, {.order = order});
      std::vector<SimScheduler::Handle> timers;
      int ran = 0;
      for (int i = 0; i < 10; ++i) {
        timers.push_back(world.schedule_in(1s, [&, i] {
          ++ran;
          EXPECT_FALSE(world.cancel(timers[static_cast<std::size_t>(i)])) << "it runs";
          if (ran < 5) return;
          for (auto const timer : timers) world.cancel(timer);
        }));
      }
      world.run();
      EXPECT_EQ(ran, 5);
      EXPECT_TRUE(world.is_empty());
    }
  }
}

TEST(SimScheduler, GivesBackWhatWasParked) {
  SimScheduler world(1);
  auto const parked = world.park(std::string("kept"));
  EXPECT_EQ(world.parked(), 1u);
  world.run();
  EXPECT_EQ(world.take<std::string>(parked), "kept");
  EXPECT_EQ(world.take<std::string>(parked), std::nullopt);
  EXPECT_TRUE(world.is_empty());
}

TEST(SimScheduler, IsAnExecutorOfAsio) {
  SimScheduler world(1);
  asio::any_io_executor const executor = world.get_executor();
  EXPECT_EQ(&executor.context(), &world);
  EXPECT_EQ(executor, asio::any_io_executor(world.get_executor("named")));
  std::vector<std::string> happened;
  asio::post(executor, [&] {
    asio::post(executor, [&] { happened.emplace_back("posted"); });
    asio::dispatch(executor, [&] { happened.emplace_back("dispatched"); });
    happened.emplace_back("first");
  });
  world.run();
  EXPECT_EQ(happened, (std::vector<std::string>{"dispatched", "first", "posted"}));
}

TEST(SimScheduler, CarriesAStrand) {
  SimScheduler world(3);
  auto const strand = asio::make_strand(asio::any_io_executor(world.get_executor()));
  std::vector<int> order;
  for (int i = 0; i < 10; ++i) asio::post(strand, [&order, i] { order.push_back(i); });
  world.run();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

asio::awaitable<void> sleep_and_count(SimTime& time, Random random, int naps, int& awake) {
  for (int i = 0; i < naps; ++i) co_await time.wait_for(std::chrono::milliseconds(random.below(1000)));
  ++awake;
}

std::uint64_t hash_of_sleepers(std::uint64_t seed) {
  SimScheduler world(seed);
  SimTime time(world);
  int awake = 0;
  for (int i = 0; i < 2000; ++i) {
    auto const name = "client " + std::to_string(i);
    asio::co_spawn(world.get_executor(name), sleep_and_count(time, world.random(name), 10, awake), asio::detached);
  }
  EXPECT_EQ(world.outstanding(), 4000u);
  world.run();
  EXPECT_EQ(awake, 2000);
  EXPECT_TRUE(world.is_empty());
  return world.trace_hash();
}

TEST(SimScheduler, RunsThousandsOfCoroutinesTheSameWayTwice) {
  EXPECT_EQ(hash_of_sleepers(7), hash_of_sleepers(7));
  EXPECT_NE(hash_of_sleepers(7), hash_of_sleepers(8));
}

TEST(SimScheduler, ReturnsAndThrowsWhatACoroutineDoes) {
  SimScheduler world(1);
  SimTime time(world);
  auto const late_answer = [&]() -> asio::awaitable<std::string> {
    co_await time.wait_for(24h);
    co_return "answer";
  };
  auto const failure = [&]() -> asio::awaitable<std::string> {
    co_await time.wait_for(1s);
    throw Error(ErrorClass::conflict, SendState::refused, "no");
  };
  EXPECT_EQ(world.run(late_answer()), "answer");
  EXPECT_THROW(world.run(failure()), Error);
}

TEST(SimScheduler, CancelsACoroutineThatWaits) {
  SimScheduler world(1);
  SimTime time(world);
  asio::cancellation_signal stop;
  std::exception_ptr failure;
  asio::co_spawn(world.get_executor(), time.wait_for(1h),
                 asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr e) { failure = e; }));
  world.schedule_in(5s, [&] { stop.emit(asio::cancellation_type::terminal); });
  world.run();
  EXPECT_EQ(world.elapsed(), 5s);
  EXPECT_TRUE(failure);
  EXPECT_TRUE(world.is_empty());
}

SimulationFailure failure_of(SimScheduler& world, asio::awaitable<void> coroutine) {
  try {
    world.run(std::move(coroutine));
  } catch (SimulationFailure const& failure) {
    return failure;
  }
  throw std::logic_error("it should have failed");
}

TEST(SimScheduler, ReportsADeadlockWithItsSeedAndWhoWaits) {
  SimScheduler world(4711);
  SimTime time(world);
  asio::co_spawn(world.get_executor("client 3"), time.wait_until(SimScheduler::time_point::max()), asio::detached);
  auto const waits_for_ever = [&]() -> asio::awaitable<void> {
    co_await time.wait_for(2s);
    world.note("before the end");
    co_await time.wait_until(SimScheduler::time_point::max());
  };
  auto const failure = failure_of(world, waits_for_ever());
  std::string const what = failure.what();
  EXPECT_EQ(failure.reason(), SimulationFailure::Reason::stuck);
  EXPECT_NE(what.find("deadlock"), std::string::npos) << what;
  EXPECT_NE(what.find("seed 4711"), std::string::npos) << what;
  EXPECT_NE(what.find("client 3"), std::string::npos) << what;
  EXPECT_NE(what.find("2.000000 s  before the end"), std::string::npos) << what;
}

asio::awaitable<void> spin() {
  for (;;) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

asio::awaitable<void> tick(SimTime& time) {
  for (;;) co_await time.wait_for(1s);
}

TEST(SimScheduler, StopsARunaway) {
  SimScheduler busy(1, {.steps_at_once_max = 1000});
  EXPECT_EQ(failure_of(busy, spin()).reason(), SimulationFailure::Reason::too_many_steps);
  SimScheduler stepping(1, {.steps_max = 1000});
  SimTime stepping_time(stepping);
  EXPECT_EQ(failure_of(stepping, tick(stepping_time)).reason(), SimulationFailure::Reason::too_many_steps);
  SimScheduler endless(1, {.time_max = 1h});
  SimTime endless_time(endless);
  EXPECT_EQ(failure_of(endless, tick(endless_time)).reason(), SimulationFailure::Reason::too_much_time);
}

TEST(SimScheduler, RefusesNonsense) {
  EXPECT_THROW(SimScheduler(1, {.steps_max = 0}), Error);
  EXPECT_THROW(SimScheduler(1, {.steps_at_once_max = 0}), Error);
  EXPECT_THROW(SimScheduler(1, {.time_max = 0s}), Error);
  EXPECT_THROW(SimScheduler(1, {.tail_length = 0}), Error);
  SimScheduler world(1);
  world.post([&] { EXPECT_THROW(world.run(), Error); });
  world.run();
}

/// Destroyed with the frame of a coroutine that waits; comes back to the scheduler, as a stream that closes does.
struct ComesBack {
  SimScheduler& world;
  SimScheduler::Handle other;
  bool& gone;
  ~ComesBack() {
    world.cancel(other);
    world.post([] {});
    world.schedule_in(1s, [] {});
    gone = true;
  }
};

asio::awaitable<void> hold(SimTime& time, SimScheduler& world, SimScheduler::Handle other, bool& gone) {
  ComesBack const guard{world, other, gone};
  co_await time.wait_until(SimScheduler::time_point::max());
}

TEST(SimScheduler, DestroysWhatWaitsWhenItGoes) {
  bool gone = false;
  {
    SimScheduler world(1);
    SimTime time(world);
    auto const other = world.schedule_in(1h, [] {});
    asio::co_spawn(world.get_executor(), hold(time, world, other, gone), asio::detached);
    world.run_for(1s);
    EXPECT_FALSE(gone);
  }
  EXPECT_TRUE(gone);
}

TEST(SimScheduler, HashesWhatTheUserNotes) {
  auto const hash = [](std::string_view text, std::uint64_t number) {
    SimScheduler world(1);
    world.note(text);
    world.note("packet", number, 2);
    return world.trace_hash();
  };
  EXPECT_EQ(hash("a", 1), hash("a", 1));
  EXPECT_NE(hash("a", 1), hash("b", 1));
  EXPECT_NE(hash("a", 1), hash("a", 2));
}

TEST(SimClock, MovesItsThreeTimesIndependently) {
  SimScheduler world(1);
  SimClock clock(world);
  auto const wall = clock.wall();
  auto const boot = clock.since_boot();
  auto const now = clock.now();
  world.run_for(90s);
  EXPECT_EQ(clock.now() - now, 90s);
  EXPECT_EQ(clock.since_boot() - boot, 90s);
  EXPECT_EQ(clock.wall().seconds() - wall.seconds(), 90);
  clock.jump_wall(-10 * std::chrono::hours(24 * 365));
  EXPECT_EQ(clock.wall().seconds() - wall.seconds(), 90 - 10 * 365 * 86400);
  EXPECT_EQ(clock.now() - now, 90s);
  clock.jump_wall(10 * std::chrono::hours(24 * 365));
  clock.suspend(1h);
  EXPECT_EQ(clock.now() - now, 90s);
  EXPECT_EQ(clock.since_boot() - boot, 90s + 1h);
  EXPECT_EQ(clock.wall().seconds() - wall.seconds(), 90 + 3600);
  clock.set_wall_rate(0.5);
  world.run_for(10s);
  EXPECT_EQ(clock.wall().seconds() - wall.seconds(), 90 + 3600 + 5);
  clock.set_wall_rate(1);
  world.run_for(10s);
  EXPECT_EQ(clock.wall().seconds() - wall.seconds(), 90 + 3600 + 5 + 10);
}

TEST(SimTime, CompletesWaitsAtTheirInstantAndPastOnesAtOnce) {
  SimScheduler world(1);
  SimTime time(world);
  std::vector<std::chrono::nanoseconds> ends;
  auto const wait = [&](SimTime::time_point at) -> asio::awaitable<void> {
    co_await time.wait_until(at);
    ends.push_back(world.elapsed());
  };
  asio::co_spawn(world.get_executor(), wait(world.now() + 3s), asio::detached);
  asio::co_spawn(world.get_executor(), wait(world.now() + 1ns), asio::detached);
  asio::co_spawn(world.get_executor(), wait(world.now() - 1h), asio::detached);
  world.run();
  EXPECT_EQ(ends, (std::vector<std::chrono::nanoseconds>{0ns, 1ns, 3s}));
}

TEST(SimTime, MayBeLateButNeverEarly) {
  SimScheduler world(1);
  SimTime time(world, {.late_by_at_most = 10ms});
  std::chrono::nanoseconds latest{0};
  for (int i = 0; i < 100; ++i) {
    auto const due = world.now() + 1s;
    world.run(time.wait_until(due));
    EXPECT_GE(world.now(), due);
    latest = std::max(latest, std::chrono::nanoseconds(world.now() - due));
  }
  EXPECT_GT(latest, 5ms);
  EXPECT_LE(latest, 10ms);
  EXPECT_THROW(SimTime(world, {.late_by_at_most = -1ns}), Error);
}

}  // namespace
}  // namespace belay::testkit
