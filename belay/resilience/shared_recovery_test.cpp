#include "belay/resilience/shared_recovery.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using time_point = ConnectGate::time_point;

struct SharedRecoveryTest : testing::Test {
  SharedRecovery gate{{}, Random(1)};
  time_point now = time_point() + 1h;
};

TEST_F(SharedRecoveryTest, TellsListenersWhenAnEndMayLetAnotherConnect) {
  int told = 0;
  gate.add_listener([&] { ++told; });
  auto const ticket = gate.try_connect(now).ticket.value();
  EXPECT_FALSE(gate.try_connect(now).ticket);
  gate.connected(ticket, now);
  EXPECT_EQ(told, 1);
  gate.failed(gate.try_connect(now).ticket.value(), ErrorClass::overload, false, now);
  EXPECT_EQ(told, 1) << "nobody was refused meanwhile";
}

TEST_F(SharedRecoveryTest, TellsOfEveryKindOfEnd) {
  int told = 0;
  gate.add_listener([&] { ++told; });
  auto const refuse_somebody = [&] {
    auto const ticket = gate.try_connect(now).ticket.value();
    while (gate.try_connect(now).ticket) continue;
    return ticket;
  };
  gate.abandoned(refuse_somebody(), now);
  EXPECT_EQ(told, 1);
  now += 1min;
  gate.failed(refuse_somebody(), ErrorClass::auth, true, now);
  EXPECT_EQ(told, 2);
  EXPECT_FALSE(gate.try_connect(now).ticket);
  EXPECT_TRUE(gate.credentials_needed());
  gate.credentials_renewed(now);
  EXPECT_EQ(told, 3);
  EXPECT_TRUE(gate.try_connect(now).ticket);
}

TEST_F(SharedRecoveryTest, HoldsNoLockWhileItTells) {
  bool asked = false;
  gate.add_listener([&] { asked = gate.try_connect(now).ticket.has_value(); });
  auto const ticket = gate.try_connect(now).ticket.value();
  EXPECT_FALSE(gate.try_connect(now).ticket);
  gate.connected(ticket, now);
  EXPECT_TRUE(asked);
}

TEST_F(SharedRecoveryTest, LetsAListenerRemoveItselfAndOthers) {
  int told = 0;
  SharedRecovery::ListenerId first = 0;
  first = gate.add_listener([&] {
    ++told;
    gate.remove_listener(first);
  });
  gate.remove_listener(gate.add_listener([&] { told += 100; }));
  for (int i = 0; i < 2; ++i) {
    auto const ticket = gate.try_connect(now += 1min).ticket.value();
    while (gate.try_connect(now).ticket) continue;
    gate.abandoned(ticket, now);
  }
  EXPECT_EQ(told, 1);
}

TEST_F(SharedRecoveryTest, ShowsTheGatesState) {
  gate.lost_all(now);
  EXPECT_TRUE(gate.is_recovering());
  EXPECT_EQ(gate.failing_since(), now);
  EXPECT_EQ(gate.next_probe_at(), gate.snapshot().next_probe_at);
}

// P14 from many threads: what the sanitizer and the bound see.
TEST_F(SharedRecoveryTest, P14BoundsAttemptsInProgressOverAllThreads) {
  std::atomic<int> in_progress = 0;
  std::atomic<int> most = 0;
  std::atomic<int> told = 0;
  std::atomic<int> attempts = 0;
  auto const id = gate.add_listener([&] { ++told; });
  std::vector<std::thread> pools;
  for (int pool = 0; pool < 4; ++pool) {
    pools.emplace_back([&, pool] {
      for (int i = 0; i < 500; ++i) {
        auto const at = now + i * 100ms;
        auto const answer = gate.try_connect(at);
        if (!answer.ticket) continue;
        ++attempts;
        auto const current = ++in_progress;
        auto seen = most.load();
        while (current > seen && !most.compare_exchange_weak(seen, current)) continue;
        --in_progress;
        if ((i + pool) % 7 == 0) {
          gate.failed(*answer.ticket, ErrorClass::overload, false, at);
        } else {
          gate.connected(*answer.ticket, at);
        }
        if (i % 50 == 0) gate.remove_listener(gate.add_listener([&] { ++told; }));
      }
    });
  }
  for (auto& pool : pools) pool.join();
  gate.remove_listener(id);
  EXPECT_LE(most, 4);
  EXPECT_GT(attempts, 4);
  EXPECT_EQ(gate.snapshot().in_flight, 0u);
}

}  // namespace
}  // namespace belay::resilience
