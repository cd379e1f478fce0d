#include "belay/resilience/bulkhead.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/core/random.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using Kind = BulkheadEntry::Kind;
using State = LaneWaiter::State;

struct Waiter : LaneWaiter {
  int number = 0;
};

struct BulkheadTest : testing::Test {
  void use(BulkheadOptions const& options) { bulkhead.emplace(options, now); }
  BulkheadPermit admit() {
    Waiter waiter;
    auto const entry = bulkhead->enter(waiter, Lane::normal, Deadline::never(), now);
    EXPECT_EQ(entry.kind, Kind::admitted);
    return entry.permit;
  }
  BulkheadEntry queue(Waiter& waiter, Lane lane = Lane::normal, Deadline deadline = Deadline::never()) {
    auto const entry = bulkhead->enter(waiter, lane, deadline, now);
    EXPECT_EQ(entry.kind, Kind::queued);
    return entry;
  }
  /// Teaches it how long places are held, and leaves it full.
  void fill_with_holds_of(nanoseconds hold) {
    std::vector<BulkheadPermit> permits;
    for (int i = 0; i < 30; ++i) {
      auto const permit = admit();
      now += hold;
      bulkhead->leave(permit, HoldOutcome::done, now);
    }
    while (bulkhead->in_use() < bulkhead->limit()) admit();
  }
  Waiter* next() { return static_cast<Waiter*>(bulkhead->next(now)); }
  void leave() { bulkhead->leave(BulkheadPermit{now}, HoldOutcome::ignored, now); }

  Deadline::time_point now = Deadline::time_point() + 1h;
  std::optional<Bulkhead> bulkhead{std::in_place, BulkheadOptions{.concurrent_max = 2, .queue_max = 3}, now};
};

TEST_F(BulkheadTest, AdmitsUpToItsLimitAndQueuesTheRest) {
  admit();
  admit();
  std::array<Waiter, 4> waiters;
  for (int i = 0; i < 3; ++i) queue(waiters[static_cast<std::size_t>(i)]);
  auto const entry = bulkhead->enter(waiters[3], Lane::normal, Deadline::never(), now);
  EXPECT_EQ(entry.kind, Kind::refused);
  EXPECT_EQ(entry.reason, BulkheadRefusal::queue_full);
  EXPECT_EQ(next(), nullptr);
  for (int i = 0; i < 3; ++i) {
    leave();
    auto* const waiter = next();
    ASSERT_EQ(waiter, &waiters[static_cast<std::size_t>(i)]) << "first come, first served";
    EXPECT_TRUE(bulkhead->accept(*waiter, now));
    EXPECT_EQ(next(), nullptr);
  }
}

TEST_F(BulkheadTest, KeepsAnOfferedPlaceForItsWaiter) {
  admit();
  admit();
  Waiter first;
  Waiter newcomer;
  queue(first);
  leave();
  queue(newcomer);
  EXPECT_EQ(next(), &first);
  EXPECT_EQ(first.state(), State::offered);
  EXPECT_EQ(bulkhead->in_use(), 2u) << "the offered place counts";
  EXPECT_EQ(next(), nullptr);
  EXPECT_TRUE(bulkhead->accept(first, now));
  EXPECT_FALSE(bulkhead->accept(first, now)) << "once";
  EXPECT_TRUE(bulkhead->withdraw(newcomer));
}

TEST_F(BulkheadTest, PassesThePlaceOfAWithdrawnWaiterOn) {
  admit();
  admit();
  Waiter cancelled;
  Waiter second;
  Waiter third;
  queue(cancelled);
  queue(second);
  queue(third);
  EXPECT_TRUE(bulkhead->withdraw(second)) << "while queued";
  leave();
  EXPECT_EQ(next(), &cancelled);
  EXPECT_TRUE(bulkhead->withdraw(cancelled)) << "while offered";
  EXPECT_FALSE(bulkhead->accept(cancelled, now));
  EXPECT_EQ(next(), &third);
  EXPECT_FALSE(bulkhead->withdraw(cancelled)) << "twice is once";
  EXPECT_TRUE(bulkhead->withdraw(third));
  EXPECT_EQ(bulkhead->in_use(), 1u);
}

