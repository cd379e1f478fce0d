#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "belay/resilience/recovery.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;
using time_point = ConnectGate::time_point;
using Phase = RecoverySnapshot::Phase;

/// Random pools at one gate: they ask, and their attempts end in every way, in any order, at any time.
class Play {
 public:
  explicit Play(std::uint64_t seed)
      : random_(seed), options_(drawn_options()), recovery_(options_, random_.fork("recovery")) {}

  void run() {
    for (int step = 0; step < 1500 && !testing::Test::HasFatalFailure(); ++step) {
      now_ += pause();
      if (random_.below(400) == 0) lose_all();
      if (random_.below(300) == 0) recovery_.credentials_renewed(now_);
      if (random_.below(2) == 0 || open_.empty()) {
        ask();
      } else {
        end_one();
      }
    }
    never_wedged();
    at_most_a_bucketful_in_any_window();
  }

 private:
  RecoveryOptions drawn_options() {
    return {.max_connecting = static_cast<std::uint32_t>(1 + random_.below(8)),
            .connect_rate = 0.5 + 40 * random_.uniform()};
  }

  std::chrono::nanoseconds pause() {
    switch (random_.below(20)) {
      case 0: return std::chrono::seconds(random_.below(30));
      case 1: return 0ns;
      default: return std::chrono::milliseconds(random_.below(200));
    }
  }

  void lose_all() {
    bool const begins = recovery_.snapshot().phase != Phase::probing;
    recovery_.lost_all(now_);
    if (begins) successes_ = 0;
  }

  void ask() {
    auto const before = recovery_.snapshot();
    auto const answer = recovery_.try_connect(now_);
    if (!answer.ticket) {
      ASSERT_GT(answer.retry_at, now_) << "asking again at once would spin";
      if (answer.retry_at != time_point::max()) return;
      ASSERT_FALSE(open_.empty()) << "nobody's end can change the answer";
      return;
    }
    open_.push_back(*answer.ticket);
    starts_.push_back(now_);
    ASSERT_LE(open_.size(), options_.max_connecting) << "P14";
    if (before.phase == Phase::probing || before.phase == Phase::untried) {
      ASSERT_EQ(open_.size(), 1u) << "P15: one attempt in flight until the first success";
      ASSERT_TRUE(answer.ticket->is_probe);
      ASSERT_GE(now_, std::max(before.next_probe_at, before.denied_until));
    }
    auto const most = successes_ >= 10 ? 1024u : 1u << successes_;
    ASSERT_LE(open_.size(), most) << "P15: from the k-th success at most 2^k";
    ASSERT_EQ(recovery_.snapshot().in_flight, open_.size());
  }

  void end_one() {
    auto const index = random_.below(open_.size());
    auto const ticket = open_[index];
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
    auto const before = recovery_.snapshot();
    bool const is_current = ticket.epoch == before.epoch;
    auto const kind = random_.below(10);
    if (kind < 5) {
      recovery_.connected(ticket, now_);
      if (is_current) ++successes_;
    } else if (kind < 9) {
      static constexpr ErrorClass errors[] = {ErrorClass::transport, ErrorClass::timeout_local, ErrorClass::overload,
                                              ErrorClass::auth,      ErrorClass::capacity,      ErrorClass::protocol};
      recovery_.failed(ticket, errors[random_.below(std::size(errors))], random_.below(30) == 0, now_);
    } else {
      recovery_.abandoned(ticket, now_);
    }
    auto const after = recovery_.snapshot();
    ASSERT_EQ(after.in_flight, open_.size());
    if (!is_current) {
      ASSERT_EQ(after.phase, before.phase) << "a late verdict decides nothing";
      ASSERT_EQ(after.allowed_in_flight, before.allowed_in_flight);
      ASSERT_EQ(after.next_probe_at, before.next_probe_at);
    }
    if (after.epoch != before.epoch) successes_ = 0;
    ASSERT_GE(after.allowed_in_flight, 1u);
    ASSERT_LE(after.allowed_in_flight, options_.max_connecting);
    ASSERT_LE(after.rate_per_second, options_.connect_rate);
  }

  /// Whatever happened before: once nothing is in flight, waiting as told leads to a ticket.
  void never_wedged() {
    for (auto const ticket : open_) recovery_.abandoned(ticket, now_);
    open_.clear();
    auto answer = recovery_.try_connect(now_);
    for (int asked = 0; !answer.ticket && asked < 10; ++asked) {
      ASSERT_LT(answer.retry_at, now_ + 2min);
      now_ = answer.retry_at;
      answer = recovery_.try_connect(now_);
    }
    EXPECT_TRUE(answer.ticket);
  }

  /// P14: in any window w at most burst + rate * w attempts, over all pools.
  void at_most_a_bucketful_in_any_window() {
    for (std::size_t first = 0; first < starts_.size(); ++first) {
      for (std::size_t last = first; last < std::min(starts_.size(), first + 200); ++last) {
        auto const window = std::chrono::duration<double>(starts_[last] - starts_[first]).count();
        auto const most = options_.max_connecting + options_.connect_rate * window;
        ASSERT_LE(static_cast<double>(last - first + 1), most + 1e-6) << "P14";
      }
    }
  }

  Random random_;
  RecoveryOptions options_;
  Recovery recovery_;
  time_point now_ = time_point() + 1h;
  std::vector<ConnectTicket> open_;
  std::vector<time_point> starts_;
  int successes_ = 0;  ///< of this epoch
};

TEST(RecoveryProperty, P14P15BoundAttemptsWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Play(seed).run();
    if (testing::Test::HasFailure()) return;
  }
}

TEST(RecoveryProperty, ReplaysARunFromItsSeed) {
  auto const trace = [](std::uint64_t seed) {
    Recovery recovery({}, Random(seed));
    std::vector<time_point> probes;
    auto now = time_point();
    recovery.lost_all(now);
    for (int i = 0; i < 20; ++i) {
      now = recovery.next_probe_at();
      probes.push_back(now);
      recovery.failed({recovery.snapshot().epoch, true}, ErrorClass::transport, false, now);
    }
    return probes;
  };
  EXPECT_EQ(trace(7), trace(7));
  EXPECT_NE(trace(7), trace(8));
}

}  // namespace
}  // namespace belay::resilience
