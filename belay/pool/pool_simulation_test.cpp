#include <set>

#include "belay/pool/test_shell_fixture.hpp"
#include "belay/testkit/buggify.hpp"

// Whole pools in a world that goes wrong, by seeds: hundreds of clients, a server that dies, hangs and refuses, an
// operator who cannot leave it alone. What is checked all the time is in History::check_*.

namespace belay::pool {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// One history.
class History : public ShellFixture {
 public:
  explicit History(std::uint64_t seed) : ShellFixture(seed), random_(world->random("history")) {}
  void TestBody() override {}

  enum class Memory { plenty, short_of };

  std::uint64_t play(Memory memory = Memory::plenty) {
    testkit::Buggify buggify(world->random("buggify"));
    auto const installed = buggify.install();
    is_memory_plenty_ = memory == Memory::plenty;
    for (auto const* point : {"pool.post.no_memory", "pool.start.no_memory"}) {
      buggify.set(point, is_memory_plenty_ ? 0 : 0.05);
    }
    choose_options();
    pool().on_event([this](PoolEvent const& event) { note(event); });
    pool().start();
    auto const clients = 20 + static_cast<int>(random_.below(200));
    for (int i = 0; i < clients; ++i) add_client(i);
    spawn([this] { return trouble(); });
    world->run_for(60s);
    for (auto const* point : {"pool.post.no_memory", "pool.start.no_memory"}) buggify.set(point, 0);
    server.connecting = server.signing_in = server.testing = server.closing = calm();
    server.resetting = server.rolling_back = server.cleaning_up = calm();
    pool().resume();
    pool().set_refill(Refill::normal);
    world->run_until([&] { return ended_ == started_; });  // P6: a SimulationFailure tells who waits for ever
    world->run_for(10s);
    check_end();
    return world->trace_hash();
  }

 private:
  FakeServer::Manner calm() {
    FakeServer::Manner manner;
    manner.takes = std::chrono::milliseconds(random_.below(20));
    return manner;
  }

  FakeServer::Manner stormy() {
    FakeServer::Manner manner = calm();
    switch (random_.below(6)) {
      case 0: manner.hangs = true; break;
      case 1: manner.fails = Error(ErrorClass::transport, SendState::unknown, "reset", "ECONNRESET"); break;
      case 2: manner.fails = Error(ErrorClass::transport, SendState::never_sent, "refused", "ECONNREFUSED"); break;
      case 3: manner.fails = Error(ErrorClass::overload, SendState::refused, "too many clients", "53300"); break;
      default: break;
    }
    return manner;
  }

  void choose_options() {
    options.min_idle = static_cast<std::uint32_t>(random_.below(4));
    options.max_size = options.min_idle + 1 + static_cast<std::uint32_t>(random_.below(10));
    options.max_overflow = static_cast<std::uint32_t>(random_.below(3));
    options.streams_per_connection = random_.below(3) == 0 ? 4 : 1;
    options.max_lifetime = 20s;
    options.keepalive = 5s;
    options.zombie_grace = 1s;
    options.connect_timeout = 2s;
    options.down_after = 3s;
    options.acquire_timeout = 20s;
    options.leak_warn_after = 5s;
    options.pre_ping = random_.below(2) == 0 ? PrePing::smart : PrePing::always;
    server.connecting = server.signing_in = calm();
    server.fate_after_abort = SessionFate::unknown;
  }

  void add_client(int number) {
    ++started_;
    auto const signal = std::make_shared<asio::cancellation_signal>();
    auto client = [this, seed = random_.next(), signal, number]() -> awaitable<void> {
      return live(Random(seed), signal, number);
    };
    asio::co_spawn(
        world->get_executor("client"), std::move(client),
        asio::bind_cancellation_slot(signal->slot(), [this, signal](std::exception_ptr const&) { ++ended_; }));
  }