TEST_F(BulkheadTest, RefusesAWaiterWhoseTimeIsOverWhenItsTurnComes) {
  admit();
  admit();
  Waiter late;
  Waiter patient;
  queue(late, Lane::normal, Deadline::at(now + 1s));
  queue(patient);
  now += 1s - 500us;
  leave();
  EXPECT_EQ(next(), &late);
  EXPECT_EQ(late.state(), State::refused);
  EXPECT_EQ(late.reason(), BulkheadRefusal::deadline);
  EXPECT_EQ(next(), &patient);
  EXPECT_EQ(patient.state(), State::offered);
  Waiter expired;
  EXPECT_EQ(bulkhead->enter(expired, Lane::normal, Deadline::at(now), now).reason, BulkheadRefusal::deadline);
  bulkhead->withdraw(patient);
}

TEST_F(BulkheadTest, RefusesWhoWouldWaitTooLong) {
  use({.concurrent_max = 2, .queue_max = 100});
  fill_with_holds_of(100ms);
  std::deque<Waiter> waiters(4);
  // One of two places becomes free every 50 ms: the fourth waits 200 ms, which must be 80 % of its time or less.
  for (int i = 0; i < 3; ++i) queue(waiters[static_cast<std::size_t>(i)]);
  EXPECT_NEAR(static_cast<double>(bulkhead->predicted_wait(Lane::normal).count()), 200e6, 1e6);
  auto const entry = bulkhead->enter(waiters[3], Lane::normal, Deadline::at(now + 240ms), now);
  EXPECT_EQ(entry.kind, Kind::refused);
  EXPECT_EQ(entry.reason, BulkheadRefusal::predicted_wait);
  EXPECT_NEAR(static_cast<double>(entry.predicted_wait.count()), 200e6, 1e6);
  queue(waiters[3], Lane::normal, Deadline::at(now + 260ms));
  for (auto& waiter : waiters) bulkhead->withdraw(waiter);
}

TEST_F(BulkheadTest, AdmitsByCountAloneUntilTwentyPlacesWereHandedBack) {
  for (int i = 0; i < 19; ++i) {
    auto const permit = admit();
    now += 1h;
    bulkhead->leave(permit, HoldOutcome::done, now);
  }
  admit();
  admit();
  Waiter waiter;
  queue(waiter, Lane::normal, Deadline::at(now + 10ms));
  bulkhead->withdraw(waiter);
}

TEST_F(BulkheadTest, ShedsTheNewestOfTheLowestLaneFirst) {
  admit();
  admit();
  Waiter low_first;
  Waiter low_second;
  Waiter normal;
  queue(low_first, Lane::low);
  queue(normal, Lane::normal);
  queue(low_second, Lane::low);
  Waiter high;
  queue(high, Lane::high);  // the queue of three is full
  EXPECT_EQ(low_second.state(), State::refused);
  EXPECT_EQ(low_second.reason(), BulkheadRefusal::shed);
  EXPECT_EQ(next(), &low_second);
  EXPECT_EQ(next(), nullptr);
  Waiter another_low;
  EXPECT_EQ(bulkhead->enter(another_low, Lane::low, Deadline::never(), now).reason, BulkheadRefusal::queue_full);
  Waiter health;
  queue(health, Lane::health);
  EXPECT_EQ(next(), &low_first);
  Waiter more_health;
  queue(more_health, Lane::health);
  EXPECT_EQ(next(), &normal) << "no low one is left";
  for (auto* waiter : {&high, &health, &more_health}) bulkhead->withdraw(*waiter);
}

