// R7, exhaustively: the budget's real code, run by two or three callers in every order in which their atomic steps can
// follow one another. A replaced atomic stops before each step; a scheduler lets one caller go at a time and tries all
// orders depth first.
#include <array>
#include <functional>
#include <optional>
#include <semaphore>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "belay/resilience/retry_budget.hpp"

namespace belay::resilience {
namespace {

using namespace std::chrono_literals;

/// One caller that stops before each atomic step until it is let go.
class Caller {
 public:
  Caller() : thread_([this](std::stop_token stop) { serve(stop); }) {}
  ~Caller() {
    thread_.request_stop();
    go_.release();
  }
  Caller(Caller const&) = delete;
  Caller& operator=(Caller const&) = delete;

  /// Runs the body up to its first atomic step.
  void begin(std::function<void()> body) {
    body_ = std::move(body);
    is_done_ = false;
    step();
  }
  /// Lets it make one atomic step and run on to the next.
  void step() {
    go_.release();
    stopped_.acquire();
  }
  bool is_done() const { return is_done_; }

  static void stop_here() {
    if (current) current->park();
  }

 private:
  void park() {
    stopped_.release();
    go_.acquire();
  }
  void serve(std::stop_token const& stop) {
    current = this;
    for (;;) {
      go_.acquire();
      if (stop.stop_requested()) return;
      body_();
      is_done_ = true;
      stopped_.release();
    }
  }

  static thread_local Caller* current;
  std::binary_semaphore go_{0};
  std::binary_semaphore stopped_{0};
  std::function<void()> body_;
  bool is_done_ = true;
  std::jthread thread_;
};

thread_local Caller* Caller::current = nullptr;

template <class T>
class SteppedAtomic {
 public:
  explicit SteppedAtomic(T value) : value_(value) {}
  T load(std::memory_order) const {
    Caller::stop_here();
    return value_;
  }
  bool compare_exchange_weak(T& expected, T desired, std::memory_order) {
    Caller::stop_here();
    if (value_ != expected) {
      expected = value_;
      return false;
    }
    value_ = desired;
    return true;
  }

 private:
  T value_;
};

using SteppedBudget = BasicRetryBudget<SteppedAtomic>;

/// Runs `bodies` on a fresh budget in every order of their steps; `check` looks at it after each step, `finally` at the
/// end. Returns the number of orders.
int explore(RetryBudgetOptions const& options, std::function<std::vector<std::function<void()>>(SteppedBudget&)> bodies,
            std::function<void(SteppedBudget&)> check, std::function<void(SteppedBudget&)> finally) {
  std::array<Caller, 3> callers;
  struct Choice {
    std::size_t taken;
    std::vector<std::size_t> open;
  };
  std::vector<Choice> path;
  int orders = 0;
  do {
    SteppedBudget budget(Deadline::time_point(), options);
    auto const programs = bodies(budget);
    for (std::size_t i = 0; i < programs.size(); ++i) callers[i].begin(programs[i]);
    for (std::size_t depth = 0;; ++depth) {
      std::vector<std::size_t> open;
      for (std::size_t i = 0; i < programs.size(); ++i) {
        if (!callers[i].is_done()) open.push_back(i);
      }
      if (open.empty()) break;
      if (depth == path.size()) path.push_back({0, open});
      callers[path[depth].open[path[depth].taken]].step();
      check(budget);
    }
    finally(budget);
    ++orders;
    while (!path.empty() && path.back().taken + 1 == path.back().open.size()) path.pop_back();
    if (!path.empty()) ++path.back().taken;
  } while (!path.empty());
  return orders;
}

constexpr Deadline::time_point at(std::chrono::milliseconds time) { return Deadline::time_point() + time; }

auto withdraw(SteppedBudget& budget, int& successes, std::chrono::milliseconds time = 0ms) {
  return [&budget, &successes, time] { successes += budget.try_withdraw(at(time)); };
}
auto deposit(SteppedBudget& budget, std::chrono::milliseconds time = 0ms) {
  return [&budget, time] { budget.deposit(at(time)); };
}

struct RetryBudgetInterleaving : testing::Test {
  int successes = 0;
  std::function<void(SteppedBudget&)> stays_within(double cap) {
    return [cap](SteppedBudget& budget) {
      ASSERT_GE(budget.balance(at(0ms)), 0);
      ASSERT_LE(budget.balance(at(0ms)), cap);
    };
  }
};

TEST_F(RetryBudgetInterleaving, GivesTheLastTokenToExactlyOneOfThreeR7) {
  auto const orders = explore(
      {.floor_per_second = 0, .cap_min = 1, .initial = 1},
      [&](SteppedBudget& budget) -> std::vector<std::function<void()>> {
        successes = 0;
        return {withdraw(budget, successes), withdraw(budget, successes), withdraw(budget, successes)};
      },
      stays_within(1), [&](SteppedBudget&) { ASSERT_EQ(successes, 1); });
  EXPECT_GE(orders, 1000)
      << "9 steps of 3 callers interleave in at most 1680 ways; fewer where a caller gives up early";
}

TEST_F(RetryBudgetInterleaving, LosesNoDepositAndNoWithdrawalR7) {
  auto const orders = explore(
      {.deposit_per_call = 1, .floor_per_second = 0, .cap_min = 5, .initial = 1},
      [&](SteppedBudget& budget) -> std::vector<std::function<void()>> {
        successes = 0;
        return {withdraw(budget, successes), deposit(budget), withdraw(budget, successes)};
      },
      stays_within(5),
      [&](SteppedBudget& budget) {
        ASSERT_GE(successes, 1);
        ASSERT_DOUBLE_EQ(budget.balance(at(0ms)), 2 - successes);
      });
  EXPECT_GE(orders, 1000);
}

TEST_F(RetryBudgetInterleaving, NeverLiftsTheBalanceAboveTheCapR7) {
  explore(
      {.deposit_per_call = 1, .floor_per_second = 0, .cap_min = 2, .initial = 1},
      [&](SteppedBudget& budget) -> std::vector<std::function<void()>> {
        return {deposit(budget), deposit(budget)};
      },
      stays_within(2), [&](SteppedBudget& budget) { ASSERT_DOUBLE_EQ(budget.balance(at(0ms)), 2); });
}

TEST_F(RetryBudgetInterleaving, PaysInASecondOnceR7) {
  explore(
      {.initial = 0},
      [&](SteppedBudget& budget) -> std::vector<std::function<void()>> {
        successes = 0;
        return {withdraw(budget, successes, 1000ms), withdraw(budget, successes, 1000ms),
                withdraw(budget, successes, 400ms)};
      },
      stays_within(10),
      [&](SteppedBudget& budget) {
        ASSERT_EQ(successes, 1);
        ASSERT_DOUBLE_EQ(budget.balance(at(1000ms)), 0);
      });
}

}  // namespace
}  // namespace belay::resilience
