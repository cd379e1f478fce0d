#include "belay/testkit/faulty_link.hpp"

#include <gtest/gtest.h>

namespace belay::testkit {
namespace {

using namespace std::chrono_literals;
using Action = FaultyLink::Action;
using Ending = FaultyLink::Ending;
using time_point = FaultyLink::time_point;

constexpr auto up = Direction::up;
constexpr auto down = Direction::down;
time_point const start{1000s};

AppliedPlan plan_of(std::string const& text, time_point since = start, std::uint64_t generation = 0) {
  return {std::make_shared<FaultPlan const>(FaultPlan::parse(text)), since, generation};
}

FaultyLink link_of(std::string const& text, std::uint64_t number = 1, std::uint64_t seed = 1) {
  return {number, plan_of(text), Random(seed), 1000, start};
}

/// Does what the link says at this moment, as the shell would; the number of bytes that passed.
std::uint64_t let_pass(FaultyLink& link, Direction direction, time_point now) {
  auto const before = link.bytes_passed(direction);
  for (;;) {
    auto const step = link.next(direction, now);
    if (step.action == Action::pass) {
      link.passed(direction, step.bytes, now);
    } else if (step.action == Action::discard) {
      link.discarded(direction, step.bytes);
    } else if (step.action == Action::finish) {
      link.finished(direction);
    } else {
      return link.bytes_passed(direction) - before;
    }
  }
}

TEST(FaultyLink, PassesEverythingAtOnceWithoutFaults) {
  auto link = link_of("none");
  EXPECT_EQ(link.opening(start).action, Action::connect);
  EXPECT_EQ(link.next(up, start).action, Action::wait);
  EXPECT_EQ(link.next(up, start).at, time_point::max());
  link.arrived(up, 100, start);
  EXPECT_EQ(link.next(up, start).action, Action::pass);
  EXPECT_EQ(link.next(up, start).bytes, 100U);
  link.passed(up, 30, start);
  EXPECT_EQ(link.next(up, start).bytes, 70U) << "the receiver took a part";
  EXPECT_EQ(link.next(down, start).action, Action::wait);
}

TEST(FaultyLink, IsOverWhenBothPeersHaveEndedIt) {
  auto link = link_of("none");
  link.arrived(up, 5, start);
  link.ended(up, Ending::in_order, start);
  EXPECT_EQ(link.next(up, start).action, Action::pass) << "the end comes after the bytes";
  EXPECT_EQ(let_pass(link, up, start), 5U);
  EXPECT_FALSE(link.is_over());
  link.ended(down, Ending::in_order, start);
  auto const step = link.next(down, start);
  EXPECT_EQ(step.action, Action::finish);
  EXPECT_TRUE(step.is_by_peer);
  link.finished(down);
  EXPECT_TRUE(link.is_over());
}

TEST(FaultyLink, HandsAResetOn) {
  auto link = link_of("latency=1s");
  link.arrived(down, 5, start);
  link.ended(down, Ending::reset, start);
  EXPECT_EQ(let_pass(link, down, start + 1s), 5U);
  auto const step = link.next(down, start + 1s);
  EXPECT_EQ(step.action, Action::reset);
  EXPECT_TRUE(step.is_by_peer);
  EXPECT_EQ(step.cause, "the target");
}

TEST(FaultyLink, DropsWhatAReceiverThatIsGoneCannotTake) {
  auto link = link_of("none");
  link.arrived(up, 5, start);
  link.receiver_gone(up);
  EXPECT_EQ(link.next(up, start).action, Action::discard);
  EXPECT_EQ(link.next(up, start).bytes, 5U);
  EXPECT_EQ(let_pass(link, up, start), 0U);
}

TEST(FaultyLink, DelaysBytesAndTheEnd) {
  auto link = link_of("latency=20ms:up");
  link.arrived(up, 10, start);
  link.arrived(up, 5, start + 15ms);
  link.ended(up, Ending::in_order, start + 16ms);
  EXPECT_EQ(link.next(up, start).action, Action::wait);
  EXPECT_EQ(link.next(up, start).at, start + 20ms);
  EXPECT_EQ(let_pass(link, up, start + 20ms - 1ns), 0U);
  EXPECT_EQ(let_pass(link, up, start + 20ms), 10U);
  EXPECT_EQ(let_pass(link, up, start + 35ms), 5U);
  EXPECT_EQ(link.next(up, start + 35ms).at, start + 36ms);
  EXPECT_EQ(link.next(up, start + 36ms).action, Action::finish);
  link.arrived(down, 10, start);
  EXPECT_EQ(let_pass(link, down, start + 36ms), 10U) << "the other direction is well";
}

TEST(FaultyLink, AddsDelaysUp) {
  auto link = link_of("latency=20ms; latency=1s");
  link.arrived(up, 10, start);
  EXPECT_EQ(link.next(up, start).at, start + 1020ms);
}

TEST(FaultyLink, DrawsItsJitterFromTheSeedAndKeepsTheOrder) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto link = link_of("latency=10ms jitter=30ms", 1, seed);
    auto same = link_of("latency=10ms jitter=30ms", 1, seed);
    time_point::duration least = 1h;
    time_point::duration most{};
    auto last_at = start;
    for (int i = 0; i < 100; ++i) {
      auto const now = start + i * 1s;
      link.arrived(up, 1, now);
      same.arrived(up, 1, now);
      auto const at = link.next(up, now).at;
      EXPECT_EQ(at, same.next(up, now).at);
      EXPECT_GE(at, last_at);
      last_at = at;
      least = std::min(least, at - now);
      most = std::max(most, at - now);
      EXPECT_EQ(let_pass(link, up, at), 1U);
      EXPECT_EQ(let_pass(same, up, at), 1U);
    }
    EXPECT_GE(least, 10ms);
    EXPECT_LE(most, 40ms);
    EXPECT_GT(most - least, 20ms) << "uniform over 30 ms";
  }
}

