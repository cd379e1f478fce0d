// Question: how much useful work is done when more is asked for than can be done? Callers arrive at random (Poisson,
// open loop: nobody waits for an answer before the next one comes) at 0.5 to 10 times what 10 connections can serve;
// each wants its answer within 100 ms. Virtual time.
//
// Read: goodput is the answers within their deadline, over what the connections could have served; target >= 0.95 at
// twice the capacity. belay is the real PoolCore with its default admission. The naive pool queues everybody in
// order and drops those whose deadline has passed when their turn comes; what it serves then is too late by the time
// it is done. Both do all work they begin to the end, in time or not.
//
// The target names no distribution of the holds, and the default admission leaves 20 ms of the 100 for the work itself,
// so the goodput depends on how often a hold exceeds that. All three are judged at twice the capacity: exponential
// holds of 5 ms on average (drawn), of 10 ms (long_holds: one in seven exceeds 20 ms), and 10 ms +-50 % (even_holds:
// none does).
#include <cmath>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "bench/pictures/series.hpp"
#include "bench/pictures/simulated_pool.hpp"
#include "bench/pictures/virtual_time.hpp"

namespace belay::pictures {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t connections = 10;
constexpr auto allowed = 100ms;
constexpr auto settling_in = 5s;  // until the pool has seen hold times and the naive queue has filled
constexpr auto measured = 30s;

struct Holds {
  enum class Spread { exponential, half };
  Spread spread;
  double mean_seconds;

  double capacity_per_second() const { return connections / mean_seconds; }
};
constexpr Holds short_holds{Holds::Spread::exponential, 0.005};
constexpr Holds long_holds{Holds::Spread::exponential, 0.010};
constexpr Holds even_holds{Holds::Spread::half, 0.010};

/// In order of arrival; time-outs and nothing else.
class PoolWithTimeouts {
 public:
  struct Lease {};
  using Taken = std::function<void(std::optional<Lease>)>;

  explicit PoolWithTimeouts(VirtualTime& time) : time_(time) {}

  void acquire(Deadline deadline, Taken taken) {
    if (free_ == 0) return waiting_.push_back({deadline, std::move(taken)});
    --free_;
    taken(Lease{});
  }
  void release(Lease) {
    while (!waiting_.empty()) {
      auto const head = std::move(waiting_.front());
      waiting_.pop_front();
      if (head.deadline.expired(time_.now())) {
        head.taken(std::nullopt);
      } else {
        return head.taken(Lease{});
      }
    }
    ++free_;
  }

 private:
  struct Waiting {
    Deadline deadline;
    Taken taken;
  };

  VirtualTime& time_;
  std::uint32_t free_ = connections;
  std::deque<Waiting> waiting_;
};

template <class Pool>
class Load {
 public:
  Load(VirtualTime& time, Pool& pool, Holds holds, double times_capacity)
      : time_(time), pool_(pool), holds_(holds), mean_gap_(1 / (holds.capacity_per_second() * times_capacity)) {}

  /// Answers in time over the capacity.
  double goodput() {
    begin_ = time_.now() + settling_in;
    end_ = begin_ + measured;
    arrive_later();
    time_.run_until(end_ + 1s);
    return static_cast<double>(in_time_) / (holds_.capacity_per_second() * seconds(measured));
  }

 private:
  double exponential(double mean, Random& random) { return -mean * std::log(1 - random.uniform()); }

  void arrive_later() {
    time_.after(from_seconds(exponential(mean_gap_, arrivals_)), [this] {
      if (time_.now() >= end_) return;
      arrive();
      arrive_later();
    });
  }

  void arrive() {
    auto const deadline = Deadline::at(time_.now() + allowed);
    auto const hold =
        from_seconds(holds_.spread == Holds::Spread::half ? holds_.mean_seconds * (0.5 + hold_times_.uniform())
                                                          : exponential(holds_.mean_seconds, hold_times_));
    pool_.acquire(deadline, [this, deadline, hold](std::optional<typename Pool::Lease> lease) {
      if (!lease) return;
      time_.after(hold, [this, deadline, lease = *lease] {
        bool const counts = time_.now() >= begin_ && time_.now() < end_;
        if (counts && !deadline.expired(time_.now())) ++in_time_;
        pool_.release(lease);
      });
    });
  }

  VirtualTime& time_;
  Pool& pool_;
  Holds holds_;
  double mean_gap_;
  Random arrivals_{11};
  Random hold_times_{12};
  time_point begin_;
  time_point end_;
  std::uint64_t in_time_ = 0;
};

double goodput_of_belay(Holds holds, double times_capacity) {
  VirtualTime time;
  OpenGate gate;
  pool::PoolOptions options;
  options.min_idle = options.max_size = connections;
  SimulatedPool pool(time, options, gate, Random(1), connect_at_once);
  pool.start();
  time.run_until(time.now() + 1s);
  return Load<SimulatedPool>(time, pool, holds, times_capacity).goodput();
}

double goodput_of_timeouts(Holds holds, double times_capacity) {
  VirtualTime time;
  PoolWithTimeouts pool(time);
  return Load<PoolWithTimeouts>(time, pool, holds, times_capacity).goodput();
}

void print_goodput() {
  for (double const load : {0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0}) {
    auto const belay = goodput_of_belay(short_holds, load);
    auto const timeouts = goodput_of_timeouts(short_holds, load);
    print_point("belay", load, belay);
    print_point("timeouts", load, timeouts);
    if (load != 1.2 && load != 2.0 && load != 10.0) continue;
    std::string const at = load == 1.2 ? "overload.at_1_2x" : load == 2.0 ? "overload.at_2x" : "overload.at_10x";
    print_figure(at + ".belay_goodput", belay);
    print_figure(at + ".timeouts_goodput", timeouts);
    print_figure(at + ".long_holds.belay_goodput", goodput_of_belay(long_holds, load));
    print_figure(at + ".long_holds.timeouts_goodput", goodput_of_timeouts(long_holds, load));
    print_figure(at + ".even_holds.belay_goodput", goodput_of_belay(even_holds, load));
    print_figure(at + ".even_holds.timeouts_goodput", goodput_of_timeouts(even_holds, load));
  }
}

}  // namespace
}  // namespace belay::pictures

int main() { belay::pictures::print_goodput(); }
