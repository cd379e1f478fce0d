#include "belay/pool/endpoint.hpp"

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "belay/pool/test_shell_fixture.hpp"

namespace belay::pool {
namespace {

using namespace std::chrono_literals;
using resilience::HealthReason;
using resilience::HealthState;

/// The monitor's server; it outlives the world in which its connections are destroyed.
struct ProbedServer {
  FakeServer probed{nullptr};
};

/// An endpoint with a pool, whose server and whose monitor's server can be made to fail apart from each other.
struct EndpointTest : ProbedServer, ShellFixture {
  EndpointTest() {
    probed.time = time;
    guards.policy = policy_options(resilience::presets::enterprise());
    guards.policy.read.retry.retries_max = 0;
  }
  ~EndpointTest() override {
    pool_.reset();
    endpoint_.reset();
  }

  Endpoint& endpoint() {
    if (!endpoint_) {
      EndpointEnvironment environment(world->get_executor());
      environment.time = time;
      environment.random = world->random("endpoint");
      environment.on_health_change = [this](auto const& change) { changes.push_back(change.after); };
      endpoint_.emplace(guards, std::make_shared<FakeConnector>(probed), std::move(environment));
    }
    return *endpoint_;
  }
  /// With its pool attached.
  void start() {
    pool_.emplace(options, std::make_shared<FakeConnector>(server), endpoint().pool_environment());
    endpoint().attach(*pool_, [this](PoolEvent const& event) { events.push_back(event.kind); });
    endpoint().start();
    settle();
  }
  HealthState health() { return endpoint().health().state; }
  void fail_calls(int count) {
    auto const body = [](Attempt&) -> awaitable<void> {
      throw Error(ErrorClass::transport, SendState::refused, "the server failed");
      co_return;
    };
    for (int i = 0; i < count; ++i) {
      run([&]() -> awaitable<void> {
        auto policy = endpoint().policy();
        auto calling = policy.run(CallOptions(), body);
        try {
          co_await std::move(calling);
        } catch (Error const&) {
        }
      });
    }
  }

