#include "belay/net/address_race.hpp"

#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "belay/core/random.hpp"

namespace belay::net {
namespace {

using namespace std::chrono_literals;
using Hello = AddressRace::Hello;
using Kind = AddressRace::Action::Kind;

RaceAddress v4(std::string text) { return {AddressFamily::ipv4, std::move(text)}; }
RaceAddress v6(std::string text) { return {AddressFamily::ipv6, std::move(text)}; }
Error refused() {
  return {ErrorClass::transport, SendState::never_sent, "cannot connect to it: Connection refused", "ECONNREFUSED",
          Error::Details{{"reason", "Connection refused"}}};
}
Error unreachable() {
  return {ErrorClass::transport, SendState::never_sent, "cannot connect to it: Network is unreachable", "ENETUNREACH",
          Error::Details{{"reason", "Network is unreachable"}}};
}
Error wrong_password() { return {ErrorClass::auth, SendState::executed, "wrong password", "28P01"}; }

struct AddressRaceTest : testing::Test {
  FamilyMemory memory;
  AddressRace::time_point const begin{1h};
  AddressRace::time_point now = begin;
  RaceOptions options;
  Deadline deadline = Deadline::at(begin + 30s);
  std::optional<AddressRace> race;

  void run(std::vector<RaceAddress> addresses, Hello hello = Hello::none) {
    race.emplace("db.test:5432", std::move(addresses), options, hello, memory, deadline);
    race->begin(now);
  }
  /// What there is to do, as text: "start 0", "cancel 1", "won 0", "lost"; the numbers are addresses.
  std::string actions() {
    std::string text;
    while (auto const action = race->next_action()) {
      if (!text.empty()) text += ", ";
      switch (action->kind) {
        case Kind::start: text += "start "; break;
        case Kind::cancel: text += "cancel "; break;
        case Kind::won: text += "won "; break;
        case Kind::lost: text += "lost"; continue;
      }
      text += std::to_string(action->address);
    }
    return text;
  }
  void pass(std::chrono::nanoseconds time) { race->tick(now += time); }
  /// Lets the time pass that the race waits for.
  std::chrono::nanoseconds wake() {
    auto const from = now;
    now = race->wake_at().at();
    race->tick(now);
    return now - from;
  }
  std::string failure() { return race->failure().what(); }
};

TEST_F(AddressRaceTest, TakesTheFirstThatAnswers) {
  run({v6("[::1]:1"), v4("127.0.0.1:1")});
  EXPECT_EQ(actions(), "start 0");
  race->connected(0, now);
  EXPECT_EQ(actions(), "won 0");
  EXPECT_TRUE(race->is_over());
  EXPECT_TRUE(race->wake_at().is_never());
}

TEST_F(AddressRaceTest, StartsTheNextAfterAQuarterOfASecond) {
  run({v6("a"), v4("b"), v6("c")});
  EXPECT_EQ(actions(), "start 0");
  pass(250ms - 1ns);
  EXPECT_EQ(actions(), "");
  EXPECT_EQ(race->wake_at().at(), begin + 250ms);
  pass(1ns);
  EXPECT_EQ(actions(), "start 1");
  pass(250ms);
  EXPECT_EQ(actions(), "start 2");
  race->connected(1, now);
  EXPECT_EQ(actions(), "won 1, cancel 0, cancel 2");
}

TEST_F(AddressRaceTest, AlternatesTheFamiliesAndBeginsWithTheResolversFirst) {
  run({v6("a"), v6("b"), v6("c"), v4("d"), v4("e")});
  std::string order = actions();
  while (race->wake_at().at() < begin + 2s) {
    wake();
    order += ", " + actions();
  }
  EXPECT_EQ(order, "start 0, start 3, start 1, start 4, start 2");
}

TEST_F(AddressRaceTest, TriesAnAddressOnceHoweverOftenItIsNamed) {
  run({v4("a"), v4("a"), v4("b")});
  EXPECT_EQ(actions(), "start 0");
  race->failed(0, refused(), now);
  EXPECT_EQ(actions(), "start 2");
  race->failed(1, refused(), now);
  EXPECT_EQ(actions(), "lost");
}

TEST_F(AddressRaceTest, ClosesALateWinner) {
  run({v6("a"), v4("b")});
  wake();
  race->connected(1, now);
  EXPECT_EQ(actions(), "start 0, start 1, won 1, cancel 0");
  race->connected(0, now);
  EXPECT_EQ(actions(), "cancel 0");
  race->failed(0, refused(), now);
  EXPECT_EQ(actions(), "");
}

TEST_F(AddressRaceTest, GivesAnAddressItsWholeTimeHoweverManyThereAre) {
  options.attempt_timeout = 1s;
  run({v4("a"), v4("b")});
  pass(250ms);
  EXPECT_EQ(actions(), "start 0, start 1");
  EXPECT_EQ(wake(), 750ms);
  EXPECT_EQ(actions(), "cancel 0");
  EXPECT_EQ(wake(), 250ms);
  EXPECT_EQ(actions(), "cancel 1, lost");
  EXPECT_EQ(failure(), "cannot connect to db.test:5432: a: no answer within 1000 ms; b: no answer within 1000 ms");
  EXPECT_EQ(race->failure().error_class(), ErrorClass::transport);
}

TEST_F(AddressRaceTest, GivesUpAtTheDeadlineAndTellsWhereItStood) {
  deadline = Deadline::at(begin + 300ms);
  run({v6("a"), v4("b"), v4("c"), v6("d")});
  race->failed(0, refused(), now += 100ms);
  EXPECT_EQ(wake(), 200ms);
  EXPECT_EQ(actions(), "start 0, start 1, cancel 1, lost");
  EXPECT_EQ(failure(),
            "could not connect to db.test:5432 before the deadline: a: Connection refused; b: no answer yet; "
            "c: not tried; d: not tried");
  EXPECT_EQ(race->failure().error_class(), ErrorClass::timeout_local);
  EXPECT_EQ(race->failure().send_state(), SendState::never_sent);
}

// D4: expired on entry, no network event.
TEST_F(AddressRaceTest, StartsNothingAfterTheDeadline) {
  deadline = Deadline::at(begin);
  run({v4("a")});
  EXPECT_EQ(actions(), "lost");
}

TEST_F(AddressRaceTest, CancelsAllWhenAbandoned) {
  run({v4("a"), v4("b")});
  pass(250ms);
  actions();
  race->abandon();
  EXPECT_EQ(actions(), "cancel 0, cancel 1, lost");
  EXPECT_EQ(race->failure().error_class(), ErrorClass::cancelled);
  race->abandon();
  pass(1h);
  EXPECT_EQ(actions(), "");
}

TEST_F(AddressRaceTest, IsLostAtOnceWithoutAnAddress) {
  run({});
  EXPECT_EQ(actions(), "lost");
  EXPECT_EQ(failure(), "cannot connect to db.test:5432: it has no address");
}

TEST_F(AddressRaceTest, KeepsToTheFamilyThatIsAskedFor) {
  options.family = FamilyChoice::ipv4;
  run({v6("a"), v4("b")});
  EXPECT_EQ(actions(), "start 1");
  options.family = FamilyChoice::ipv6;
  run({v6("a"), v4("b")});
  EXPECT_EQ(actions(), "start 0");
}

TEST_F(AddressRaceTest, SaysWhenTheFamilyAskedForHasNoAddress) {
  options.family = FamilyChoice::ipv4;
  run({v6("a")});
  EXPECT_EQ(actions(), "lost");
  EXPECT_EQ(failure(), "cannot connect to db.test:5432: a: not allowed by the option family");
}

TEST_F(AddressRaceTest, NamesEachAddressAndItsReason) {
  run({v6("[::1]:5432"), v4("127.0.0.1:5432")});
  race->failed(0, unreachable(), now);
  race->failed(1, refused(), now);
  EXPECT_EQ(actions(), "start 0, start 1, lost");
  EXPECT_EQ(failure(),
            "cannot connect to db.test:5432: [::1]:5432: Network is unreachable; 127.0.0.1:5432: Connection refused");
  EXPECT_EQ(race->failure().detail("[::1]:5432"), "Network is unreachable");
  EXPECT_EQ(race->failure().engine_code(), "ECONNREFUSED");
}

TEST_F(AddressRaceTest, HintsAtIpv4WhenOnlyIpv6IsThereAndDoesNotWork) {
  run({v6("a"), v6("b")});
  race->failed(0, unreachable(), now);
  race->failed(1, unreachable(), now);
  EXPECT_NE(failure().find("IPv4 connection pooler"), std::string::npos) << failure();
}

TEST_F(AddressRaceTest, GivesNoSuchHintWhenItWouldNotHelp) {
  run({v6("a"), v6("b")});
  race->failed(0, unreachable(), now);
  race->failed(1, refused(), now);
  EXPECT_EQ(failure().find("pooler"), std::string::npos) << "IPv6 works";
  options.family = FamilyChoice::ipv6;
  run({v6("a"), v4("b")});
  race->failed(0, unreachable(), now);
  EXPECT_EQ(failure().find("pooler"), std::string::npos) << "there is an IPv4 address";
}

TEST_F(AddressRaceTest, BeginsWithTheFamilyAndTheAddressThatWonBefore) {
  run({v6("a"), v4("b"), v4("c")});
  race->failed(0, refused(), now);
  race->failed(1, refused(), now);
  race->connected(2, now);
  EXPECT_EQ(actions(), "start 0, start 1, start 2, won 2");
  now += 9min;
  deadline = Deadline::at(now + 30s);
  run({v6("a"), v4("b"), v4("c")});
  EXPECT_EQ(actions(), "start 2");
}

TEST_F(AddressRaceTest, ForgetsAWinnerAfterTenMinutesAndWhenItFails) {
  memory.remember(AddressFamily::ipv4, "b", now);
  run({v6("a"), v4("b")});
  EXPECT_EQ(actions(), "start 1");
  race->failed(0, refused(), now);
  EXPECT_EQ(memory.preferred(now), std::nullopt);

  memory.remember(AddressFamily::ipv4, "b", now);
  now += 10min;
  deadline = Deadline::at(now + 30s);
  run({v6("a"), v4("b")});
  EXPECT_EQ(actions(), "start 0");
}

TEST_F(AddressRaceTest, ForgetsAWinnerThatHangsUntilTheDeadline) {
  memory.remember(AddressFamily::ipv6, "a", now);
  deadline = Deadline::at(now + 100ms);
  run({v6("a"), v4("b")});
  wake();
  EXPECT_EQ(memory.preferred(now), std::nullopt);
}

// The five faults of an IPv6-first host: all end on the good IPv4 address, whose family is remembered.
struct FirstFamilyIsBad : AddressRaceTest {
  void SetUp() override {
    run({v6("a"), v4("b")}, Hello::required);
    ASSERT_EQ(actions(), "start 0");
  }
  void expect_second_wins() {
    race->connected(1, now);
    race->accepted(1, now);
    auto const done = actions();
    EXPECT_NE(done.find("won 1"), std::string::npos) << done;
    EXPECT_EQ(memory.preferred(now), AddressFamily::ipv4);
  }
};

TEST_F(FirstFamilyIsBad, Refused) {
  race->failed(0, refused(), now);
  EXPECT_EQ(actions(), "start 1");
  expect_second_wins();
}

TEST_F(FirstFamilyIsBad, HangsWhileConnecting) {
  EXPECT_EQ(wake(), 250ms);
  EXPECT_EQ(actions(), "start 1");
  expect_second_wins();
}

TEST_F(FirstFamilyIsBad, HangsAfterItConnected) {
  race->connected(0, now);
  EXPECT_EQ(wake(), 2s);
  EXPECT_EQ(actions(), "start 1");
  expect_second_wins();
}

TEST_F(FirstFamilyIsBad, Closes) {
  race->connected(0, now);
  race->rejected(0, {ErrorClass::transport, SendState::unknown, "the peer ended the connection", "eof"}, now);
  EXPECT_EQ(actions(), "start 1");
  expect_second_wins();
}

TEST_F(FirstFamilyIsBad, Resets) {
  race->connected(0, now);
  race->rejected(0, {ErrorClass::transport, SendState::unknown, "Connection reset by peer", "ECONNRESET"}, now);
  EXPECT_EQ(actions(), "start 1");
  expect_second_wins();
}

TEST_F(FirstFamilyIsBad, FailsInItsProtocol) {
  race->connected(0, now);
  race->rejected(0, wrong_password(), now);
  EXPECT_EQ(actions(), "start 1");
  expect_second_wins();
}

TEST_F(AddressRaceTest, TellsTheRejectionRatherThanTheUnreachableRest) {
  run({v4("a"), v6("b")}, Hello::required);
  race->connected(0, now);
  race->rejected(0, wrong_password(), now);
  race->failed(1, unreachable(), now);
  auto const error = race->failure();
  EXPECT_EQ(error.error_class(), ErrorClass::auth);
  EXPECT_EQ(error.engine_code(), "28P01");
  EXPECT_EQ(error.send_state(), SendState::never_sent) << "the caller's request was not part of it";
  EXPECT_EQ(failure(), "cannot connect to db.test:5432: a: wrong password; b: Network is unreachable");
}

TEST_F(AddressRaceTest, StartsNothingBesideAHelloThatIsOnlySlow) {
  run({v6("a"), v4("b"), v4("c")}, Hello::required);
  race->connected(0, now += 10ms);
  EXPECT_EQ(race->wake_at().at(), now + 2s);
  pass(2s - 1ns);
  race->accepted(0, now);
  EXPECT_EQ(actions(), "start 0, won 0");
}

TEST_F(AddressRaceTest, PutsBackWhatHadNotConnectedWhenAnotherSaysHello) {
  run({v6("a"), v4("b"), v6("c")}, Hello::required);
  wake();
  race->connected(1, now);
  EXPECT_EQ(actions(), "start 0, start 1, cancel 0");
  race->rejected(1, wrong_password(), now);
  EXPECT_EQ(actions(), "start 0") << "its turn comes again, before c";
  race->failed(0, refused(), now);
  EXPECT_EQ(actions(), "") << "what became of the cancelled attempt says nothing about the new one";
  race->connected(2, now);
  race->accepted(2, now);
  EXPECT_EQ(actions(), "won 0");
}

TEST_F(AddressRaceTest, LetsASlowHelloWinAgainstThoseStartedLater) {
  run({v6("a"), v4("b")}, Hello::required);
  race->connected(0, now);
  wake();
  race->connected(1, now);
  race->accepted(0, now);
  EXPECT_EQ(actions(), "start 0, start 1, won 0, cancel 1");
  race->accepted(1, now);
  EXPECT_EQ(actions(), "");
}

TEST_F(AddressRaceTest, GivesUpAHelloThatNeverComes) {
  run({v4("a")}, Hello::required);
  race->connected(0, now += 1s);
  EXPECT_EQ(wake(), 9s);
  EXPECT_EQ(actions(), "start 0, cancel 0, lost");
  EXPECT_EQ(failure(), "cannot connect to db.test:5432: a: connected, but no hello within 10000 ms");
}

TEST_F(AddressRaceTest, DoesNotOverflowNearTheEndOfTime) {
  now = AddressRace::time_point::max() - 1ms;
  deadline = Deadline::never();
  run({v4("a"), v4("b")}, Hello::required);
  race->connected(0, now);
  EXPECT_TRUE(race->wake_at().is_never());
}

TEST_F(AddressRaceTest, RefusesOptionsOutOfTheirRangesByName) {
  auto const refusal = [&]() -> std::string {
    try {
      run({});
    } catch (Error const& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::request);
      return error.what();
    }
    return "accepted";
  };
  options.stagger = 9ms;
  EXPECT_EQ(refusal(), "connect option stagger is 9 ms, it must lie between 10 ms and 2000 ms");
  options.stagger = 250ms;
  options.attempt_timeout = 1s - 1ns;  // never below a second, whoever asks
  EXPECT_NE(refusal().find("attempt_timeout is 999 ms, it must lie between 1000 ms"), std::string::npos);
  options.attempt_timeout = 1s;
  options.hello_patience = 0s;
  EXPECT_NE(refusal().find("hello_patience"), std::string::npos);
}

/// Plays addresses of random behaviour against the race and checks what must hold in every run.
struct RandomRace {
  explicit RandomRace(std::uint64_t seed) : random(seed) {}