TEST(FaultyLink, DoesNotLetAPieceOvertakeTheOneBefore) {
  auto link = link_of("jitter=1h");
  link.arrived(up, 1, start);
  auto const first = link.next(up, start).at;
  auto last = first;
  for (int i = 0; i < 50; ++i) link.arrived(up, 1, start + 1ns * i);
  std::uint64_t passed = 0;
  while (passed < 51) {
    auto const now = link.next(up, last).action == Action::pass ? last : link.next(up, last).at;
    EXPECT_GE(now, last);
    last = now;
    passed += let_pass(link, up, now);
  }
}

TEST(FaultyLink, LetsABandwidthPass) {
  auto link = link_of("bandwidth=10kB/s:up");
  std::uint64_t passed = 0;
  auto now = start;
  while (passed < 10'000) {
    link.arrived(up, link.room(up), now);
    passed += let_pass(link, up, now);
    now = link.next(up, now).at;
  }
  EXPECT_GE(now, start + 970ms);
  EXPECT_LE(now, start + 1010ms);
}

TEST(FaultyLink, DripsAByteInASecond) {
  auto link = link_of("bandwidth=1B/s");
  link.arrived(up, 10, start);
  for (int second = 0; second < 10; ++second) EXPECT_EQ(let_pass(link, up, start + second * 1s), 1U) << second;
}

TEST(FaultyLink, FragmentsWithAGap) {
  auto link = link_of("fragment=3 gap=1ms");
  link.arrived(up, 8, start);
  EXPECT_EQ(let_pass(link, up, start), 3U);
  EXPECT_EQ(link.next(up, start).at, start + 1ms);
  EXPECT_EQ(let_pass(link, up, start + 1ms), 3U);
  EXPECT_EQ(let_pass(link, up, start + 2ms), 2U);
}

TEST(FaultyLink, FragmentsWithoutAGapOneByOne) {
  auto link = link_of("fragment=1");
  link.arrived(up, 2, start);
  EXPECT_EQ(link.next(up, start).bytes, 1U);
  EXPECT_EQ(let_pass(link, up, start), 2U);
}

// For every byte of an exchange: exactly so many pass, never one more, and then the connection ends.
TEST(FaultyLink, EndsAtEveryByte) {
  for (std::uint64_t k = 0; k <= 20; ++k) {
    for (auto const& [name, action] : {std::pair("cut=", Action::cut), std::pair("rst=", Action::reset)}) {
      SCOPED_TRACE(name + std::to_string(k));
      auto link = link_of(name + std::to_string(k) + ":down");
      link.arrived(up, 50, start);
      if (k > 0) {
        EXPECT_EQ(let_pass(link, up, start), 50U) << "the other direction does not count";
      }
      for (std::size_t i = 0; i < 3; ++i) link.arrived(down, 7, start);
      EXPECT_EQ(let_pass(link, down, start), std::min<std::uint64_t>(k, 21));
      auto const step = link.next(down, start);
      EXPECT_EQ(step.action, action);
      EXPECT_EQ(step.cause, name + std::to_string(k) + ":down");
      EXPECT_FALSE(step.is_by_peer);
      EXPECT_EQ(link.next(up, start).action, action) << "both directions are told";
    }
  }
}

