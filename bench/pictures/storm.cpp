// Question: what happens to a server that comes back after an outage of 30 s, when 40 processes want 25 connections
// each and it can log in 50 per second? With a limiter that refuses what is too much, and with one that queues it (and
// spends a turn on logins whose clients have given up after 10 s). Virtual time; means over seeds.
//
// Read: steady_attempts_over_capacity is the logins asked for per second over the capacity, from 12 s after the
// server's return (by then every process has noticed it: pauses between probes are at most 10 s) until the ideal end;
// attempts_over_capacity is the same from the return to the last login; target of both <= 1.2. Single seconds are above
// it, see peak_attempts_per_second, the largest of all seeds. recovery_over_ideal is the time until all are connected
// over their number / 50 s; target <= 1.3 of the mean over 1000 seeds, because ten of them say anything from 1.2
// to 1.4; single ones stray to worst_recovery_over_ideal. belay is one real PoolCore and one real Recovery per process,
// none of which knows of another. In the naive pools every slot tries again 100 ms after a failure: it is back a little
// sooner from a server that refuses at no cost, and four times as late from one that pays for each attempt. The same
// for 1000 processes, which share 0.05 logins per second each, is told without a target: a process's own rate does not
// go below 0.1 per second.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "belay/resilience/recovery.hpp"
#include "bench/pictures/series.hpp"
#include "bench/pictures/simulated_pool.hpp"
#include "bench/pictures/virtual_time.hpp"

namespace belay::pictures {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t slots = 25;
constexpr double logins_per_second = 50;
constexpr auto outage = 30s;
constexpr auto round_trip = 5ms;
constexpr auto connect_timeout = 10s;
constexpr auto noticed_after = 12;    // seconds
constexpr double give_up_after = 10;  // times the ideal

enum class Limiter { refuses, queues };

/// A server whose logins are limited once it has come back; before the outage it takes everybody.
class LoginServer {
 public:
  LoginServer(VirtualTime& time, Limiter limiter, std::size_t wanted)
      : time_(time), limiter_(limiter), wanted_(wanted) {}

  void go_away() {
    filled_at_ = queue_free_at_ = time_.now() + outage;
    up_at_ = filled_at_;
  }

  void login(SimulatedPool::Connected connected) {
    auto const now = time_.now();
    if (!up_at_) return answer_in(round_trip, std::move(connected), std::nullopt);
    if (now < *up_at_) return answer_in(round_trip, std::move(connected), ErrorClass::transport);
    count(attempts, now);
    if (limiter_ == Limiter::refuses) {
      tokens_ = std::min(logins_per_second, tokens_ + seconds(now - filled_at_) * logins_per_second);
      filled_at_ = now;
      if (tokens_ < 1) return answer_in(round_trip, std::move(connected), ErrorClass::overload);
      tokens_ -= 1;
      return answer_in(round_trip, std::move(connected), std::nullopt);
    }
    queue_free_at_ = std::max(queue_free_at_, now) + from_seconds(1 / logins_per_second);
    auto const wait = queue_free_at_ - now + round_trip;
    if (wait >= connect_timeout) {
      // A little early, so that the client's own time-out and this one are not two.
      return answer_in(connect_timeout - 1ms, std::move(connected), ErrorClass::timeout_local);
    }
    answer_in(wait, std::move(connected), std::nullopt);
  }

  /// From its return until everybody was connected; nothing when that has not happened.
  std::optional<double> recovered_after() const {
    if (!all_back_at_) return std::nullopt;
    return seconds(*all_back_at_ - *up_at_);
  }
  double ideal_seconds() const { return static_cast<double>(wanted_) / logins_per_second; }

  std::vector<double> attempts;  ///< by the second since its return
  std::vector<double> logins;

 private:
  void answer_in(nanoseconds wait, SimulatedPool::Connected connected, std::optional<ErrorClass> error) {
    time_.after(wait, [this, connected = std::move(connected), error] {
      // Whoever was about to be let in when it went away is not.
      if (up_at_ && time_.now() < *up_at_) return connected(ErrorClass::transport);
      if (!error && up_at_) {
        count(logins, time_.now());
        if (++back_ == wanted_) all_back_at_ = time_.now();
      }
      connected(error);
    });
  }

  void count(std::vector<double>& per_second, time_point now) const {
    auto const second = static_cast<std::size_t>((now - *up_at_) / 1s);
    if (per_second.size() <= second) per_second.resize(second + 1);
    ++per_second[second];
  }

  VirtualTime& time_;
  Limiter limiter_;
  std::size_t wanted_;
  std::optional<time_point> up_at_;
  std::optional<time_point> all_back_at_;
  std::size_t back_ = 0;
  double tokens_ = logins_per_second;
  time_point filled_at_;
  time_point queue_free_at_;
};

/// A process as it would use belay: a pool that keeps 25 connections.
class BelayProcess {
 public:
  BelayProcess(VirtualTime& time, LoginServer& server, Random random)
      : recovery_({}, random.fork("recovery")),
        pool_(time, options(), recovery_, random.fork("pool"),
              [&server](SimulatedPool::Connected connected) { server.login(std::move(connected)); }) {}

  void start() { pool_.start(); }
  void lose_all() { pool_.lose_all(); }
  bool is_complete() const { return pool_.live() == slots; }

 private:
  static pool::PoolOptions options() {
    pool::PoolOptions options;
    options.min_idle = options.max_size = slots;
    options.connect_timeout = connect_timeout;
    return options;
  }

