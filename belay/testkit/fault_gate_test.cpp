#include "belay/testkit/fault_gate.hpp"

#include <gtest/gtest.h>

namespace belay::testkit {
namespace {

using namespace std::chrono_literals;
using Action = FaultGate::Action;
using time_point = FaultGate::time_point;

time_point const start{1000s};

AppliedPlan plan_of(char const* text, time_point since = start) {
  return {std::make_shared<FaultPlan const>(FaultPlan::parse(text)), since, 0};
}

TEST(FaultGate, AcceptsWithoutFaults) {
  FaultGate gate(plan_of("none"));
  EXPECT_EQ(gate.next(start).action, Action::accept);
  EXPECT_EQ(gate.next(start).at, time_point::max());
  EXPECT_TRUE(gate.admit(start));
}

TEST(FaultGate, ClosesWhileItRefuses) {
  FaultGate const gate(plan_of("refuse at=5s for=2s"));
  EXPECT_EQ(gate.next(start).action, Action::accept);
  EXPECT_EQ(gate.next(start).at, start + 5s);
  EXPECT_EQ(gate.next(start + 5s).action, Action::close);
  EXPECT_EQ(gate.next(start + 5s).at, start + 7s);
  EXPECT_EQ(gate.next(start + 7s).action, Action::accept);
}

// Only the connection itself knows whether it is meant: it is accepted, and its FaultyLink resets it.
TEST(FaultGate, StaysOpenWhenOnlySomeAreRefused) {
  EXPECT_EQ(FaultGate(plan_of("refuse p=0.5")).next(start).action, Action::accept);
  EXPECT_EQ(FaultGate(plan_of("refuse connection=2-")).next(start).action, Action::accept);
}

TEST(FaultGate, SpacesConnectionsEvenly) {
  FaultGate gate(plan_of("accept_rate=5/s"));
  EXPECT_EQ(gate.next(start).action, Action::accept) << "the first need not wait";
  EXPECT_TRUE(gate.admit(start));
  EXPECT_EQ(gate.next(start).action, Action::wait);
  EXPECT_EQ(gate.next(start).at, start + 200ms);
  EXPECT_EQ(gate.next(start + 200ms).action, Action::accept);
}

// 1 000 wake-ups, each a millisecond late, must not add up to a second.
TEST(FaultGate, KeepsItsPaceThoughItWakesLate) {
  FaultGate gate(plan_of("accept_rate=10/s"));
  auto now = start;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(gate.admit(now));
    now = gate.next(now).at + 1ms;
  }
  EXPECT_LT(now, start + 1000 * 100ms + 2ms);
  EXPECT_GE(now, start + 999 * 100ms);
}

TEST(FaultGate, DoesNotSaveUpWhatWasNotUsed) {
  FaultGate gate(plan_of("accept_rate=10/s"));
  EXPECT_TRUE(gate.admit(start));
  EXPECT_TRUE(gate.admit(start + 10s));
  EXPECT_EQ(gate.next(start + 10s).action, Action::wait);
}

TEST(FaultGate, RefusesThoseThatComeTooEarly) {
  FaultGate gate(plan_of("accept_limit=5/s"));
  EXPECT_TRUE(gate.admit(start));
  EXPECT_EQ(gate.next(start + 199ms).action, Action::accept);
  EXPECT_FALSE(gate.admit(start + 199ms));
  EXPECT_TRUE(gate.admit(start + 200ms)) << "the refused one does not count";
}

TEST(FaultGate, TakesANewPlan) {
  FaultGate gate(plan_of("refuse"));
  gate.apply(plan_of("none", start + 1s));
  EXPECT_EQ(gate.next(start + 1s).action, Action::accept);
}

}  // namespace
}  // namespace belay::testkit
