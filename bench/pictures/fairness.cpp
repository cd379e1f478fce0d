// Question: how long does a caller wait when 100 callers share 10 connections, and does anybody wait for ever? Every
// caller asks again as soon as it has given back (closed loop), and holds for 5 or 200 ms, +-50 %. Virtual time.
//
// Read: p99_over_ideal is belay's 99th percentile over that of a queue without any cost that serves in order of
// arrival, on the same hold times; target <= 1.05. belay is the real PoolCore and a hop of 20 us per handoff. The
// naive pool lets whoever gives back take again before the woken waiter has run, nine times in ten; nobody is ever
// refused there either. Points: the waits at evenly spaced ranks, and more of them in the tail.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/pictures/series.hpp"
#include "bench/pictures/simulated_pool.hpp"
#include "bench/pictures/virtual_time.hpp"

namespace belay::pictures {
namespace {

constexpr std::size_t callers = 100;
constexpr std::uint32_t connections = 10;
constexpr int turns_each = 400;        // on average: 400 waits in the last percent
constexpr int turns_to_settle_in = 4;  // until the first rush is over

/// A pool that costs nothing. With a share of 0 it serves in order of arrival: the ideal. Otherwise a caller that gives
/// back a connection and asks again at once, as all do here, gets it back with that probability, and else the waiter
/// that has waited longest gets it.
class CostlessPool {
 public:
  struct Lease {};
  using Taken = std::function<void(std::optional<Lease>)>;

  CostlessPool(double barging_share, Random random) : barging_share_(barging_share), random_(random) {}

  void acquire(Deadline, Taken taken) {
    if (free_ == 0) return waiting_.push_back(std::move(taken));
    --free_;
    taken(Lease{});
  }
  void release(Lease) {
    if (waiting_.empty() || random_.uniform() < barging_share_) {
      ++free_;
      return;
    }
    auto const taken = std::move(waiting_.front());
    waiting_.pop_front();
    taken(Lease{});
  }

 private:
  double barging_share_;
  Random random_;
  std::uint32_t free_ = connections;
  std::deque<Taken> waiting_;
};

template <class Pool>
class Callers {
 public:
  Callers(VirtualTime& time, Pool& pool, nanoseconds hold, std::uint64_t seed) : time_(time), pool_(pool), hold_(hold) {
    for (std::size_t i = 0; i < callers; ++i) callers_.push_back({Random(seed).fork(std::to_string(i))});
  }

  /// Sorted, in seconds.
  std::vector<double> waits() {
    for (auto& caller : callers_) ask(caller);
    auto const rounds = turns_each * static_cast<int>(callers / connections);
    time_.run_until(time_.now() + hold_ * rounds);
    // Those who still wait have waited that long at least.
    for (auto const& caller : callers_) {
      if (caller.waits_since) waits_.push_back(seconds(time_.now() - *caller.waits_since));
    }
    std::sort(waits_.begin(), waits_.end());
    return std::move(waits_);
  }

 private:
  struct Caller {
    Random random;
    int turns = 0;
    std::optional<time_point> waits_since{};
  };

  void ask(Caller& caller) {
    caller.waits_since = time_.now();
    pool_.acquire(Deadline::never(), [this, &caller](std::optional<typename Pool::Lease> lease) {
      if (!lease) return refused();
      auto const wait = time_.now() - *std::exchange(caller.waits_since, std::nullopt);
      if (++caller.turns > turns_to_settle_in) waits_.push_back(seconds(wait));
      auto const hold = from_seconds(seconds(hold_) * (0.5 + caller.random.uniform()));
      time_.after(hold, [this, &caller, lease = *lease] {
        pool_.release(lease);
        ask(caller);
      });
    });
  }

  static void refused() {
    std::fputs("fairness: a caller was refused, which this load must not cause\n", stderr);
    std::exit(1);
  }

  VirtualTime& time_;
  Pool& pool_;
  nanoseconds hold_;
  std::vector<Caller> callers_;
  std::vector<double> waits_;
};

std::vector<double> waits_with_belay(nanoseconds hold) {
  VirtualTime time;
  OpenGate gate;
  pool::PoolOptions options;
  options.min_idle = options.max_size = connections;
  options.max_lifetime = std::nullopt;  // a reconnect would be another question
  SimulatedPool pool(time, options, gate, Random(1), connect_at_once);
  pool.start();
  time.run_until(time.now() + std::chrono::seconds(1));
  return Callers<SimulatedPool>(time, pool, hold, 7).waits();
}

std::vector<double> waits_with_costless(nanoseconds hold, double barging_share) {
  VirtualTime time;
  CostlessPool pool(barging_share, Random(2));
  return Callers<CostlessPool>(time, pool, hold, 7).waits();
}

void print_waits(std::string const& series, std::vector<double> const& sorted) {
  // The share of acquires that waited longer than y, evenly spaced on a logarithmic axis.
  for (double longer = 1; longer > 2e-5; longer *= 0.97) print_point(series, quantile(sorted, 1 - longer), longer);
}

void compare(int hold_ms) {
  auto const hold = std::chrono::milliseconds(hold_ms);
  auto const name = "hold_" + std::to_string(hold_ms) + "ms";
  auto const ideal = waits_with_costless(hold, 0);
  auto const belay = waits_with_belay(hold);
  auto const barging = waits_with_costless(hold, 0.9);
  print_waits("ideal/" + name, ideal);
  print_waits("belay/" + name, belay);
  print_waits("barging/" + name, barging);
  auto const figure = "fairness." + name;
  print_figure(figure + ".p99_over_ideal", quantile(belay, 0.99) / quantile(ideal, 0.99));
  print_figure(figure + ".belay_p99_seconds", quantile(belay, 0.99));
  print_figure(figure + ".belay_max_seconds", belay.back());
  print_figure(figure + ".barging_p50_seconds", quantile(barging, 0.5));
  print_figure(figure + ".barging_p99_seconds", quantile(barging, 0.99));
  print_figure(figure + ".barging_max_seconds", barging.back());
}

}  // namespace
}  // namespace belay::pictures

int main() {
  belay::pictures::compare(5);
  belay::pictures::compare(200);
}