  EndpointOptions guards;
  std::vector<HealthState> changes;
  std::vector<PoolEvent::Kind> events;
  std::optional<Endpoint> endpoint_;
};

TEST_F(EndpointTest, ProbesAtOnceOnAConnectionOfItsOwn) {
  start();
  EXPECT_EQ(probed.tests, 1U);
  EXPECT_EQ(server.connects, 0U) << "the pool's server is not the monitor's business";
  EXPECT_EQ(health(), HealthState::up);
  world->run_for(35s);
  EXPECT_EQ(probed.tests, 2U);
  EXPECT_EQ(probed.connects, 1U) << "kept from probe to probe";
}

TEST_F(EndpointTest, DoesNotStartThePool) {
  options.min_idle = 2;
  start();
  EXPECT_EQ(server.connects, 0U);
}

TEST_F(EndpointTest, RefusesOptionsThatMakeNoSense) {
  guards.health.failures_to_down = 0;
  EXPECT_THROW(check(guards), Error);
  EXPECT_THROW(endpoint(), Error);
  guards = EndpointOptions();
  guards.recovery.max_connecting = 0;
  EXPECT_THROW(check(guards), Error);
  check(EndpointOptions());
}

TEST_F(EndpointTest, NoticesASilentBlackHoleInTime) {
  options.min_idle = 2;
  start();
  pool_->start();
  world->run_for(1s);
  auto const generation = snapshot().generation;
  for (auto* const far : {&probed, &server}) far->testing.hangs = far->connecting.hangs = true;
  world->run_for(33s + 5s);  // H2
  EXPECT_EQ(health(), HealthState::degraded);
  EXPECT_GT(snapshot().generation, generation) << "its connections are not to be trusted";
  EXPECT_EQ(snapshot().health, EndpointHealth::degraded);
  world->run_for(1s + 5s);
  EXPECT_EQ(health(), HealthState::down);
  EXPECT_EQ(snapshot().refill, Refill::none);
  EXPECT_EQ(endpoint().health().reason, HealthReason::probe_failed);
  EXPECT_LE(probed.wires.size(), 1U) << "a hung probe is broken off before the next";
  for (auto* const far : {&probed, &server}) far->testing.hangs = far->connecting.hangs = false;
  world->run_for(60s);
  EXPECT_EQ(health(), HealthState::up);
  EXPECT_EQ(snapshot().refill, Refill::normal);
  EXPECT_EQ(snapshot().health, EndpointHealth::up);
  EXPECT_EQ(snapshot().live(), 2U) << "filled again";
  EXPECT_EQ(changes, (std::vector{HealthState::up, HealthState::degraded, HealthState::down, HealthState::up}));
}

TEST_F(EndpointTest, IsNotDelayedByAnExhaustedPool) {
  options.max_size = 1;
  start();
  auto const holder = hold(200s);
  auto const waiting = hold(1s);
  world->run_for(100s);  // H1
  EXPECT_GE(probed.tests, 4U);
  EXPECT_EQ(health(), HealthState::up);
  EXPECT_FALSE(holder->has_ended);
}

TEST_F(EndpointTest, StopsRefillingWhileABreakerIsNotClosed) {
  start();
  fail_calls(5);
  settle();
  EXPECT_EQ(snapshot().refill, Refill::min_idle_only);
  ASSERT_NE(endpoint().policy().breaker(OperationClass::read), nullptr);
  endpoint().policy().breaker(OperationClass::read)->force_closed(time->now());
  settle();
  EXPECT_EQ(snapshot().refill, Refill::normal);
}

TEST_F(EndpointTest, KeepsTheRefillStoppedForAsLongAsAnybodyWantsIt) {
  start();
  fail_calls(5);
  probed.testing.hangs = true;
  world->run_for(45s);
  EXPECT_EQ(health(), HealthState::down);
  EXPECT_EQ(snapshot().refill, Refill::none);
  endpoint().policy().breaker(OperationClass::read)->force_closed(time->now());
  settle();
  EXPECT_EQ(snapshot().refill, Refill::none) << "the endpoint is still down";
}

TEST_F(EndpointTest, LetsABreakerProbeAsSoonAsTheEndpointAnswers) {
  start();
  probed.testing.hangs = true;
  world->run_for(40s);
  fail_calls(5);
  auto* const breaker = endpoint().policy().breaker(OperationClass::read);
  EXPECT_EQ(breaker->state(), resilience::BreakerState::open);
  probed.testing.hangs = false;
  world->run_for(20s);
  EXPECT_EQ(breaker->state(), resilience::BreakerState::half_open) << "well before its 60 s";
}

TEST_F(EndpointTest, MovesTheBreakersOnWithoutAnyCall) {
  start();
  fail_calls(5);
  auto* const breaker = endpoint().policy().breaker(OperationClass::read);
  world->run_for(80s);
  EXPECT_EQ(breaker->state(), resilience::BreakerState::half_open);
}

TEST_F(EndpointTest, LooksAtOnceWhenAConnectionBreaks) {
  start();
  auto const holder = hold(10s);
  world->run_for(2s);
  server.testing.fails.emplace(ErrorClass::transport, SendState::unknown, "reset", "ECONNRESET");
  probed.testing.hangs = true;
  auto const tests = probed.tests;
  server.kill_all();
  world->run_for(2s);
  EXPECT_GT(probed.tests, tests) << "long before the interval";
  (void)holder;
}

TEST_F(EndpointTest, ConnectsAnewWhenItsOwnConnectionIsLost) {
  start();
  world->run_for(2s);
  ASSERT_EQ(probed.connects, 1U);
  probed.kill_all();
  world->run_for(2s);
  EXPECT_EQ(probed.connects, 2U);
  EXPECT_EQ(health(), HealthState::up);
}

TEST_F(EndpointTest, AsksTheGateBeforeItConnects) {
  server.connecting.hangs = true;
  options.min_idle = 1;
  options.connect_timeout = 3s;
  guards.recovery.max_connecting = 1;
  pool_.emplace(options, std::make_shared<FakeConnector>(server), endpoint().pool_environment());
  endpoint().attach(*pool_);
  pool_->start();
  settle();
  ASSERT_EQ(server.connecting_now, 1U);
  endpoint().start();
  settle();
  EXPECT_EQ(probed.connects, 0U) << "the pool's attempt has the only ticket";
  server.connecting.hangs = false;
  world->run_for(10s);
  EXPECT_EQ(health(), HealthState::up);
}

TEST_F(EndpointTest, GivesItsTicketBackWhateverEndsTheAttempt) {
  guards.recovery.max_connecting = 1;
  probed.connecting.hangs = true;
  start();
  ASSERT_EQ(probed.connecting_now, 1U);
  run([&]() -> awaitable<void> { return endpoint().close(Deadline::in(1s)); });
  settle();
  EXPECT_EQ(probed.connecting_now, 0U);
  auto const lease = hold(1ms);
  world->run_for(1s);
  EXPECT_TRUE(lease->has_ended) << "the pool may connect";
  EXPECT_FALSE(lease->failure);
}

TEST_F(EndpointTest, HearsWhatThePoolLearnsByConnecting) {
  probed.connecting.fails.emplace(ErrorClass::transport, SendState::never_sent, "refused", "ECONNREFUSED");
  server.connecting = probed.connecting;
  start();
  world->run_for(1s);
  EXPECT_EQ(health(), HealthState::down) << "refused, and none is alive";
  EXPECT_EQ(endpoint().health().reason, HealthReason::connection_refused);
  EXPECT_EQ(endpoint().health().engine_code, "ECONNREFUSED");
}

TEST_F(EndpointTest, PassesThePoolsEventsOn) {
  start();
  auto const lease = hold(1ms);
  world->run_for(1s);
  EXPECT_EQ(events, std::vector{PoolEvent::Kind::connection_opened});
}

TEST_F(EndpointTest, SaysGoodByeAndLeavesNothingBehind) {
  start();
  run([&]() -> awaitable<void> { return endpoint().close(Deadline::at(time->now() + 1s)); });
  EXPECT_EQ(probed.good_byes, 1U);
  EXPECT_TRUE(probed.wires.empty());
  run([&]() -> awaitable<void> { return endpoint().close(Deadline::at(time->now() + 1s)); });
  pool_.reset();
  world->run();
  EXPECT_TRUE(world->is_empty()) << world->describe();
  EXPECT_EQ(probed.tests, 1U);
}

TEST_F(EndpointTest, EndsAProbeThatHangsWhenItIsClosed) {
  probed.testing.hangs = true;
  start();
  run([&]() -> awaitable<void> { return endpoint().close(Deadline::at(time->now() + 1s)); });
  pool_.reset();
  world->run();
  EXPECT_TRUE(world->is_empty()) << world->describe();
  EXPECT_TRUE(probed.wires.empty());
}

TEST_F(EndpointTest, EndsWithItsLastHandle) {
  start();
  pool_.reset();
  auto copy = endpoint_;
  endpoint_.reset();
  settle();
  EXPECT_EQ(probed.wires.size(), 1U) << "a copy is a handle too";
  copy.reset();
  world->run();
  EXPECT_TRUE(world->is_empty()) << world->describe();
  EXPECT_TRUE(probed.wires.empty());
}

// Of worth under AddressSanitizer, which sees what is used after its end or never freed.
TEST_F(EndpointTest, SurvivesTheEndOfItsWorld) {
  for (int const steps : {0, 1, 2, 3, 5, 8, 13, 21}) {
    FakeServer far(nullptr);
    auto here = std::make_unique<testkit::SimScheduler>(7);
    far.time = std::make_shared<testkit::SimTime>(*here);
    far.testing.takes = 1ms;
    EndpointEnvironment environment(here->get_executor());
    environment.time = far.time;
    std::optional<Endpoint> last(std::in_place, EndpointOptions(), std::make_shared<FakeConnector>(far),
                                 std::move(environment));
    std::optional<Pool<Wire>> attached(std::in_place, options, std::make_shared<FakeConnector>(far),
                                       last->pool_environment());
    last->attach(*attached);
    last->start();
    attached->start();
    for (int i = 0; i < steps; ++i) here->run_for(100us);
    here.reset();
    EXPECT_NE(last->health().state, HealthState::down);
    last->policy().breaker(OperationClass::read)->force_open(Deadline::time_point());
    last.reset();
    attached.reset();
  }
}

}  // namespace
}  // namespace belay::pool
