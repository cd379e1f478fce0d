#include "belay/resilience/connect_rate.hpp"

#include <algorithm>
#include <cmath>

#include "belay/resilience/detail/instant.hpp"

namespace belay::resilience {

namespace {

/// What sums of fractions of a token may be off by: less than one token in a billion.
constexpr double rounding = 1e-9;

double seconds_of(std::chrono::nanoseconds time) noexcept { return std::chrono::duration<double>(time).count(); }

}  // namespace

ConnectRate::ConnectRate(double per_second, std::uint32_t burst, Random random) noexcept
    : rate_max_(per_second), burst_(burst), random_(random), rate_(per_second), tokens_(burst) {}

bool ConnectRate::try_take(time_point now) noexcept {
  refill(now);
  if (tokens_ < 1 - rounding) return false;
  tokens_ -= 1;
  return true;
}

ConnectRate::time_point ConnectRate::next_at(time_point now) noexcept {
  refill(now);
  if (tokens_ >= 1 - rounding) return now;
  auto const wait = std::ceil((1 - tokens_) / rate_ * 1e9);
  return detail::later(now, std::chrono::nanoseconds(static_cast<std::int64_t>(wait)));
}

void ConnectRate::refill(time_point now) noexcept {
  if (now <= filled_at_) return;
  auto const passed = seconds_of(detail::elapsed(filled_at_, now));
  filled_at_ = now;
  auto const until_full = (burst_ - tokens_) / rate_;
  if (passed < until_full) {
    tokens_ += passed * rate_;
    return;
  }
  tokens_ = burst_;
  rate_ = std::min(rate_max_, rate_ + (passed - until_full) * rate_max_ / seconds_of(comes_back_in));
}

void ConnectRate::ended(Verdict verdict, std::uint32_t still_in_flight, time_point now) noexcept {
  refill(now);
  // Attempts are taken to end in the order in which they started: near enough, since it costs one halving at most.
  bool const is_from_before = answers_from_before_ > 0;
  if (is_from_before) --answers_from_before_;
  switch (verdict) {
    case Verdict::accepted: grow(now); break;
    case Verdict::refused:
      accepted_in_a_row_ = 0;
      quiet_since_ = now;
      starting_ = false;
      if (!is_from_before) halve(still_in_flight);
      break;
    case Verdict::none: break;
  }
}

void ConnectRate::grow(time_point now) noexcept {
  ++accepted_in_a_row_;
  bool const is_quiet = accepted_in_a_row_ >= run_to_double && detail::elapsed(quiet_since_, now) >= quiet_for;
  if (is_quiet) {
    accepted_in_a_row_ = 0;
    quiet_since_ = now;
  }
  rate_ = std::min(rate_max_, starting_ || is_quiet ? rate_ * 2 : rate_ + step_per_second);
}

void ConnectRate::halve(std::uint32_t still_in_flight) noexcept {
  rate_ = std::max(std::min(floor_per_second, rate_max_), rate_ / 2);
  tokens_ = std::min(tokens_, random_.uniform() - 0.5);
  answers_from_before_ = still_in_flight;
}

void ConnectRate::begin_slowly(time_point now) noexcept {
  refill(now);
  if (rate_ <= first_per_second) return;
  rate_ = first_per_second;
  starting_ = true;
}

}  // namespace belay::resilience
