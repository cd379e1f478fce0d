// A call is cancelled, or its frame destroyed, at every point where it can be: whatever it held is given back.
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "belay/pool/test_policy.hpp"

namespace belay::pool {
namespace {

namespace asio = boost::asio;
using resilience::BreakerState;

/// A simulated world's time that can still be read when the world is gone: it has stopped then.
class OutlivingTime final : public net::TimeService {
 public:
  explicit OutlivingTime(testkit::SimScheduler& world) : inner_(std::make_unique<testkit::SimTime>(world)) {}

  Clock const& clock() const noexcept override { return clock_; }
  /// Before the world is destroyed.
  void stop_at(time_point instant) noexcept { clock_.stopped_at = instant; }

 private:
  struct StoppingClock final : Clock {
    explicit StoppingClock(net::TimeService const& of) noexcept : going(of.clock()) {}
    time_point now() const noexcept override { return stopped_at ? *stopped_at : going.now(); }
    std::chrono::nanoseconds since_boot() const noexcept override { return now().time_since_epoch(); }
    Datetime wall() const override { return going.wall(); }

    Clock const& going;
    std::optional<time_point> stopped_at{};
  };

  void start_wait(time_point instant, WaitHandler handler) override {
    inner_->async_wait_until(instant, std::move(handler));
  }

  std::unique_ptr<testkit::SimTime> inner_;
  StoppingClock clock_{*inner_};
};

/// One call that meets every kind of wait: a turn at the limiter (to 1 s), a place (to 5 s), a pause after a failure
/// (to 5.5 s), the verdict of a probe (to 7 s), and its own second attempt (to 7.1 s).
class Obstacles {
 public:
  static constexpr auto start = testkit::SimScheduler::start_time();
  static constexpr auto ends_at = start + 7100ms;

  Obstacles() : world_(std::make_unique<testkit::SimScheduler>(1, first_come())), policy_(make_policy()) {
    spawn_blocker();
    world_->run_for(1ms);
    asio::co_spawn(world_->get_executor(), direct(), asio::detached);
    asio::co_spawn(world_->get_executor(), keep(policy_.run({}, body_), result_, *time_),
                   asio::bind_cancellation_slot(cancel_.slot(), asio::detached));
  }

  bool step() { return !result_.has_ended() && world_->step(); }
  void cancel() { cancel_.emit(asio::cancellation_type::terminal); }
  void destroy_world() {
    time_->stop_at(world_->now());
    world_.reset();
  }
  void finish() { world_->run(); }

  Deadline::time_point now() const { return world_->now(); }
  CallResult const& result() const { return result_; }
  unsigned attempts() const { return attempts_; }
  Policy& policy() { return policy_; }
  resilience::SharedBreaker& breaker() { return *policy_.breaker(OperationClass::read); }
  net::TimeService& time() { return *time_; }

 private:
  static testkit::SimScheduler::Options first_come() {
    testkit::SimScheduler::Options options;
    options.order = testkit::SimScheduler::Options::Order::first_in_first_out;
    return options;
  }
  Policy make_policy() {
    auto options = policy_options(resilience::presets::enterprise());
    options.rate_limit = resilience::RateLimit{1, 1};
    options.bulkhead = resilience::BulkheadOptions();
    options.bulkhead->concurrent_max = 1;
    options.read.retry.backoff.bounded_from = 1;
    options.read.breaker->extra_callers = resilience::ExtraCallers::wait;
    time_ = std::make_shared<OutlivingTime>(*world_);
    PolicyEnvironment environment;
    environment.time = time_;
    return Policy(options, std::move(environment));
  }
  void spawn_blocker() {
    asio::co_spawn(world_->get_executor(), keep(policy_.run({}, block_), blocker_, *time_), asio::detached);
  }
  /// The breaker's only probe, recorded at the end of its scope.
  struct HeldProbe {
    HeldProbe(resilience::SharedBreaker& of, net::TimeService& by)
        : breaker(of), time(by), answer(of.try_enter(by.now(), Deadline::never())) {}
    HeldProbe(HeldProbe const&) = delete;
    HeldProbe& operator=(HeldProbe const&) = delete;
    ~HeldProbe() { breaker.record(answer.permit.value(), signal, time.now()); }

    resilience::SharedBreaker& breaker;
    net::TimeService& time;
    resilience::BreakerAnswer<resilience::SharedBreaker::Permit, resilience::SharedBreaker::Wait> answer;
    resilience::BreakerSignal signal = resilience::BreakerSignal::ignored;
  };

  asio::awaitable<int> hold_place(Attempt&) {
    co_await time_->wait_until(start + 5s);
    co_return 0;
  }
  asio::awaitable<int> attempt(Attempt& attempt) {
    ++attempts_;
    if (attempt.number == 1) throw Error(ErrorClass::transport, SendState::refused, "the first attempt fails");
    co_await time_->wait_for(100ms);
    co_return 2;
  }
  /// Half opens the breaker during the pause, and holds its only probe until 7 s.
  asio::awaitable<void> direct() {
    co_await time_->wait_until(start + 5200ms);
    breaker().force_open(time_->now());
    breaker().release(time_->now());
    HeldProbe probe(breaker(), *time_);
    co_await time_->wait_until(start + 7s);
    probe.signal = resilience::BreakerSignal::success;
  }

