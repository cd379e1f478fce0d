#include "belay/resilience/shared_bulkhead.hpp"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using time_point = Deadline::time_point;
using Kind = BulkheadAnswer::Kind;

constexpr time_point start = time_point() + 1000h;

struct CountingWaker final : Waker {
  void wake() noexcept override { ++woken; }
  int woken = 0;
};

BulkheadOptions one_place() {
  BulkheadOptions options;
  options.concurrent_max = 1;
  return options;
}

struct SharedBulkheadTest : testing::Test {
  SharedBulkhead bulkhead{one_place(), start};
  SharedBulkhead::Ticket inside;
  CallEnd const succeeded{std::nullopt, 1};

  SharedBulkheadTest() { (void)bulkhead.enter(inside, Lane::normal, Deadline::never(), start); }
};

TEST_F(SharedBulkheadTest, WakesWhoeverIsNext) {
  SharedBulkhead::Ticket queued;
  auto const waker = std::make_shared<CountingWaker>();
  EXPECT_EQ(bulkhead.enter(queued, Lane::normal, Deadline::never(), start).kind, Kind::queued);
  EXPECT_TRUE(bulkhead.await_turn(queued, waker));
  EXPECT_EQ(bulkhead.accept(queued, start).kind, Kind::queued);
  bulkhead.leave(inside, succeeded, start + 1s);
  EXPECT_EQ(waker->woken, 1);
  EXPECT_EQ(bulkhead.accept(queued, start + 1s).kind, Kind::entered);
  bulkhead.leave(queued, succeeded, start + 2s);
  EXPECT_EQ(bulkhead.snapshot().in_use, 0u);
}

TEST_F(SharedBulkheadTest, TellsOneWhoseTurnCameBeforeHeCouldWait) {
  SharedBulkhead::Ticket queued;
  (void)bulkhead.enter(queued, Lane::normal, Deadline::never(), start);
  bulkhead.leave(inside, succeeded, start + 1s);
  EXPECT_FALSE(bulkhead.await_turn(queued, std::make_shared<CountingWaker>()));
  EXPECT_EQ(bulkhead.accept(queued, start + 1s).kind, Kind::entered);
  bulkhead.leave(queued, succeeded, start + 2s);
}

TEST_F(SharedBulkheadTest, PassesThePlaceOfOneWhoWithdrawsOn) {
  SharedBulkhead::Ticket first;
  SharedBulkhead::Ticket second;
  auto const waker = std::make_shared<CountingWaker>();
  (void)bulkhead.enter(first, Lane::normal, Deadline::never(), start);
  (void)bulkhead.enter(second, Lane::normal, Deadline::never(), start);
  EXPECT_TRUE(bulkhead.await_turn(second, waker));
  bulkhead.leave(inside, succeeded, start + 1s);  // offers it to the first
  EXPECT_EQ(waker->woken, 0);
  bulkhead.withdraw(first, start + 1s);
  EXPECT_EQ(waker->woken, 1);
  EXPECT_EQ(bulkhead.accept(second, start + 1s).kind, Kind::entered);
  bulkhead.leave(second, succeeded, start + 2s);
}

TEST_F(SharedBulkheadTest, WakesEverybodyThatALargerLimitHasRoomFor) {
  std::vector<std::unique_ptr<SharedBulkhead::Ticket>> tickets;
  std::vector<std::shared_ptr<CountingWaker>> wakers;
  for (int i = 0; i < 20; ++i) {
    tickets.push_back(std::make_unique<SharedBulkhead::Ticket>());
    wakers.push_back(std::make_shared<CountingWaker>());
    (void)bulkhead.enter(*tickets.back(), Lane::normal, Deadline::never(), start);
    EXPECT_TRUE(bulkhead.await_turn(*tickets.back(), wakers.back()));
  }
  bulkhead.set_concurrent_max(21, start);
  for (auto const& waker : wakers) EXPECT_EQ(waker->woken, 1);
  for (auto const& ticket : tickets) bulkhead.withdraw(*ticket, start);
  EXPECT_EQ(bulkhead.snapshot().in_use, 1u);
}

TEST_F(SharedBulkheadTest, TellsOneWhoIsGivenUpForAMoreUrgentCall) {
  auto options = one_place();
  options.queue_max = 1;
  SharedBulkhead narrow(options, start);
  SharedBulkhead::Ticket running;
  SharedBulkhead::Ticket low;
  SharedBulkhead::Ticket high;
  auto const waker = std::make_shared<CountingWaker>();
  (void)narrow.enter(running, Lane::normal, Deadline::never(), start);
  (void)narrow.enter(low, Lane::low, Deadline::never(), start);
  EXPECT_TRUE(narrow.await_turn(low, waker));
  EXPECT_EQ(narrow.enter(high, Lane::high, Deadline::never(), start).kind, Kind::queued);
  EXPECT_EQ(waker->woken, 1);
  EXPECT_EQ(narrow.accept(low, start).kind, Kind::refused);
  narrow.withdraw(high, start);
  narrow.leave(running, succeeded, start);
}

}  // namespace
}  // namespace belay::resilience
