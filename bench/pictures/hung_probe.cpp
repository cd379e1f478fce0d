// Question: what becomes of a breaker whose probe never returns? Ten calls per second; the endpoint fails for 30 s; the
// first call admitted afterwards hangs for ever. And in a thousand longer runs, with one call per second, each probe
// hangs with a probability of a half. Virtual time.
//
// Read: belay is the real CircuitBreaker with its default options, whose permits are leased: a probe without a verdict
// is taken for a failure when its lease ends. The naive breaker waits for its one probe, as many do.
// full_traffic_after_seconds counts from the endpoint's return. probes_at_once_max must be 1. stuck_of_1000 is how many
// of 1000 runs, in each of which probes hang at random, had not closed six hours after the endpoint's return.
// late_verdicts_counted is how many of the same runs' hung probes changed the breaker when they did answer after 200 s:
// none may. Points: calls admitted per second.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "belay/resilience/circuit_breaker.hpp"
#include "bench/pictures/series.hpp"
#include "bench/pictures/virtual_time.hpp"

namespace belay::pictures {
namespace {

using namespace std::chrono_literals;
using namespace belay::resilience;

constexpr auto call_takes = 5ms;
constexpr auto fails_from = 30s;
constexpr auto fails_until = 60s;
constexpr auto late_by = 200s;  // the hung probe's answer, long after anybody cares

/// The state machine of many a library: 5 failures in a row, 60 s open, then one probe, whose verdict decides.
class BreakerWithoutLease {
 public:
  using Permit = bool;  ///< whether it is the probe

  BreakerWithoutLease(std::uint64_t, time_point) {}

  std::optional<Permit> enter(time_point now, Deadline) {
    if (is_open_ && now < open_until_) return std::nullopt;
    if (!is_open_) return false;
    if (std::exchange(is_probing_, true)) return std::nullopt;
    return true;
  }
  bool record(Permit is_probe, bool succeeded, time_point now) {
    if (is_probe) is_probing_ = false;
    if (succeeded) {
      failures_ = 0;
      if (is_probe) is_open_ = false;
    } else if (is_probe || (!is_open_ && ++failures_ == 5)) {
      failures_ = 0;
      is_open_ = true;
      open_until_ = now + 60s;
    }
    return true;
  }
  bool is_closed() const { return !is_open_; }
  std::uint32_t probes() const { return is_probing_ ? 1 : 0; }

 private:
  int failures_ = 0;
  bool is_open_ = false;
  bool is_probing_ = false;
  time_point open_until_;
};

class BelayBreaker {
 public:
  using Permit = BreakerPermit;

  BelayBreaker(std::uint64_t seed, time_point now) : breaker_(default_breaker_options(), Random(seed), now) {}

  std::optional<Permit> enter(time_point now, Deadline deadline) {
    breaker_.advance(now);
    auto const admission = breaker_.try_enter(now, deadline);
    return admission ? std::optional(admission.permit) : std::nullopt;
  }
  /// False when it came too late to count.
  bool record(Permit permit, bool succeeded, time_point now) {
    return breaker_.record(permit, succeeded ? BreakerVerdict::success : BreakerVerdict::failure, now, call_takes);
  }
  bool is_closed() const { return breaker_.state() == BreakerState::closed; }
  std::uint32_t probes() const { return breaker_.probes(); }

