#include "belay/resilience/recovery.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "belay/resilience/test_recovery.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using Phase = RecoverySnapshot::Phase;

struct RecoveryTest : test::RecoveryFixture {};

TEST_F(RecoveryTest, IsNotRecoveringBeforeAnythingWasTried) {
  EXPECT_FALSE(recovery().is_recovering());
  EXPECT_EQ(recovery().failing_since(), time_point::max());
  EXPECT_LE(recovery().next_probe_at(), now);
  EXPECT_EQ(burst(), 1) << "the first attempt finds out alone";
}

TEST_F(RecoveryTest, BeginsInRecoveryAgainstADeadServer) {
  fail();
  EXPECT_TRUE(recovery().is_recovering());
  EXPECT_EQ(recovery().failing_since(), now);
  EXPECT_EQ(recovery().snapshot().last_error, ErrorClass::transport);
}

TEST_F(RecoveryTest, StartsSlowlyAndDoublesUpToTheMaximum) {
  options.max_connecting = 6;
  options.connect_rate = 1000;
  for (int const allowed : {2, 4, 6}) {
    succeed();
    now += 1s;
    EXPECT_EQ(recovery().snapshot().allowed_in_flight, static_cast<std::uint32_t>(allowed));
  }
  EXPECT_EQ(recovery().snapshot().phase, Phase::steady);
  now += 1min;
  EXPECT_EQ(burst(), 6);
  EXPECT_EQ(recovery().try_connect(now).retry_at, time_point::max()) << "only another attempt's end can help";
}

TEST_F(RecoveryTest, HalvesWithEachFailureWhileOthersSucceed) {
  become_steady();
  fail(ErrorClass::overload);
  EXPECT_EQ(recovery().snapshot().allowed_in_flight, 2u);
  EXPECT_EQ(recovery().snapshot().phase, Phase::slow_start);
  EXPECT_FALSE(recovery().is_recovering());
}

TEST_F(RecoveryTest, EntersRecoveryWhenNoneSucceededForLong) {
  become_steady();
  now += 5s;
  auto const ticket = recovery().try_connect(now).ticket.value();
  recovery().failed(ticket, ErrorClass::transport, false, now);
  EXPECT_FALSE(recovery().is_recovering()) << "the last success is 5 s old, not older";
  now += 1ns;
  fail();
  EXPECT_TRUE(recovery().is_recovering());
}

TEST_F(RecoveryTest, EntersRecoveryWhenAllConnectionsAreLost) {
  become_steady();
  recovery().lost_all(now);
  EXPECT_TRUE(recovery().is_recovering());
  EXPECT_EQ(recovery().failing_since(), now);
  EXPECT_LE(recovery().next_probe_at(), now + 100ms);
  auto const epoch = recovery().snapshot().epoch;
  recovery().lost_all(now + 1s);
  EXPECT_EQ(recovery().snapshot().epoch, epoch) << "a second pool's loss is the same outage";
}

TEST_F(RecoveryTest, DoublesTheProbesJitterUpToItsCap) {
  std::vector<std::chrono::nanoseconds> longest(12, 0ns);
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Recovery other(options, Random(seed));
    auto at = now;
    other.lost_all(at);
    for (auto& record : longest) {
      record = std::max(record, other.next_probe_at() - at);
      auto answer = other.try_connect(at);
      while (!answer.ticket) {
        at = answer.retry_at;
        answer = other.try_connect(at);
      }
      other.failed(*answer.ticket, ErrorClass::transport, false, at);
    }
  }
  std::chrono::nanoseconds nominal = 100ms;
  for (auto const record : longest) {
    EXPECT_LE(record, nominal);
    EXPECT_GT(record, nominal / 10 * 9) << "uniform over the whole interval";
    nominal = std::min<std::chrono::nanoseconds>(nominal * 2, 10s);
  }
}

TEST_F(RecoveryTest, WaitsUpToThirtySecondsWhileTheCredentialsAreRefused) {
  std::chrono::nanoseconds longest{};
  for (int i = 0; i < 300; ++i) {
    fail(ErrorClass::auth);
    longest = std::max(longest, recovery().next_probe_at() - now);
  }
  EXPECT_GT(longest, 25s);
  EXPECT_LE(longest, 30s);
}

TEST_F(RecoveryTest, ConnectsAtOnceOnTheFirstDemandAfterSteadyIdleness) {
  become_steady();
  for (int i = 0; i < 8; ++i) {
    fail(ErrorClass::overload);
    succeed();
  }
  EXPECT_LT(recovery().snapshot().rate_per_second, 1);
  become_steady();
  now += 2min;
  EXPECT_EQ(burst(), 4) << "a storm of long ago must not throttle";
  EXPECT_DOUBLE_EQ(recovery().snapshot().rate_per_second, 10);
}

TEST_F(RecoveryTest, IgnoresTheVerdictOfAnAttemptFromBeforeTheRecovery) {
  become_steady();
  now += 1min;
  auto const late_success = recovery().try_connect(now).ticket.value();
  auto const late_failure = recovery().try_connect(now).ticket.value();
  recovery().lost_all(now);
  auto const before = recovery().snapshot();
  EXPECT_EQ(before.in_flight, 2u);
  recovery().connected(late_success, now);
  recovery().failed(late_failure, ErrorClass::auth, true, now);
  auto const after = recovery().snapshot();
  EXPECT_EQ(after.in_flight, 0u);
  EXPECT_EQ(after.phase, Phase::probing);
  EXPECT_EQ(after.epoch, before.epoch);
  EXPECT_EQ(after.next_probe_at, before.next_probe_at);
  EXPECT_EQ(after.rate_per_second, before.rate_per_second);
  EXPECT_FALSE(after.credentials_needed);
}