TEST(FaultyLink, CountsBothDirectionsWithoutOne) {
  auto link = link_of("cut=5");
  link.arrived(up, 4, start);
  link.arrived(down, 4, start);
  EXPECT_EQ(let_pass(link, up, start) + let_pass(link, down, start), 8U) << "each on its own account";
  link.arrived(down, 4, start);
  EXPECT_EQ(let_pass(link, down, start), 1U);
  EXPECT_EQ(link.next(up, start).action, Action::cut);
}

TEST(FaultyLink, EndsOneDirectionAndDropsWhatFollows) {
  auto link = link_of("half_close=5:down");
  link.arrived(down, 8, start);
  auto step = link.next(down, start);
  EXPECT_EQ(step.bytes, 5U);
  link.passed(down, 5, start);
  step = link.next(down, start);
  EXPECT_EQ(step.action, Action::finish);
  EXPECT_FALSE(step.is_by_peer);
  link.finished(down);
  EXPECT_EQ(link.next(down, start).action, Action::discard);
  link.discarded(down, 3);
  link.arrived(up, 9, start);
  EXPECT_EQ(let_pass(link, up, start), 9U);
  EXPECT_FALSE(link.is_over());
}

TEST(FaultyLink, StallsAfterItsBytes) {
  auto link = link_of("stall=5:down for=10s");
  link.arrived(down, 8, start);
  link.ended(down, Ending::in_order, start);
  EXPECT_EQ(let_pass(link, down, start), 5U);
  EXPECT_EQ(link.next(down, start).at, start + 10s);
  EXPECT_EQ(let_pass(link, down, start + 10s), 3U);
}

TEST(FaultyLink, BlackholesADirectionUntilTheRuleEnds) {
  auto link = link_of("blackhole=up at=1s for=2s");
  link.arrived(up, 1, start);
  EXPECT_EQ(let_pass(link, up, start), 1U);
  EXPECT_EQ(link.next(up, start).at, start + 1s);
  link.arrived(up, 7, start + 1s);
  link.ended(up, Ending::reset, start + 1s);
  link.arrived(down, 4, start + 1s);
  EXPECT_EQ(let_pass(link, up, start + 1s), 0U);
  EXPECT_EQ(link.next(up, start + 1s).at, start + 3s);
  EXPECT_EQ(let_pass(link, down, start + 1s), 4U);
  EXPECT_EQ(let_pass(link, up, start + 3s), 7U) << "what was held back passes, as retransmissions do";
  EXPECT_EQ(link.next(up, start + 3s).action, Action::reset);
}

TEST(FaultyLink, ResetsAtItsTimeThroughABlackhole) {
  auto link = link_of("blackhole; rst at=5s");
  link.arrived(up, 1, start);
  EXPECT_EQ(link.next(up, start).at, start + 5s);
  EXPECT_EQ(link.next(up, start + 5s).action, Action::reset);
}

TEST(FaultyLink, AnswersTheNextByteByAResetWhenForgotten) {
  for (bool const by_command : {false, true}) {
    auto link = link_of(by_command ? "none" : "forget at=1s");
    link.arrived(up, 1, start);
    EXPECT_EQ(let_pass(link, up, start), 1U);
    if (by_command) link.command(FaultKind::forget, "forget_all()");
    EXPECT_EQ(link.next(up, start + 1s).action, Action::wait) << "nobody is told before";
    link.arrived(up, 1, start + 2s);
    EXPECT_EQ(link.next(up, start + 2s).action, Action::reset);
    EXPECT_EQ(link.next(down, start + 2s).cause, by_command ? "forget_all()" : "forget at=1s");
  }
}

TEST(FaultyLink, ObeysCommands) {
  auto link = link_of("none");
  link.arrived(up, 1, start);
  link.command(FaultKind::blackhole, "blackhole_all()");
  EXPECT_EQ(link.next(up, start).action, Action::wait);
  link.command(FaultKind::cut, "cut_all()");
  EXPECT_EQ(link.next(up, start).action, Action::cut);
  EXPECT_EQ(link.next(up, start).cause, "cut_all()");
  link.command(FaultKind::rst, "reset_all()");
  EXPECT_EQ(link.opening(start).action, Action::reset);
}

TEST(FaultyLink, HoldsAConnectionAndLetsItGo) {
  auto link = link_of("hold for=10s");
  EXPECT_EQ(link.opening(start).action, Action::wait);
  EXPECT_EQ(link.opening(start).at, start + 10s);
  link.arrived(up, 5, start);
  EXPECT_EQ(link.opening(start + 10s).action, Action::connect);
  EXPECT_EQ(let_pass(link, up, start + 10s), 5U);

  auto given_up = link_of("hold");
  given_up.ended(up, Ending::in_order, start);
  EXPECT_EQ(given_up.opening(start).action, Action::cut);
  EXPECT_TRUE(given_up.opening(start).is_by_peer);
}

