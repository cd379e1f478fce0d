#include "belay/testkit/fault_plan.hpp"

#include <gtest/gtest.h>

#include "belay/core/error.hpp"

namespace belay::testkit {
namespace {

using namespace std::chrono_literals;

std::string failure_of(std::string_view text) {
  try {
    (void)FaultPlan::parse(text);
  } catch (Error const& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::request);
    EXPECT_EQ(error.send_state(), SendState::never_sent);
    return error.what();
  }
  return "accepted";
}

Fault only_fault_of(std::string_view text) {
  auto const plan = FaultPlan::parse(text);
  if (plan.rules().size() != 1 || plan.rules()[0].faults.size() != 1) throw std::logic_error(std::string(text));
  return plan.rules()[0].faults[0];
}

TEST(FaultPlan, ReadsEachFault) {
  struct Case {
    char const* text;
    FaultKind kind;
    std::chrono::nanoseconds duration;
    std::uint64_t bytes;
    bool up;
    bool down;
  };
  for (auto const& expected : {Case{"latency=20ms", FaultKind::latency, 20ms, 0, true, true},
                               Case{"jitter=1s500ms:up", FaultKind::jitter, 1500ms, 0, true, false},
                               Case{"bandwidth=64KiB/s", FaultKind::bandwidth, 0ns, 65536, true, true},
                               Case{"bandwidth=1MB/s:down", FaultKind::bandwidth, 0ns, 1'000'000, false, true},
                               Case{"fragment=1", FaultKind::fragment, 0ns, 1, true, true},
                               Case{"cut", FaultKind::cut, 0ns, 0, true, true},
                               Case{"cut=1024:up", FaultKind::cut, 0ns, 1024, true, false},
                               Case{"rst", FaultKind::rst, 0ns, 0, true, true},
                               Case{"rst=100:down", FaultKind::rst, 0ns, 100, false, true},
                               Case{"half_close=2KiB:down", FaultKind::half_close, 0ns, 2048, false, true},
                               Case{"stall=0:up", FaultKind::stall, 0ns, 0, true, false},
                               Case{"blackhole", FaultKind::blackhole, 0ns, 0, true, true},
                               Case{"blackhole=both", FaultKind::blackhole, 0ns, 0, true, true},
                               Case{"blackhole=up", FaultKind::blackhole, 0ns, 0, true, false},
                               Case{"blackhole=down", FaultKind::blackhole, 0ns, 0, false, true},
                               Case{"forget", FaultKind::forget, 0ns, 0, true, true},
                               Case{"hold", FaultKind::hold, 0ns, 0, true, true},
                               Case{"refuse", FaultKind::refuse, 0ns, 0, true, true},
                               Case{"accept_delay=1s", FaultKind::accept_delay, 1s, 0, true, true},
                               Case{"accept_rate=5/s", FaultKind::accept_rate, 200ms, 0, true, true},
                               Case{"accept_limit=30/m", FaultKind::accept_limit, 2s, 0, true, true}}) {
    SCOPED_TRACE(expected.text);
    auto const fault = only_fault_of(expected.text);
    EXPECT_EQ(fault.kind, expected.kind);
    EXPECT_EQ(fault.duration, expected.duration);
    EXPECT_EQ(fault.bytes, expected.bytes);
    EXPECT_EQ(fault.up, expected.up);
    EXPECT_EQ(fault.down, expected.down);
  }
}

TEST(FaultPlan, ReadsConditions) {
  auto const plan = FaultPlan::parse("rst p=0.25 connection=3-5 at=5s for=2s every=1m");
  auto const& rule = plan.rules().at(0);
  EXPECT_EQ(rule.probability, 0.25);
  EXPECT_EQ(rule.first_connection, 3U);
  EXPECT_EQ(rule.last_connection, 5U);
  EXPECT_EQ(rule.begins_after, 5s);
  EXPECT_EQ(rule.lasts, 2s);
  EXPECT_EQ(rule.period, 60s);
  EXPECT_EQ(FaultPlan::parse("rst connection=3").rules()[0].last_connection, 3U);
  EXPECT_TRUE(FaultPlan::parse("rst connection=3-").rules()[0].concerns(1'000'000));
  EXPECT_FALSE(FaultPlan::parse("rst connection=3-").rules()[0].concerns(2));
}

TEST(FaultPlan, WritesWhatItReads) {
  EXPECT_EQ(FaultPlan().to_string(), "none");
  for (auto const* nothing : {"", "  ", "none", " none\n", ";", " ; "}) {
    EXPECT_TRUE(FaultPlan::parse(nothing).empty()) << nothing;
  }
  auto const plan = FaultPlan::parse("\tlatency=20ms   jitter=10ms ;cut=1:up connection=2;\n");
  EXPECT_EQ(plan.to_string(), "latency=20ms jitter=10ms; cut=1:up connection=2");
  EXPECT_EQ(FaultPlan::parse(plan.to_string()).to_string(), plan.to_string());
}

// Each sentence says what is wrong, where, and what would be right.
TEST(FaultPlan, RefusesInASentence) {
  struct Case {
    char const* text;
    char const* column;
    char const* what;
    char const* right;
  };
  for (auto const& expected : {
           Case{"latencyy=20ms", "column 1,", "'latencyy' is not a fault", "did you mean 'latency'?"},
           Case{"cut=1; half_clos=5", "column 8,", "'half_clos'", "did you mean 'half_close'?"},
           Case{"rst evry=5s", "column 5,", "'evry'", "did you mean 'every'?"},
           Case{"explode", "column 1,", "'explode' is not a fault", "faults are latency jitter"},
           Case{"latency", "column 1,", "is not a duration", "latency=20ms"},
           Case{"latency=20", "column 1,", "'20' is not a duration", "latency=20ms"},
           Case{"latency=0ms", "column 1,", "'0ms' is not a duration", "latency=20ms"},
           Case{"latency=25h", "column 1,", "up to 24h", "latency=20ms"},
           Case{"latency=20ms:left", "column 1,", "'left' is not a direction", ":up"},
           Case{"latency=20ms latency=30ms", "column 14,", "given twice", "';'"},
           Case{"latency=20ms:up latency=30ms", "column 17,", "given twice", "';'"},
           Case{"bandwidth=64KiB", "column 1,", "'64KiB'", "bandwidth=64KiB/s"},
           Case{"bandwidth=0/s", "column 1,", "number of bytes from 1", "bandwidth=64KiB/s"},
           Case{"fragment=0", "column 1,", "number of bytes from 1", "fragment=1"},
           Case{"fragment", "column 1,", "number of bytes", "fragment=1"},
           Case{"cut=-1", "column 1,", "'-1' is not a number of bytes", "cut=1024:up"},
           Case{"cut=1TB", "column 1,", "'1TB'", "units B, KiB, MiB, GiB"},
           Case{"cut=99999999999999999999", "column 1,", "is not a number of bytes", "cut=1024:up"},
           Case{"cut=1025GiB", "column 1,", "1024GiB", "cut=1024:up"},
           Case{"half_close", "column 1,", "number of bytes", "half_close=500:down"},
           Case{"blackhole=sideways", "column 1,", "'sideways' is not a direction", "blackhole=up"},
           Case{"blackhole:up", "column 1,", "no direction after a colon", "blackhole=up"},
           Case{"hold=5", "column 1,", "takes no value", "write hold"},
           Case{"accept_rate=5", "column 1,", "'5' is not a number of connections", "accept_rate=5/s"},
           Case{"accept_rate=0/s", "column 1,", "from 1 to 1000000", "accept_rate=5/s"},
           Case{"accept_rate=5/s p=0.5", "column 17,", "counts all connections", "without 'p'"},
           Case{"accept_limit=5/s connection=2-", "column 18,", "counts all connections", "without 'p'"},
           Case{"gap=1ms", "column 1,", "pause between fragments", "fragment=1 gap=1ms"},
           Case{"rst p=2", "column 5,", "'2' is not a probability", "p=0.1"},
           Case{"rst p=nan", "column 5,", "'nan' is not a probability", "p=0.1"},
           Case{"rst p=0.5:up", "column 5,", "has no direction", "leave ':up' out"},
           Case{"rst connection=0", "column 5,", "count from 1", "connection=3-5"},
           Case{"rst connection=5-3", "column 5,", "'5-3'", "connection=3-5"},
           Case{"rst at=5", "column 5,", "'5' is not a duration", "at=20ms"},
           Case{"rst every=1m", "column 5,", "'every' repeats", "for=2s every=1m"},
           Case{"rst for=2m every=1m", "column 12,", "'every' repeats", "for=2s every=1m"},
           Case{"at=5s for=1s", "column 7,", "no fault", "latency=20ms"},
           Case{"rst none", "column 5,", "stands alone", "'none'"},
           Case{"=5", "column 1,", "'' is not a fault", "faults are"},
       }) {
    auto const sentence = failure_of(expected.text);
    EXPECT_NE(sentence.find(expected.column), std::string::npos) << expected.text << ": " << sentence;
    EXPECT_NE(sentence.find(expected.what), std::string::npos) << expected.text << ": " << sentence;
    EXPECT_NE(sentence.find(expected.right), std::string::npos) << expected.text << ": " << sentence;
  }
}

TEST(FaultPlan, BoundsItsRules) {
  std::string text;
  for (std::size_t i = 0; i < FaultPlan::rules_max; ++i) text += "rst;";
  EXPECT_EQ(FaultPlan::parse(text).rules().size(), FaultPlan::rules_max);
  EXPECT_NE(failure_of(text + "rst").find("more than 64 rules"), std::string::npos);
}

TEST(FaultRule, AppliesFromItsBeginToItsEnd) {
  auto const forever = FaultPlan::parse("rst at=5s").rules()[0];
  EXPECT_FALSE(forever.occurrence(5s - 1ns));
  EXPECT_EQ(forever.next_change(0s), 5s);
  EXPECT_EQ(forever.occurrence(5s), 0U);
  EXPECT_EQ(forever.next_change(5s), std::chrono::nanoseconds::max());

  auto const once = FaultPlan::parse("rst at=5s for=2s").rules()[0];
  EXPECT_EQ(once.occurrence(7s - 1ns), 0U);
  EXPECT_EQ(once.next_change(5s), 7s);
  EXPECT_FALSE(once.occurrence(7s));
  EXPECT_EQ(once.next_change(7s), std::chrono::nanoseconds::max());
}

TEST(FaultRule, ComesAgain) {
  auto const rule = FaultPlan::parse("rst at=5s for=2s every=10s").rules()[0];
  EXPECT_EQ(rule.occurrence(6s), 0U);
  EXPECT_FALSE(rule.occurrence(7s));
  EXPECT_EQ(rule.next_change(7s), 15s);
  EXPECT_EQ(rule.occurrence(15s), 1U);
  EXPECT_EQ(rule.next_change(16s), 17s);
  EXPECT_EQ(rule.occurrence(106s), 10U);
}

}  // namespace
}  // namespace belay::testkit