TEST_F(RecoveryTest, IsNotWedgedByAnAbandonedProbe) {
  recovery().lost_all(now);
  for (int i = 0; i < 50; ++i) {
    auto const probe = ticket();
    EXPECT_TRUE(probe.is_probe);
    EXPECT_FALSE(recovery().try_connect(now + 1h).ticket);
    recovery().abandoned(probe, now);
    EXPECT_GT(recovery().next_probe_at(), now) << "a pause all the same";
    EXPECT_LE(recovery().next_probe_at(), now + 100ms) << "no verdict, no longer pause";
  }
  succeed();
  EXPECT_FALSE(recovery().is_recovering());
}

TEST_F(RecoveryTest, TakesOurOwnRefusalsForNoVerdict) {
  become_steady();
  now += 1min;
  fail(ErrorClass::capacity);
  fail(ErrorClass::cancelled);
  EXPECT_EQ(recovery().snapshot().phase, Phase::steady);
  EXPECT_EQ(recovery().snapshot().failures_in_a_row, 0u);
}

TEST_F(RecoveryTest, BelievesAPermanentFailureForFiveSecondsDoublingToSixty) {
  become_steady();
  for (auto const believed : {5s, 10s, 20s, 40s, 60s, 60s}) {
    fail(ErrorClass::auth, true);
    EXPECT_TRUE(recovery().credentials_needed());
    EXPECT_TRUE(recovery().is_recovering());
    EXPECT_EQ(recovery().snapshot().denied_until, now + believed);
    auto const answer = recovery().try_connect(now + believed - 1ns);
    EXPECT_FALSE(answer.ticket);
    EXPECT_GE(answer.retry_at, now + believed);
  }
  succeed();
  EXPECT_FALSE(recovery().credentials_needed());
  fail(ErrorClass::request, true);
  EXPECT_EQ(recovery().snapshot().denied_until, now + 5s) << "a success ends the row";
}

TEST_F(RecoveryTest, TriesRenewedCredentialsAtOnceButDoesNotForgetTheDenials) {
  become_steady();
  now += 1min;
  fail(ErrorClass::auth, true);
  recovery().credentials_renewed(now);
  EXPECT_FALSE(recovery().credentials_needed());
  EXPECT_EQ(burst(), 1);
  recovery().failed({recovery().snapshot().epoch, true}, ErrorClass::auth, true, now);
  EXPECT_EQ(recovery().snapshot().denied_until, now + 10s);
}

TEST_F(RecoveryTest, HalvesItsRateWhenALoginIsRefusedOrNotAnsweredWhileOthersSucceed) {
  for (auto const error : {ErrorClass::overload, ErrorClass::timeout_local, ErrorClass::transport}) {
    made.reset();
    become_steady();
    now += 2min;
    succeed();
    fail(error);
    EXPECT_DOUBLE_EQ(recovery().snapshot().rate_per_second, 5) << name_of(error);
  }
}

TEST_F(RecoveryTest, DoesNotTakeAnOutageForALoginLimit) {
  become_steady();
  now += 2min;
  for (int i = 0; i < 10; ++i) fail(ErrorClass::timeout_local);
  EXPECT_DOUBLE_EQ(recovery().snapshot().rate_per_second, 10);
  int logins = 0;
  auto const back_at = now;
  for (; logins < 25; ++logins) succeed();
  EXPECT_LT(now - back_at, 10s + 5s) << "one pause of the prober at most, then 25 connections within seconds";
}

TEST_F(RecoveryTest, DoesNotTakeAServerThatStartsUpForALoginLimit) {
  become_steady();
  now += 2min;
  recovery().lost_all(now);
  for (int i = 0; i < 10; ++i) fail(ErrorClass::overload);
  EXPECT_DOUBLE_EQ(recovery().snapshot().rate_per_second, 10) << "57P03, the database system is starting up";
}

TEST_F(RecoveryTest, BeginsSlowlyInRateTooWhenTheEndpointIsBack) {
  become_steady();
  now += 2min;
  recovery().lost_all(now);
  succeed();
  EXPECT_DOUBLE_EQ(recovery().snapshot().rate_per_second, ConnectRate::first_per_second);
}

TEST_F(RecoveryTest, RefusesNonsensicalOptions) {
  auto const refuses = [](RecoveryOptions const& nonsense, std::string const& name) {
    try {
      Recovery recovery(nonsense, Random(1));
      ADD_FAILURE() << name << " was accepted";
    } catch (Error const& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::request);
      EXPECT_EQ(error.send_state(), SendState::never_sent);
      EXPECT_NE(std::string(error.what()).find("recovery option " + name + " is"), std::string::npos) << error.what();
    }
  };
  refuses({.max_connecting = 0}, "max_connecting");
  refuses({.connect_rate = 0}, "connect_rate");
  refuses({.connect_rate = std::numeric_limits<double>::quiet_NaN()}, "connect_rate");
  refuses({.steady_for = 0s}, "steady_for");
  refuses({.probe_delay = -1s}, "probe_delay");
  refuses({.probe_delay_max = 99ms}, "probe_delay_max");
  refuses({.auth_probe_delay_max = 9s}, "auth_probe_delay_max");
  refuses({.denied_for = 0s}, "denied_for");
  refuses({.denied_for_max = 4s}, "denied_for_max");
}

}  // namespace
}  // namespace belay::resilience