TEST(FaultyLink, OpensLate) {
  auto link = link_of("accept_delay=1s");
  link.arrived(up, 5, start);
  link.ended(up, Ending::in_order, start);
  EXPECT_EQ(link.opening(start).action, Action::wait);
  EXPECT_EQ(link.opening(start).at, start + 1s);
  EXPECT_EQ(link.opening(start + 1s).action, Action::connect);
}

TEST(FaultyLink, EndsBeforeItOpens) {
  EXPECT_EQ(link_of("rst").opening(start).action, Action::reset);
  EXPECT_EQ(link_of("cut").opening(start).action, Action::cut);
  EXPECT_EQ(link_of("refuse p=1 connection=1").opening(start).action, Action::reset);
  EXPECT_EQ(link_of("refuse connection=2").opening(start).action, Action::connect);
}

TEST(FaultyLink, CountsAnewEachTimeTheRuleComes) {
  auto link = link_of("half_close=1000; stall=5:up for=1s every=10s");
  for (int i = 0; i < 3; ++i) {
    auto const now = start + i * 10s;
    link.arrived(up, 8, now);
    EXPECT_EQ(let_pass(link, up, now), 5U) << i;
    EXPECT_EQ(let_pass(link, up, now + 1s), 3U) << i;
  }
}

TEST(FaultyLink, CountsFromWhenThePlanWasApplied) {
  auto link = link_of("none");
  link.arrived(down, 100, start);
  EXPECT_EQ(let_pass(link, down, start), 100U);
  link.apply(plan_of("cut=10:down", start + 1s, 1), start + 1s);
  link.arrived(down, 100, start + 1s);
  EXPECT_EQ(let_pass(link, down, start + 1s), 10U);
  EXPECT_EQ(link.next(down, start + 1s).action, Action::cut);
}

TEST(FaultyLink, ForgetsOldDelaysWithTheirPlan) {
  auto link = link_of("latency=1h bandwidth=1B/s fragment=1 gap=1h");
  link.arrived(up, 100, start);
  link.ended(up, Ending::in_order, start);
  link.apply(plan_of("latency=2s", start + 1s, 1), start + 1s);
  EXPECT_EQ(link.next(up, start + 1s).at, start + 2s);
  EXPECT_EQ(let_pass(link, up, start + 2s), 100U);
  EXPECT_EQ(link.next(up, start + 2s).at, start + 3s) << "of the end only the new delay is known";
  link.apply(plan_of("none", start + 2s, 2), start + 2s);
  EXPECT_EQ(link.next(up, start + 2s).action, Action::finish);
}

TEST(FaultyLink, IsChosenByTheSeedWithItsProbability) {
  int chosen = 0;
  for (std::uint64_t number = 1; number <= 2000; ++number) {
    auto random = Random(7).fork("connection " + std::to_string(number));
    FaultyLink link(number, plan_of("rst p=0.25"), random, 1000, start);
    FaultyLink again(number, plan_of("rst p=0.25"), random, 1000, start);
    EXPECT_EQ(link.opening(start).action, again.opening(start).action);
    if (link.opening(start).action == Action::reset) ++chosen;
  }
  EXPECT_NEAR(chosen, 500, 100) << "five standard deviations";
  EXPECT_EQ(link_of("rst p=0").opening(start).action, Action::connect);
  EXPECT_EQ(link_of("rst p=1").opening(start).action, Action::reset);
}

TEST(FaultyLink, BoundsWhatItHolds) {
  auto link = link_of("blackhole");
  EXPECT_EQ(link.room(up), 1000U);
  link.arrived(up, 999, start);
  EXPECT_EQ(link.room(up), 1U);
  link.arrived(up, 1, start);
  EXPECT_EQ(link.room(up), 0U);
  link.ended(down, Ending::in_order, start);
  EXPECT_EQ(link.room(down), 0U) << "nothing comes after the end";
}

TEST(FaultyLink, BoundsThePiecesItHolds) {
  FaultyLink link(1, plan_of("latency=1h"), Random(1), 1'000'000, start);
  std::size_t pieces = 0;
  while (link.room(up) > 0 && pieces < 100'000) link.arrived(up, 1, start + 1ns * pieces++);
  EXPECT_LE(pieces, 4096U);
}

}  // namespace
}  // namespace belay::testkit