 private:
  CircuitBreaker breaker_;
};

struct Run {
  std::vector<double> admitted;  ///< in each second
  std::uint32_t probes_hung = 0;
  std::uint32_t probes_at_once_max = 0;
  std::uint32_t late_verdicts_counted = 0;
  std::optional<double> full_traffic_after;  ///< seconds since the endpoint's return
};

enum class HungProbes { never_answer, answer_late };

struct Traffic {
  int calls_per_second;
  nanoseconds lasts;
  bool ends_when_full;  ///< what follows is not asked for
};

/// `hangs`: whether the n-th call admitted after the failures, n from 0, is one that hangs.
template <class Breaker, class Hangs>
Run run(std::uint64_t seed, Traffic const& traffic, HungProbes how, Hangs hangs) {
  VirtualTime time;
  auto const begin = time.now();
  Breaker breaker(seed, begin);
  Run result;
  nanoseconds const gap = nanoseconds(1s) / traffic.calls_per_second;
  std::uint32_t probes_sent = 0;
  std::function<void()> const call = [&] {
    auto const now = time.now();
    auto const since = now - begin;
    auto const permit = breaker.enter(now, Deadline::at(now + 2s));
    result.probes_at_once_max = std::max(result.probes_at_once_max, breaker.probes());
    auto const second = static_cast<std::size_t>(since / 1s);
    if (result.admitted.size() <= second) result.admitted.resize(second + 1);
    if (permit) {
      ++result.admitted[second];
      bool const fails = since >= fails_from && since < fails_until;
      bool const may_hang = since >= fails_until && !breaker.is_closed();
      bool const does_hang = may_hang && hangs(probes_sent++);
      if (does_hang) ++result.probes_hung;
      if (!does_hang) {
        time.after(call_takes, [&, permit = *permit, fails] { breaker.record(permit, !fails, time.now()); });
      } else if (how == HungProbes::answer_late) {
        time.after(late_by, [&, permit = *permit] {
          if (breaker.record(permit, true, time.now())) ++result.late_verdicts_counted;
        });
      }
    }
    bool const is_last_of_second = (since + gap) / 1s != since / 1s;
    if (since >= fails_until && is_last_of_second && breaker.is_closed() && !result.full_traffic_after &&
        result.admitted[second] >= traffic.calls_per_second) {
      result.full_traffic_after = seconds(since + gap - fails_until);
    }
    if (since < traffic.lasts && !(traffic.ends_when_full && result.full_traffic_after)) time.after(gap, call);
  };
  call();
  time.run_until(begin + traffic.lasts);
  return result;
}

void print_one_hung_probe() {
  constexpr Traffic traffic{10, 600s, false};
  auto const first_only = [](std::uint32_t probe) { return probe == 0; };
  auto const belay = run<BelayBreaker>(1, traffic, HungProbes::never_answer, first_only);
  auto const naive = run<BreakerWithoutLease>(1, traffic, HungProbes::never_answer, first_only);
  for (std::size_t second = 0; second < static_cast<std::size_t>(traffic.lasts / 1s); ++second) {
    print_point("belay", static_cast<double>(second), belay.admitted[second]);
    print_point("naive", static_cast<double>(second), naive.admitted[second]);
  }
  print_figure("hung_probe.belay.probes_hung", belay.probes_hung);
  print_figure("hung_probe.belay.probes_at_once_max", belay.probes_at_once_max);
  print_figure("hung_probe.belay.full_traffic_after_seconds", belay.full_traffic_after.value_or(-1));
  double admitted_after = 0;
  for (std::size_t second = 180; second < naive.admitted.size(); ++second) admitted_after += naive.admitted[second];
  print_figure("hung_probe.naive.probes_hung", naive.probes_hung);
  print_figure("hung_probe.naive.admitted_in_last_420_seconds", admitted_after);
}

void print_many_hung_probes() {
  int stuck = 0;
  int naive_stuck = 0;
  double worst = 0;
  std::uint32_t late_verdicts_counted = 0;
  constexpr Traffic traffic{1, fails_until + 6h, true};
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    auto const one_in_two = [random = Random(seed).fork("hangs")](std::uint32_t) mutable {
      return random.uniform() < 0.5;
    };
    auto const belay = run<BelayBreaker>(seed, traffic, HungProbes::never_answer, one_in_two);
    if (!belay.full_traffic_after) ++stuck;
    worst = std::max(worst, belay.full_traffic_after.value_or(0));
    late_verdicts_counted +=
        run<BelayBreaker>(seed, traffic, HungProbes::answer_late, one_in_two).late_verdicts_counted;
    auto const naive = run<BreakerWithoutLease>(seed, traffic, HungProbes::never_answer, one_in_two);
    if (!naive.full_traffic_after) ++naive_stuck;
  }
  print_figure("hung_probe.belay.stuck_of_1000", stuck);
  print_figure("hung_probe.belay.worst_full_traffic_after_seconds", worst);
  print_figure("hung_probe.belay.late_verdicts_counted", late_verdicts_counted);
  print_figure("hung_probe.naive.stuck_of_1000", naive_stuck);
}

}  // namespace
}  // namespace belay::pictures

int main() {
  belay::pictures::print_one_hung_probe();
  belay::pictures::print_many_hung_probes();
}
