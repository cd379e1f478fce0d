// The two-phase handoff, exhaustively: a few callers, one connection, in every order in which their steps, the loss of
// the connection and the answers to the pool's wishes can follow one another. A step is one input to the core, which is
// what the shell's lock makes of it: between being offered a connection and accepting it, anything can happen.
#include <algorithm>
#include <cstddef>
#include <vector>

#include "belay/pool/test_pool_fixture.hpp"

namespace {

using namespace belay;
using namespace belay::pool;
using namespace std::chrono_literals;

/// Goes through all sequences of choices, depth first: a run is repeated with the first choices of the one before.
class Orders {
 public:
  std::size_t choose(std::size_t among) {
    if (at_ == choices_.size()) choices_.push_back({0, among});
    return choices_[at_++].taken;
  }
  /// False when there was no other order.
  bool next() {
    at_ = 0;
    while (!choices_.empty() && choices_.back().taken + 1 == choices_.back().among) choices_.pop_back();
    if (choices_.empty()) return false;
    ++choices_.back().taken;
    return true;
  }

 private:
  struct Choice {
    std::size_t taken;
    std::size_t among;
  };
  std::vector<Choice> choices_;
  std::size_t at_ = 0;
};

struct Handoff : PoolFixture {
  enum class Patience { waits, may_leave };
  enum class Step { acquire, accept, leave, release, lose, answer };
  enum class Stage { before, waiting, holding, over };

  struct Caller {
    Patience patience;
    Stage stage = Stage::before;
    bool was_served = false;
    bool has_left = false;
    Call call{};
  };
  struct Move {
    Step step;
    std::size_t caller = 0;
  };

  Handoff(std::vector<Patience> const& patience, bool may_lose) : may_lose_(may_lose) {
    for (auto const one : patience) callers_.push_back({one, Stage::before, false, false, {}});
    options.max_size = 1;
    open(1);
  }
  void TestBody() override {}

  void play(Orders& orders) {
    for (auto moves = possible(); !moves.empty(); moves = possible()) {
      make(moves[orders.choose(moves.size())]);
      check();
      if (testing::Test::HasFailure()) return;
    }
    check_end();
  }

 private:
  bool is_to_be_resumed(Caller const& caller) const {
    return std::find(resumed.begin(), resumed.end(), caller.call.waiter.get()) != resumed.end();
  }

  std::vector<Move> possible() const {
    std::vector<Move> moves;
    bool is_anybody_left = false;
    for (std::size_t i = 0; i < callers_.size(); ++i) {
      auto const& caller = callers_[i];
      switch (caller.stage) {
        case Stage::before: moves.push_back({Step::acquire, i}); break;
        case Stage::waiting:
          if (is_to_be_resumed(caller)) moves.push_back({Step::accept, i});
          if (caller.patience == Patience::may_leave) moves.push_back({Step::leave, i});
          break;
        case Stage::holding: moves.push_back({Step::release, i}); break;
        case Stage::over: continue;
      }
      is_anybody_left = true;
    }
    if (may_lose_ && is_anybody_left) moves.push_back({Step::lose});
    if (!actions.empty()) moves.push_back({Step::answer});
    return moves;
  }

  void make(Move const& move) {
    auto& caller = callers_[move.caller];
    switch (move.step) {
      case Step::acquire:
        caller.call = acquire();
        arrived_.push_back(move.caller);
        settle(move.caller);
        break;
      case Step::accept:
        accept(caller.call);
        settle(move.caller);
        break;
      case Step::leave:
        std::erase(resumed, caller.call.waiter.get());
        withdraw(caller.call);
        caller.stage = Stage::over;
        caller.has_left = true;
        break;
      case Step::release:
        release(caller.call);
        caller.stage = Stage::over;
        break;
      case Step::lose: {
        may_lose_ = false;
        auto const slot = pool().slot(0)->handle();
        input([&](PoolCore& machine, Actions& wanted) { machine.lost(slot, Signal::nothing, now, wanted); });
        break;
      }
      case Step::answer:
        connect_all();
        close_all();
        pass_tests();
        break;
    }
  }

  void settle(std::size_t number) {
    auto& caller = callers_[number];
    if (caller.call.result.outcome == Outcome::waiting) {
      caller.stage = Stage::waiting;
      return;
    }
    ASSERT_EQ(caller.call.result.outcome, Outcome::granted);
    caller.stage = Stage::holding;
    caller.was_served = true;
    for (auto const earlier : arrived_) {
      if (earlier == number) break;
      EXPECT_NE(callers_[earlier].stage, Stage::waiting) << "P7: " << number << " before " << earlier;
    }
  }

  void check() {
    auto const state = shot();
    std::size_t holders = 0;
    for (auto const& caller : callers_) holders += caller.stage == Stage::holding && pool().holds(caller.call.lease());
    EXPECT_LE(holders, 1U) << "P3";
    EXPECT_LE(state.taken(), 1U) << "P1";
    EXPECT_EQ(state.leases_given, state.leases_returned + state.leases_destroyed + state.leases) << "P4";
    bool is_anybody_offered = false;
    for (auto const& caller : callers_) {
      if (caller.stage == Stage::waiting) is_anybody_offered |= caller.call.state() == WaiterState::offered;
    }
    bool const is_idle = state.in(SlotState::idle) > 0;
    EXPECT_FALSE(is_idle && state.waiting > 0 && !is_anybody_offered)
        << "P6: a connection and a waiter, and nothing moves";
    EXPECT_FALSE(state.waiting > 0 && state.taken() == 0 && actions.empty()) << "P6: nobody opens one";
  }

  void check_end() {
    auto const state = shot();
    EXPECT_EQ(state.leases, 0U);
    EXPECT_EQ(state.waiting, 0U);
    EXPECT_TRUE(resumed.empty());
    for (auto const& caller : callers_) EXPECT_TRUE(caller.was_served || caller.has_left) << "P5, P6";
    EXPECT_EQ(state.in(SlotState::leased), 0U);
  }

  std::vector<Caller> callers_;
  std::vector<std::size_t> arrived_;
  bool may_lose_;
};

std::size_t play_all(std::vector<Handoff::Patience> const& patience, bool may_lose) {
  Orders orders;
  std::size_t played = 0;
  do {
    Handoff run(patience, may_lose);
    run.play(orders);
    ++played;
  } while (!testing::Test::HasFailure() && orders.next());
  return played;
}

constexpr auto waits = Handoff::Patience::waits;
constexpr auto may_leave = Handoff::Patience::may_leave;

TEST(PoolHandoff, ServesPatientCallersInEveryOrder) {
  EXPECT_EQ(play_all({waits}, false), 1U);
  EXPECT_GT(play_all({waits, waits, waits}, false), 30U);
  EXPECT_GT(play_all({waits, waits, waits, waits}, false), 500U);
}

TEST(PoolHandoff, PassesOverWhoeverLeavesInEveryOrder) {
  EXPECT_GT(play_all({waits, may_leave}, false), 5U);
  EXPECT_GT(play_all({waits, may_leave, may_leave}, false), 100U);
  EXPECT_GT(play_all({may_leave, may_leave, waits, may_leave}, false), 1000U);
}

TEST(PoolHandoff, SurvivesTheLossOfTheConnectionInEveryOrder) {
  EXPECT_GT(play_all({waits, waits}, true), 20U);
  EXPECT_GT(play_all({waits, may_leave, waits}, true), 1000U);
}

}  // namespace