TEST_F(BulkheadTest, ShedsLowerLanesForACallThatWouldOtherwiseWaitTooLong) {
  use({.concurrent_max = 1, .queue_max = 100});
  fill_with_holds_of(100ms);
  std::deque<Waiter> low(3);
  for (auto& waiter : low) queue(waiter, Lane::low);
  Waiter normal;
  // Behind one low call, which its weight lets go first, it would wait 200 ms.
  queue(normal, Lane::normal, Deadline::at(now + 130ms));
  EXPECT_EQ(std::count_if(low.begin(), low.end(), [](auto const& w) { return w.state() == State::refused; }), 3);
  Waiter low_newcomer;
  EXPECT_EQ(bulkhead->enter(low_newcomer, Lane::low, Deadline::never(), now).kind, Kind::refused)
      << "it would take the turn of one that cannot wait";
  EXPECT_EQ(normal.state(), State::queued);
  while (auto* const waiter = next()) EXPECT_EQ(waiter->state(), State::refused);
  bulkhead->withdraw(normal);
}

TEST_F(BulkheadTest, ShedsThoseWhoseTurnMovedAway) {
  use({.concurrent_max = 1, .queue_max = 100});
  fill_with_holds_of(100ms);
  Waiter low;
  queue(low, Lane::low, Deadline::at(now + 400ms));
  std::deque<Waiter> high(3);
  for (auto& waiter : high) queue(waiter, Lane::high);
  EXPECT_EQ(low.state(), State::refused);
  EXPECT_EQ(low.reason(), BulkheadRefusal::predicted_wait);
  EXPECT_EQ(next(), &low);
  for (auto& waiter : high) bulkhead->withdraw(waiter);
}

TEST_F(BulkheadTest, UnlinksARefusedWaiterThatIsWithdrawnBeforeItWasResumed) {
  admit();
  admit();
  std::array<Waiter, 4> waiters;
  for (int i = 0; i < 3; ++i) queue(waiters[static_cast<std::size_t>(i)], Lane::low);
  queue(waiters[3], Lane::high);
  EXPECT_FALSE(bulkhead->withdraw(waiters[2]));
  EXPECT_EQ(next(), nullptr);
  for (auto& waiter : waiters) bulkhead->withdraw(waiter);
}

TEST_F(BulkheadTest, FollowsAChangedLimit) {
  admit();
  admit();
  std::array<Waiter, 2> waiters;
  for (auto& waiter : waiters) queue(waiter);
  bulkhead->set_concurrent_max(3);
  EXPECT_EQ(next(), &waiters[0]);
  EXPECT_EQ(next(), nullptr);
  bulkhead->set_concurrent_max(1);
  leave();
  leave();
  EXPECT_EQ(next(), nullptr) << "one is in use still";
  bulkhead->withdraw(waiters[0]);
  EXPECT_EQ(next(), &waiters[1]);
  bulkhead->withdraw(waiters[1]);
  EXPECT_THROW(bulkhead->set_concurrent_max(0), Error);
}

TEST_F(BulkheadTest, FollowsTheAdaptiveLimit) {
  BulkheadOptions options{.concurrent_max = 10};
  options.adaptive.mode = AdaptiveMode::on;
  use(options);
  for (auto const took : {10ms, 100ms}) {
    for (int batch = 0; batch < 5; ++batch) {
      std::vector<BulkheadPermit> permits;
      for (int i = 0; i < 10; ++i) permits.push_back(admit());
      now += took;
      if (batch == 4) now += 1s;
      for (auto& permit : permits) {
        if (batch == 4) permit.since = now - took;
        bulkhead->leave(permit, HoldOutcome::done, now);
      }
    }
  }
  EXPECT_LT(bulkhead->limit(), 10u);
  EXPECT_THROW(bulkhead->set_concurrent_max(20), Error);
}

