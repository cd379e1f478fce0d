#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "belay/resilience/bulkhead.hpp"
#include "belay/resilience/circuit_breaker.hpp"
#include "belay/resilience/policy_core.hpp"
#include "belay/resilience/rate_limiter.hpp"
#include "coverage.hpp"
#include "plan.hpp"
#include "record.hpp"

namespace belay::simulation {

/// The rate limiter as PolicyCall wants it; L1 is checked where calls pass.
class LimiterWatch {
 public:
  using Reservation = resilience::RateReservation;

  LimiterWatch(resilience::RateLimit const& limit, time_point now, Record& record)
      : limiter_(limit, now), record_(record), level_{0, now} {}

  resilience::LimiterAnswer reserve(Reservation&, time_point now, Deadline);
  void give_back(Reservation&, time_point now);

 private:
  struct Level {
    double used = 0;  ///< of the burst
    time_point filled_at;
  };
  void promised(Reservation const&);

  resilience::RateLimiter limiter_;
  Record& record_;
  Level level_;
  std::map<std::int64_t, Level> before_;  ///< by what a reservation left: for those that are given back
};

/// The bulkhead as PolicyCall wants it; L4 is checked after every change.
class BulkheadWatch {
 public:
  struct Ticket : resilience::LaneWaiter {
    Ticket() = default;  // no aggregate: its base is not for everyone to destroy
    resilience::BulkheadPermit permit;
    std::function<void()>* turn = nullptr;
  };

  BulkheadWatch(resilience::BulkheadOptions const& options, Timeline& timeline, Record& record)
      : bulkhead_(options, timeline.now()), timeline_(timeline), record_(record) {}

  resilience::BulkheadAnswer enter(Ticket&, time_point now, Deadline);
  resilience::BulkheadAnswer accept(Ticket&, time_point now);
  void leave(Ticket&, resilience::CallEnd const&, time_point now);
  void withdraw(Ticket&, time_point now);

  /// Whom to tell about the ticket that enters next.
  void announce(std::function<void()>* turn) noexcept { turn_ = turn; }
  void check_end();

 private:
  void wake(time_point now);

  resilience::Bulkhead bulkhead_;
  Timeline& timeline_;
  Record& record_;
  std::function<void()>* turn_ = nullptr;
  std::uint32_t inside_ = 0;
};

/// A circuit breaker as PolicyCall wants it; after every input B1, B2, B3, B5 and B7 are checked, and B4 as time goes.
class BreakerWatch {
 public:
  struct Permit {
    resilience::BreakerPermit permit;
    time_point since;
  };
  using Wait = resilience::BreakerWait;

  BreakerWatch(resilience::BreakerOptions const&, Random, Timeline&, Record&, Coverage&);

  resilience::BreakerAnswer<Permit, Wait> try_enter(time_point now, Deadline);
  void record(Permit, resilience::BreakerSignal, time_point now);
  void stop_waiting(Wait);
  bool is_open(time_point now) const;

  time_point next_event() const noexcept { return breaker_.next_event(); }
  void advance();
  void endpoint_recovered();
  void force_open();
  void force_closed();
  void release();
  resilience::BreakerState state() const noexcept { return breaker_.state(); }

  /// Told when waiters should ask again, and when the state has changed.
  std::function<void()> news;
  std::function<void()> changed;
  void check_end();

 private:
  void after(time_point now);
  void cover(BreakerInput);
  void count_in_a_row(resilience::BreakerVerdict);
  void check_wedge(time_point now);

  resilience::BreakerOptions options_;
  resilience::CircuitBreaker breaker_;
  Timeline& timeline_;
  Record& record_;
  Coverage& coverage_;
  resilience::BreakerState state_ = resilience::BreakerState::closed;
  std::uint64_t epoch_ = 1;
  std::uint32_t probes_ = 0;  ///< permits of this half-open epoch that are out
  std::uint32_t failures_in_row_ = 0;
  time_point progress_at_{};  ///< while half open: when something was decided last
  time_point asked_at_{};
  duration open_for_{};
  std::uint64_t out_ = 0;  ///< permits not recorded yet
};

static_assert(resilience::LimiterGate<LimiterWatch>);
static_assert(resilience::BulkheadGate<BulkheadWatch>);
static_assert(resilience::BreakerGate<BreakerWatch>);

}  // namespace belay::simulation