  resilience::Recovery recovery_;
  SimulatedPool pool_;
};

/// A process whose slots know nothing of one another.
class NaiveProcess {
 public:
  NaiveProcess(VirtualTime& time, LoginServer& server, Random random) : time_(time), server_(server), random_(random) {}

  void start() { live_ = slots; }
  void lose_all() {
    live_ = 0;
    // They notice within a round trip.
    for (std::uint32_t i = 0; i < slots; ++i) {
      time_.after(from_seconds(seconds(round_trip) * random_.uniform()), [this] { connect(); });
    }
  }
  bool is_complete() const { return live_ == slots; }

 private:
  void connect() {
    server_.login([this](std::optional<ErrorClass> error) {
      if (!error) {
        ++live_;
      } else {
        time_.after(100ms, [this] { connect(); });
      }
    });
  }

  VirtualTime& time_;
  LoginServer& server_;
  Random random_;
  std::uint32_t live_ = 0;
};

struct Storm {
  double connected_share;  ///< 1 unless it was given up
  std::vector<double> attempts;
  std::vector<double> logins;
  double recovery_over_ideal;
  double attempts_over_capacity;
  double steady_attempts_over_capacity;
  double attempts_per_login;
};

template <class Process>
Storm storm(std::size_t processes, Limiter limiter, std::uint64_t seed) {
  VirtualTime time;
  LoginServer server(time, limiter, processes * slots);
  Random const random(seed);
  std::deque<Process> all;
  for (std::size_t i = 0; i < processes; ++i) all.emplace_back(time, server, random.fork(std::to_string(i)));
  for (auto& process : all) process.start();
  // At any single instant a connection may be on its way out for its age, and its successor not there yet.
  std::vector<bool> was_complete(processes);
  for (auto const end = time.now() + 1min; time.now() < end;) {
    time.run_until(time.now() + 1s);
    for (std::size_t i = 0; i < processes; ++i) was_complete[i] = was_complete[i] || all[i].is_complete();
  }
  if (std::find(was_complete.begin(), was_complete.end(), false) != was_complete.end()) {
    std::fputs("storm: a process did not connect to a server without a limit\n", stderr);
    std::exit(1);
  }
  server.go_away();
  for (auto& process : all) process.lose_all();
  auto const give_up_at = time.now() + outage + from_seconds(server.ideal_seconds() * give_up_after);
  while (!server.recovered_after() && time.now() < give_up_at) time.run_until(time.now() + 1s);
  auto const lasted = server.recovered_after().value_or(server.ideal_seconds() * give_up_after);
  double total = 0;
  double steady = 0;
  auto const ideal_end = static_cast<std::size_t>(server.ideal_seconds());
  for (std::size_t second = 0; second < server.attempts.size(); ++second) {
    total += server.attempts[second];
    if (second >= noticed_after && second < ideal_end) steady += server.attempts[second];
  }
  double const logins = std::accumulate(server.logins.begin(), server.logins.end(), 0.0);
  return {logins / static_cast<double>(processes * slots),
          server.attempts,
          server.logins,
          lasted / server.ideal_seconds(),
          total / lasted / logins_per_second,
          steady / static_cast<double>(ideal_end - noticed_after) / logins_per_second,
          total / static_cast<double>(processes * slots)};
}

void print_course(std::string const& series, Storm const& one) {
  for (std::size_t second = 0; second < one.attempts.size(); ++second) {
    print_point(series + "/attempts", static_cast<double>(second), one.attempts[second]);
  }
  double back = 0;
  print_point(series + "/connected", 0, 0);
  for (std::size_t second = 0; second < one.logins.size(); ++second) {
    back += one.logins[second];
    print_point(series + "/connected", static_cast<double>(second + 1), back);
  }
}

template <class Process>
void measure(std::string const& name, std::size_t processes, Limiter limiter, int seeds) {
  std::string const with = limiter == Limiter::refuses ? "refusing" : "queueing";
  double connected = 1;
  double recovery = 0;
  double worst_recovery = 0;
  double attempts = 0;
  double steady = 0;
  double peak = 0;
  double per_login = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    auto const one = storm<Process>(processes, limiter, static_cast<std::uint64_t>(seed));
    connected = std::min(connected, one.connected_share);
    recovery += one.recovery_over_ideal / seeds;
    worst_recovery = std::max(worst_recovery, one.recovery_over_ideal);
    attempts += one.attempts_over_capacity / seeds;
    steady += one.steady_attempts_over_capacity / seeds;
    peak = std::max(peak, *std::max_element(one.attempts.begin(), one.attempts.end()));
    per_login += one.attempts_per_login / seeds;
    if (seed == 1 && processes == 40) print_course(name + "/" + with, one);
  }
  auto const figure = "storm." + std::to_string(processes) + "x25." + with + "." + name;
  print_figure(figure + ".connected_share", connected);
  print_figure(figure + ".attempts_over_capacity", attempts);
  print_figure(figure + ".steady_attempts_over_capacity", steady);
  print_figure(figure + ".peak_attempts_per_second", peak);
  print_figure(figure + ".attempts_per_login", per_login);
  print_figure(figure + ".recovery_over_ideal", recovery);
  print_figure(figure + ".worst_recovery_over_ideal", worst_recovery);
}

}  // namespace
}  // namespace belay::pictures

int main() {
  using namespace belay::pictures;
  for (auto const limiter : {Limiter::refuses, Limiter::queues}) {
    measure<BelayProcess>("belay", 40, limiter, 1000);
    measure<NaiveProcess>("naive", 40, limiter, 3);
    measure<BelayProcess>("belay", 1000, limiter, 1);
  }
}