  Random random;
  AddressRace::time_point now{1h};
  std::map<AddressRace::time_point, std::vector<std::pair<std::size_t, bool>>> reports;  ///< attempt, whether good
  std::set<std::size_t> running;
  std::optional<std::size_t> won;
  bool lost = false;

  void play() {
    std::vector<RaceAddress> addresses;
    auto const count = random.below(6);
    for (std::uint64_t i = 0; i < count; ++i) {
      addresses.push_back(random.below(2) == 0 ? v4(std::to_string(i)) : v6(std::to_string(i)));
    }
    auto const hello = random.below(2) == 0 ? Hello::none : Hello::required;
    auto const ends_at = now + std::chrono::milliseconds(random.below(30'000));
    FamilyMemory memory;
    AddressRace race("db.test:1", addresses, RaceOptions(), hello, memory, Deadline::at(ends_at));
    race.begin(now);
    perform(race);
    std::set<std::size_t> connected;
    for (int step = 0; step < 1000 && (!race.is_over() || !reports.empty()); ++step) {
      auto const next = reports.empty() ? AddressRace::time_point::max() : reports.begin()->first;
      ASSERT_GE(std::min(next, race.wake_at().at()), now) << "asks to be woken in the past";
      now = std::min(next, race.wake_at().at());
      if (now != next) {
        race.tick(now);
        perform(race);
        ASSERT_TRUE(race.is_over() || race.wake_at().at() > now) << "a tick that changes nothing asks for another";
        continue;
      }
      auto const due = reports.begin()->second;
      reports.erase(reports.begin());
      for (auto const& [attempt, is_good] : due) {
        if (is_good && connected.insert(attempt).second) {
          race.connected(attempt, now);
          if (hello == Hello::required) report(attempt);
        } else if (is_good) {
          race.accepted(attempt, now);
        } else {
          race.failed(attempt, refused(), now);
          running.erase(attempt);
        }
        perform(race);
      }
    }
    EXPECT_TRUE(race.is_over());
    EXPECT_NE(won.has_value(), lost) << "exactly one end";
    EXPECT_LE(now, ends_at + 25s);
    EXPECT_EQ(running, won ? std::set<std::size_t>{*won} : std::set<std::size_t>()) << "nothing but the winner is left";
    EXPECT_EQ(race.failure().details().size(), addresses.size());
  }

  void report(std::size_t attempt) {
    if (random.below(4) == 0) return;  // hangs
    reports[now + std::chrono::milliseconds(random.below(12'000))].emplace_back(attempt, random.below(3) == 0);
  }

  void perform(AddressRace& race) {
    while (auto const action = race.next_action()) {
      ASSERT_TRUE(!(lost || won) || action->kind == Kind::cancel) << "nothing follows an end but late cancellations";
      switch (action->kind) {
        case Kind::start:
          running.insert(action->attempt);
          report(action->attempt);
          break;
        case Kind::cancel: running.erase(action->attempt); break;
        case Kind::won: won = action->attempt; break;
        case Kind::lost: lost = true; break;
      }
    }
  }
};

TEST(AddressRaceProperty, EndsOnceAndLeavesNothingRunning) {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    SCOPED_TRACE("seed: " + std::to_string(seed));
    RandomRace(seed).play();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace belay::net