TEST(BulkheadOptions, NameTheOptionOutOfItsRange) {
  auto const accepts = [](auto change) {
    BulkheadOptions options;
    change(options);
    try {
      Bulkhead(options, {});
      return true;
    } catch (Error const& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::request);
      return false;
    }
  };
  EXPECT_TRUE(accepts([](BulkheadOptions& o) { o.concurrent_max = 1; }));
  EXPECT_TRUE(accepts([](BulkheadOptions& o) { o.queue_max = 0; }));
  EXPECT_FALSE(accepts([](BulkheadOptions& o) { o.concurrent_max = 0; }));
  EXPECT_FALSE(accepts([](BulkheadOptions& o) { o.weights.low = 0; }));
  EXPECT_FALSE(accepts([](BulkheadOptions& o) { o.wait_shares[2] = 0; }));
  EXPECT_FALSE(accepts([](BulkheadOptions& o) { o.useful_min = -1s; }));
}

/// Random calls in all lanes that are admitted, wait, are cancelled and leave, with the queue kept saturated at times.
struct BulkheadRun {
  explicit BulkheadRun(std::uint64_t seed)
      : random(seed),
        options{.concurrent_max = static_cast<std::uint32_t>(1 + random.below(8)),
                .queue_max = 60,
                .weights = {static_cast<std::uint32_t>(1 + random.below(12)),
                            static_cast<std::uint32_t>(1 + random.below(12)),
                            static_cast<std::uint32_t>(1 + random.below(12))}},
        bulkhead(options, now) {}

  std::uint32_t weight(Lane lane) const {
    if (lane == Lane::high) return options.weights.high;
    return lane == Lane::normal ? options.weights.normal : options.weights.low;
  }

  void arrive() {
    auto waiter = std::make_unique<Waiter>();
    waiter->number = ++arrivals;
    auto const lane = random.below(20) == 0 ? Lane::health : static_cast<Lane>(1 + random.below(3));
    auto const deadline = random.below(3) == 0 ? Deadline::never() : Deadline::at(now + 1ms * random.below(3000));
    auto const entry = bulkhead.enter(*waiter, lane, deadline, now);
    if (entry.kind == Kind::admitted) {
      EXPECT_TRUE(queued.empty()) << "nobody overtakes a waiter";
      held.push_back(entry.permit);
    } else if (entry.kind == Kind::queued) {
      if (std::none_of(queued.begin(), queued.end(), [&](auto const& one) { return one->lane() == lane; })) {
        served_before[lane].clear();
      }
      queued.push_back(std::move(waiter));
    }
    resume();
  }

  void depart() {
    if (held.empty()) return;
    auto const chosen = held.begin() + static_cast<std::ptrdiff_t>(random.below(held.size()));
    bulkhead.leave(*chosen, HoldOutcome::done, now);
    held.erase(chosen);
    resume();
  }

  void cancel() {
    if (queued.empty()) return;
    auto const chosen = queued.begin() + static_cast<std::ptrdiff_t>(random.below(queued.size()));
    auto const lane = (*chosen)->lane();
    bool const was_head = chosen == head_of(lane);
    EXPECT_TRUE(bulkhead.withdraw(**chosen));
    queued.erase(chosen);
    if (was_head) served_before[lane].clear();
    resume();
  }

  std::vector<std::unique_ptr<Waiter>>::iterator head_of(Lane lane) {
    return std::find_if(queued.begin(), queued.end(), [&](auto const& one) { return one->lane() == lane; });
  }

