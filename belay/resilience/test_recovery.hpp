#pragma once

#include <chrono>
#include <optional>

#include <gtest/gtest.h>

#include "belay/resilience/recovery.hpp"

namespace belay::resilience::test {

/// A Recovery, the time, and the outcomes a test wants.
struct RecoveryFixture : testing::Test {
  using time_point = ConnectGate::time_point;
  using Phase = RecoverySnapshot::Phase;

  RecoveryOptions options;
  std::optional<Recovery> made;
  time_point now = time_point() + std::chrono::hours(1);

  Recovery& recovery() {
    if (!made) made.emplace(options, Random(1));
    return *made;
  }

  /// A ticket, waited for if need be.
  ConnectTicket ticket() {
    for (int asked = 0; asked < 100; ++asked) {
      auto const answer = recovery().try_connect(now);
      if (answer.ticket) return *answer.ticket;
      if (answer.retry_at == time_point::max()) break;
      EXPECT_GT(answer.retry_at, now) << "asking again at once would spin";
      now = answer.retry_at;
    }
    ADD_FAILURE() << "no ticket, however long one waits";
    return {};
  }

  void succeed(int times = 1) {
    for (int i = 0; i < times; ++i) recovery().connected(ticket(), now);
  }
  void fail(ErrorClass error = ErrorClass::transport, bool permanent = false) {
    recovery().failed(ticket(), error, permanent, now);
  }
  void become_steady() {
    while (recovery().snapshot().phase != Phase::steady) succeed();
  }
  /// How many attempts start now.
  int burst() {
    int started = 0;
    while (recovery().try_connect(now).ticket) ++started;
    return started;
  }
};

}  // namespace belay::resilience::test
