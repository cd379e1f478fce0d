#include "belay/pool/test_shell_fixture.hpp"

// Recipe "cancel at every step" of design note C.3: one scenario, replayed with its victim cancelled after 0, 1, 2, …
// steps of the scheduler, until past its end. And the same with the victim's connection killed.

namespace belay::pool {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// One run of the scenario.
struct Scenario : ShellFixture {
  explicit Scenario(std::uint64_t seed) : ShellFixture(seed) {}
  void TestBody() override {}

  /// True when the victim had ended by itself before its step came.
  template <class Blow>
  bool play(std::uint64_t step, Blow strike) {
    options.max_size = 2;
    options.zombie_grace = 1s;
    server.connecting.takes = 10ms;
    server.signing_in.takes = 5ms;
    server.rolling_back.takes = 2ms;
    server.resetting.takes = 2ms;
    server.cleaning_up.takes = 3ms;
    server.closing.takes = 3ms;
    server.fate_after_abort = SessionFate::unknown;

    std::vector<std::shared_ptr<Task>> others;
    auto const add_other = [&] {
      others.push_back(spawn([this]() -> awaitable<void> {
        for (int i = 0; i < 3; ++i) {
          auto const lease = co_await pool().acquire({.label = "other"});
          EXPECT_EQ(lease->condition(lease.stream()), ReleaseCondition::clean) << "P9";
          co_await lease->query(4ms);
        }
      }));
    };
    add_other();
    add_other();
    bool has_begun = false;
    auto const victim = spawn([this, &has_begun]() -> awaitable<void> {
      has_begun = true;
      auto lease = co_await pool().acquire({.label = "victim"});
      co_await lease->query(6ms);
      lease->become(ReleaseCondition::session_changed);
      lease.release();
      auto second = co_await pool().acquire({.label = "victim"});
      second->become(ReleaseCondition::transaction_open);
      co_await time->wait_for(1ms);
      second.release();
      co_await time->wait_for(40s);  // idle for so long that a test comes first
      auto const third = co_await pool().acquire({.label = "victim"});
      co_await third->query(1ms);
    });
    add_other();

    // Asio 1.26 lets operation_aborted out of run() when a coroutine is cancelled before it has begun.
    while (!has_begun) world->step();
    std::uint64_t steps = 0;
    while (steps < step && !victim->has_ended && world->step()) ++steps;
    bool const is_past = victim->has_ended;
    if (!is_past) world->post([&] { strike(*this, *victim); });
    world->run_for(2min);

    EXPECT_TRUE(victim->has_ended);
    for (auto const& other : others) {
      EXPECT_TRUE(other->has_ended) << "P6: somebody waits for ever";
      EXPECT_FALSE(is_cancellation && other->failure) << other->failure->what();
    }
    expect_at_rest();
    EXPECT_LE(server.most_wires, 2U) << "P2";
    run([&]() -> awaitable<void> {
      auto const drained = co_await pool().close(Deadline::never());
      EXPECT_TRUE(drained.is_clean());
    });
    world->run();
    EXPECT_TRUE(server.wires.empty());
    EXPECT_TRUE(world->is_empty()) << world->describe();
    return is_past;
  }

  bool is_cancellation = true;
};

TEST(PoolCancellation, LosesNothingWhateverStepItComesAt) {  // P3 to P6, P9
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    std::uint64_t step = 0;
    for (bool is_past = false; !is_past; ++step) {
      SCOPED_TRACE("seed " + std::to_string(seed) + ", step " + std::to_string(step));
      Scenario scenario(seed);
      is_past =
          scenario.play(step, [](Scenario&, Task& victim) { victim.signal.emit(asio::cancellation_type::terminal); });
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(step, 40U);
  }
}

TEST(PoolCancellation, LosesNothingWhenAllConnectionsBreakAtAnyStep) {
  std::uint64_t step = 0;
  for (bool is_past = false; !is_past; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    Scenario scenario(11);
    scenario.is_cancellation = false;
    is_past = scenario.play(step, [](Scenario& scene, Task&) { scene.server.kill_all(); });
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(step, 40U);
}

TEST(PoolCancellation, LosesNothingWhenTheCallersFrameIsDestroyed) {
  // A frame is destroyed while it waits when what awaits it is: here a parallel group's loser would be, or a context's.
  // The scheduler's end does it at each step; PoolLifetimeTest has that. Here: when its turn has come, and not yet run.
  Scenario scenario(5);
  scenario.options.max_size = 1;
  auto const holder = scenario.hold(1s);
  scenario.settle();
  auto const waiting = scenario.hold(0s);
  scenario.world->run_until([&] { return holder->has_ended || waiting->has_ended; });
  scenario.world.reset();
  EXPECT_EQ(scenario.snapshot().leases, 0U);
  EXPECT_EQ(scenario.snapshot().waiting, 0U);
}

}  // namespace
}  // namespace belay::pool