  void resume() {
    while (auto* const waiter = static_cast<Waiter*>(bulkhead.next(now))) {
      auto const found =
          std::find_if(queued.begin(), queued.end(), [&](auto const& one) { return one.get() == waiter; });
      ASSERT_NE(found, queued.end());
      auto const lane = waiter->lane();
      bool const was_head = found == head_of(lane);
      if (waiter->state() == State::offered) {
        EXPECT_TRUE(was_head) << "first come, first served within a lane";
        if (lane != Lane::health) {
          EXPECT_EQ(head_of(Lane::health), queued.end()) << "health goes first";
        }
        count_service(lane);
        if (random.below(10) == 0) {
          EXPECT_TRUE(bulkhead.withdraw(*waiter));
        } else {
          auto const permit = bulkhead.accept(*waiter, now);
          ASSERT_TRUE(permit);
          held.push_back(*permit);
        }
      } else {
        EXPECT_EQ(waiter->state(), State::refused);
      }
      if (was_head) served_before[lane].clear();
      queued.erase(found);
    }
    // L4, and no place stays free while somebody waits for it.
    EXPECT_EQ(bulkhead.in_use(), held.size());
    EXPECT_LE(bulkhead.in_use(), options.concurrent_max);
    EXPECT_EQ(bulkhead.waiting(), queued.size());
    EXPECT_TRUE(queued.empty() || bulkhead.in_use() == options.concurrent_max);
  }

  /// L3: while a lane's head waits, each other lane is served at most ceil(weight ratio) + 1 times.
  void count_service(Lane served) {
    if (served == Lane::health) return;
    for (auto const lane : {Lane::high, Lane::normal, Lane::low}) {
      if (lane == served || head_of(lane) == queued.end()) continue;
      auto const times = ++served_before[lane][served];
      EXPECT_LE(times, (weight(served) + weight(lane) - 1) / weight(lane) + 1)
          << name_of(lane) << " starves behind " << name_of(served);
    }
  }

  Random random;
  Deadline::time_point now = Deadline::time_point() + 1h;
  BulkheadOptions options;
  Bulkhead bulkhead;
  int arrivals = 0;
  std::vector<BulkheadPermit> held;
  std::vector<std::unique_ptr<Waiter>> queued;  ///< in the order of arrival
  std::map<Lane, std::map<Lane, std::uint32_t>> served_before;
};

// L3, L4
TEST(BulkheadProperty, HoldsItsLimitAndStarvesNobody) {
  std::uint64_t queued_in_all = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    BulkheadRun run(seed);
    std::uint64_t arriving = 50;
    for (int step = 0; step < 600; ++step) {
      if (step % 100 == 0) arriving = 35 + run.random.below(30);
      run.now += 1ms * run.random.below(40);
      auto const dice = run.random.below(100);
      if (dice < arriving) {
        run.arrive();
      } else if (dice < 95) {
        run.depart();
      } else {
        run.cancel();
      }
      if (testing::Test::HasFailure()) FAIL() << "at step " << step;
    }
    queued_in_all += run.bulkhead.counters().queued;
    while (!run.queued.empty()) run.cancel();
  }
  EXPECT_GT(queued_in_all, 60u * 50) << "the runs must queue, or they show nothing";
}

// L3: in the long run each lane gets its weight.
TEST(BulkheadProperty, ServesBusyLanesByTheirWeights) {
  Deadline::time_point const now = Deadline::time_point() + 1h;
  Bulkhead bulkhead({.concurrent_max = 1, .queue_max = 1000}, now);
  std::deque<Waiter> waiters(601);
  ASSERT_EQ(bulkhead.enter(waiters[0], Lane::high, Deadline::never(), now).kind, Kind::admitted);
  for (std::size_t i = 1; i < waiters.size(); ++i) {
    ASSERT_EQ(bulkhead.enter(waiters[i], static_cast<Lane>(1 + i % 3), Deadline::never(), now).kind, Kind::queued);
  }
  std::map<Lane, int> served;
  for (int i = 0; i < 130; ++i) {
    bulkhead.leave(BulkheadPermit{now}, HoldOutcome::done, now);
    auto* const waiter = bulkhead.next(now);
    ASSERT_TRUE(waiter && bulkhead.accept(*waiter, now));
    ++served[waiter->lane()];
  }
  EXPECT_NEAR(served[Lane::high], 80, 1);
  EXPECT_NEAR(served[Lane::normal], 40, 1);
  EXPECT_NEAR(served[Lane::low], 10, 1);
  for (auto& waiter : waiters) bulkhead.withdraw(waiter);
}

}  // namespace
}  // namespace belay::resilience