  std::shared_ptr<OutlivingTime> time_;
  std::unique_ptr<testkit::SimScheduler> world_;
  Policy policy_;
  std::function<asio::awaitable<int>(Attempt&)> body_ = [this](Attempt& with) { return attempt(with); };
  std::function<asio::awaitable<int>(Attempt&)> block_ = [this](Attempt& with) { return hold_place(with); };
  asio::cancellation_signal cancel_;
  CallResult result_;
  CallResult blocker_;
  unsigned attempts_ = 0;
};

/// Nothing is held and nobody waits any more; every call is accounted for.
void expect_all_given_back(Obstacles& run) {
  auto const seen = run.policy().snapshot();
  EXPECT_EQ(seen.bulkhead->in_use, 0u);
  EXPECT_EQ(seen.bulkhead->waiting, 0u);
  EXPECT_EQ(run.breaker().waiting(), 0u);
  auto const& counted = seen.of(OperationClass::read).counters;
  std::uint64_t failures = 0;
  for (auto const n : counted.failures_by_class) failures += n;
  EXPECT_EQ(counted.successes + failures, counted.calls);
  auto const& breaker = seen.of(OperationClass::read).breaker->counters;
  EXPECT_EQ(breaker.admitted, breaker.successes + breaker.failures + breaker.slow + breaker.ignored + breaker.stale)
      << "each permit was recorded once";
}

TEST(PolicyInterruption, TheScenarioMeetsEveryKindOfWait) {
  Obstacles run;
  while (run.step()) {
  }
  EXPECT_EQ(run.result().value, 2);
  EXPECT_EQ(run.result().ended_at, Obstacles::ends_at);
  run.finish();
  expect_all_given_back(run);
  EXPECT_EQ(run.breaker().state(), BreakerState::closed);
}

TEST(PolicyInterruption, CancelledAtEveryStepItGivesEverythingBack) {
  std::set<std::string, std::less<>> phases;
  for (int cancelled_step = 0;; ++cancelled_step) {
    SCOPED_TRACE("cancelled after step " + std::to_string(cancelled_step));
    Obstacles run;
    int step = 0;
    while (step < cancelled_step && run.step()) ++step;
    if (run.result().has_ended()) break;
    auto const cancelled_at = run.now();
    run.cancel();
    while (run.step()) {
    }
    EXPECT_EQ(run.result().ended_at, cancelled_at) << "a cancelled call ends at once";
    if (run.result().error) {
      EXPECT_EQ(run.result().error->error_class(), ErrorClass::cancelled);
      phases.emplace(run.result().error->detail("phase"));
      EXPECT_EQ(run.result().error->detail("attempts"), std::to_string(run.attempts()));
    } else {
      EXPECT_TRUE(run.result().value) << run.result().other;  // it came too late
    }
    run.finish();
    expect_all_given_back(run);
    EXPECT_EQ(run.breaker().probes(), 0u);
  }
  EXPECT_EQ(phases, (std::set<std::string, std::less<>>{"admission", "queue", "retry_wait"}));
}

TEST(PolicyInterruption, DestroyedAtEveryStepItGivesEverythingBack) {
  for (int destroyed_step = 0;; ++destroyed_step) {
    SCOPED_TRACE("destroyed after step " + std::to_string(destroyed_step));
    Obstacles run;
    int step = 0;
    while (step < destroyed_step && run.step()) ++step;
    if (run.result().has_ended()) break;
    run.destroy_world();
    EXPECT_FALSE(run.result().has_ended());
    expect_all_given_back(run);
  }
}

TEST_F(PolicyTest, GivesItsTurnAtTheLimiterBack) {
  options.rate_limit = {.per_second = 1, .burst = 1};
  asio::cancellation_signal cancel;
  std::vector<CallResult> results(3);
  spawn(results[0]);
  world.run_for(1ms);
  spawn(results[1], cancel);
  world.run_for(1ms);
  world.post([&] { cancel.emit(asio::cancellation_type::terminal); });
  world.run_for(1ms);
  EXPECT_EQ(results[1].error->error_class(), ErrorClass::cancelled);
  spawn(results[2]);
  world.run();
  EXPECT_EQ(results[2].ended_at, start + 1s) << "not a second later";
}

TEST_F(PolicyTest, PassesThePlaceOfACancelledWaiterOn) {
  options.bulkhead = resilience::BulkheadOptions();
  options.bulkhead->concurrent_max = 1;
  server.takes = 1s;
  asio::cancellation_signal cancel;
  std::vector<CallResult> results(3);
  spawn(results[0]);
  world.run_for(1ms);
  spawn(results[1], cancel);
  world.run_for(1ms);
  spawn(results[2]);
  world.run_until([&] { return results[0].has_ended(); });  // the place is offered to the second
  cancel.emit(asio::cancellation_type::terminal);
  world.run();
  EXPECT_TRUE(results[1].error);
  EXPECT_EQ(results[2].value, 1);
  EXPECT_EQ(results[2].ended_at, start + 2s);
}

}  // namespace
}  // namespace belay::pool