  awaitable<void> live(Random random, std::shared_ptr<asio::cancellation_signal> signal, int number) {
    co_await time->wait_for(std::chrono::microseconds(random.below(5'000'000)));
    auto const turns = 1 + random.below(30);
    for (std::uint64_t turn = 0; turn < turns; ++turn) {
      if (random.below(30) == 0) {
        auto const at = time->now() + std::chrono::microseconds(random.below(100'000));
        world->schedule_at(at, [signal] { signal->emit(asio::cancellation_type::terminal); });
      }
      AcquireOptions wanted;
      wanted.lane = static_cast<Lane>(1 + random.below(3));
      wanted.label = "client";
      auto const budget = std::chrono::milliseconds(1 + random.below(5000));
      wanted.deadline = Deadline::at(time->now() + budget);
      if (random.below(40) == 0) wanted.kind = LeaseKind::exclusive;
      try {
        auto lease = co_await pool().acquire(wanted);
        world->note("lease", lease.slot().index, static_cast<std::uint64_t>(number));
        ++served_;
        EXPECT_FALSE(is_memory_plenty_ && time->now() > wanted.deadline.at()) << "D1, P8";
        Holding const holding(*this, lease);
        auto const takes = std::chrono::microseconds(random.below(200'000));
        auto const stream = lease.stream();
        lease.statement_started("digest");
        co_await lease->query(takes, stream);
        lease.statement_ended();
        if (random.below(10) == 0) lease->become(ReleaseCondition::session_changed, stream);
        if (random.below(10) == 0) lease->become(ReleaseCondition::transaction_open, stream);
        if (random.below(100) == 0) lease.taint();
      } catch (Error const& error) {
        ++failures_;
        EXPECT_FALSE(std::string(error.what()).empty()) << "P21";
        bool const is_refusal = !error.detail("reason").empty();
        EXPECT_FALSE(is_refusal && is_memory_plenty_ && time->now() > wanted.deadline.at()) << "P8";
        EXPECT_NE(error.detail("verdict"), "none") << "P21";
      }
      check_now();
      co_await time->wait_for(std::chrono::microseconds(random.below(300'000)));
    }
  }

  /// P3, P9: what every borrower is entitled to find.
  struct Holding {
    Holding(History& run, Lease<Wire> const& lease) : held_by(&run), slot(lease.slot()), stream(lease.stream()) {
      EXPECT_EQ(lease->condition(stream), ReleaseCondition::clean) << "P9";
      EXPECT_TRUE(lease->is_open()) << "P9";
      EXPECT_TRUE(run.held_.emplace(slot.index, slot.version, stream).second) << "P3: two holders of one stream";
      EXPECT_GE(lease.generation(), run.oldest_allowed_) << "P13";
    }
    Holding(Holding const&) = delete;
    Holding& operator=(Holding const&) = delete;
    ~Holding() { held_by->held_.erase({slot.index, slot.version, stream}); }
    History* held_by;
    SlotHandle slot;
    std::uint32_t stream;
  };

  awaitable<void> trouble() {
    for (int i = 0; i < 40; ++i) {
      co_await time->wait_for(std::chrono::milliseconds(random_.below(2500)));
      switch (random_.below(14)) {
        case 0: server.kill_all(); break;
        case 1:
        case 2:
          if (!server.wires.empty()) server.wires[random_.below(server.wires.size())]->kill();
          break;
        case 3: server.connecting = stormy(); break;
        case 4: server.signing_in = stormy(); break;
        case 5: server.testing = stormy(); break;
        case 6: server.resetting = stormy(); break;
        case 7: server.rolling_back = stormy(); break;
        case 8: server.cleaning_up = stormy(); break;
        case 9: server.closing = stormy(); break;
        case 10: invalidate(); break;
        case 11: random_.below(2) == 0 ? pool().pause() : pool().resume(); break;
        case 12: resize(); break;
        case 13: pool().set_refill(random_.below(2) == 0 ? Refill::min_idle_only : Refill::normal); break;
        default: break;
      }
      if (random_.below(3) == 0) server.connecting = server.signing_in = calm();
      check_now();
    }
  }

  void invalidate() {
    auto const how = random_.below(2) == 0 ? Invalidation::soft : Invalidation::hard;
    pool().invalidate_all(GenerationReason::operator_request, how);
    oldest_allowed_ = snapshot().generation;
  }

  void resize() {
    auto const size = 1 + static_cast<std::uint32_t>(random_.below(12));
    pool().resize({.min_idle = std::min(size, 2U), .max_size = size, .max_overflow = 1});
  }

  void note(PoolEvent const& event) {
    world->note("event", static_cast<std::uint64_t>(event.kind), event.slot.index);
    EXPECT_GE(event.at, last_event_at_) << "events out of order";
    last_event_at_ = event.at;
  }

  void check_now() {
    auto const shot = snapshot();
    EXPECT_EQ(shot.leases_given, shot.leases_returned + shot.leases_destroyed + shot.leases) << "P4";
    // Those who wait already stay when the limit is lowered, and a caller whose offer broke waits again.
    waiters_limit_ = std::max(waiters_limit_, shot.waiters_limit);
    EXPECT_LE(shot.waiting, waiters_limit_ + std::size_t{shot.taken()} * shot.streams_per_connection) << "P18";
    EXPECT_LE(server.wires.size(), shot.taken()) << "P2";
    EXPECT_LE(server.connecting_now, options.max_connecting + shot.in(SlotState::closing)) << "P14";
  }

  void check_end() {
    expect_at_rest();
    EXPECT_TRUE(held_.empty());
    EXPECT_GT(served_, 20);
    run([this]() -> awaitable<void> {
      auto const drained = co_await pool().close(Deadline::never());
      EXPECT_TRUE(drained.is_clean()) << drained.waiters_failed << " waiters, " << drained.connections_forced
                                      << " forced, " << drained.connections_abandoned << " abandoned connections, "
                                      << drained.abandoned.size() << " leases";
    });
    world->run();
    EXPECT_TRUE(server.wires.empty()) << "P19";
    EXPECT_TRUE(world->is_empty()) << world->describe();
  }

  Random random_;
  int started_ = 0;
  int ended_ = 0;
  int served_ = 0;
  int failures_ = 0;
  bool is_memory_plenty_ = true;
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> held_;
  std::size_t waiters_limit_ = 0;
  std::uint64_t oldest_allowed_ = 1;
  Deadline::time_point last_event_at_{};
};

TEST(PoolSimulation, KeepsItsPromisesWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History(seed).play();
    if (testing::Test::HasFailure()) return;
  }
}

// Every post and every start of a coroutine may fail: what was decided is done later, or reported as failed.
TEST(PoolSimulation, LosesNothingWhenMemoryIsShort) {
  for (std::uint64_t seed = 201; seed <= 215; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History(seed).play(History::Memory::short_of);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(PoolSimulation, DoesTheSameAgainForTheSameSeed) {
  std::set<std::uint64_t> hashes;
  for (std::uint64_t seed = 101; seed <= 102; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    auto const hash = History(seed).play();
    EXPECT_EQ(hash, History(seed).play());
    hashes.insert(hash);
  }
  EXPECT_EQ(hashes.size(), 2U);
}

// P7 at the size of a crowd: with one connection, equal deadlines and one lane, those who came first are served first.
TEST(PoolSimulation, ServesACrowdInItsOrder) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    struct Crowd : ShellFixture {
      using ShellFixture::ShellFixture;
      void TestBody() override {}
    } crowd(seed);
    crowd.options.max_size = 1;
    crowd.options.max_waiters = 1000;
    crowd.options.admission = std::nullopt;
    crowd.options.acquire_timeout = 1h;
    auto random = crowd.world->random("arrivals");
    std::vector<int> arrived;
    std::vector<int> served;
    for (int i = 0; i < 300; ++i) {
      crowd.spawn([&, i, pause = std::chrono::nanoseconds(random.below(1'000'000'000))]() -> asio::awaitable<void> {
        co_await crowd.time->wait_for(pause);
        arrived.push_back(i);
        auto const lease = co_await crowd.pool().acquire();
        served.push_back(i);
        co_await crowd.time->wait_for(5ms);
      });
    }
    crowd.world->run_for(1min);
    EXPECT_EQ(served.size(), 300U);
    EXPECT_EQ(served, arrived);
  }
}

}  // namespace
}  // namespace belay::pool
