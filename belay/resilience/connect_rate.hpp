#pragma once

#include <chrono>
#include <cstdint>

#include "belay/core/deadline.hpp"
#include "belay/core/random.hpp"

namespace belay::resilience {

/// How fast one process may log in to an endpoint: a token bucket whose rate finds the process's share of a login limit
/// that it shares with processes it cannot see.
///
/// - A refused login halves the rate, once for all attempts that were under way, and empties the bucket; the next token
///   comes after a random part of 0.5 to 1.5 intervals, so that processes refused together do not return together.
/// - An accepted login adds `step_per_second`; two in a row, after `quiet_for` without a refusal, double the rate: one
///   that was halved too often by bad luck catches up when the others are done.
/// - After an outage it starts at `first_per_second` at most and doubles with each login until the first refusal.
/// - While the bucket is full, that is, while nothing is held back, the rate comes back by itself within
///   `comes_back_in`.
///
/// In any window w at most burst + per_second * w attempts are let through, whatever the answers.
///
/// The constants were chosen on test_storm.hpp: many processes that refill their pools against a limiter that refuses.
/// Larger steps refill sooner and are refused more often. A fleet of more than capacity / floor_per_second processes is
/// more than the rate alone can hold back.
///
/// Pure state: no I/O, no clock, no lock. noexcept but for the constructor, no allocation.
class ConnectRate {
 public:
  using time_point = Deadline::time_point;

  enum class Verdict {
    accepted,
    refused,  ///< by the server's login limit, or not answered in time
    none      ///< tells nothing about a login limit
  };

  static constexpr double floor_per_second = 0.1;  ///< or per_second, when that is less
  static constexpr double first_per_second = 1.5;
  static constexpr double step_per_second = 0.1;
  static constexpr int run_to_double = 2;
  static constexpr std::chrono::nanoseconds quiet_for = std::chrono::seconds(4);
  static constexpr std::chrono::nanoseconds comes_back_in = std::chrono::minutes(1);

  /// per_second  the rate while nothing is refused, and never more; > 0, checked by Recovery
  /// burst       attempts at once after a pause; >= 1
  ConnectRate(double per_second, std::uint32_t burst, Random) noexcept;

  /// Whether an attempt may start now; it takes a token if so.
  bool try_take(time_point now) noexcept;
  /// When try_take will succeed, as far as is known now.
  time_point next_at(time_point now) noexcept;
  /// An attempt has ended; `still_in_flight` others have not. Every attempt that took a token must be told.
  void ended(Verdict, std::uint32_t still_in_flight, time_point now) noexcept;
  /// The endpoint is back after an outage.
  void begin_slowly(time_point now) noexcept;

  double per_second() const noexcept { return rate_; }

 private:
  void refill(time_point now) noexcept;
  void grow(time_point now) noexcept;
  void halve(std::uint32_t still_in_flight) noexcept;

  double rate_max_;
  double burst_;
  Random random_;
  double rate_;
  double tokens_;
  time_point filled_at_ = time_point::min();
  bool starting_ = false;
  int accepted_in_a_row_ = 0;
  time_point quiet_since_ = time_point::min();
  /// Attempts that started before the last halving and have not ended: their refusals belong to it.
  std::uint32_t answers_from_before_ = 0;
};

}  // namespace belay::resilience
