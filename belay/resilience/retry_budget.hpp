#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>

#include "belay/core/deadline.hpp"

namespace belay::resilience {

struct RetryBudgetOptions {
  double deposit_per_call = 0.1;  ///< tokens that a first attempt pays in, 0 to 1, in thousandths
  unsigned floor_per_second = 1;  ///< tokens that time pays in, whole ones per second, 0 to 1000
  unsigned cap_min = 10;          ///< tokens that may always be saved up, 1 to 60 000
  unsigned initial = 10;          ///< tokens at the start, 0 to cap_min
};

/// Refuses options outside their ranges with belay::Error(request).
void validate(RetryBudgetOptions const&);

/// How many retries an endpoint is owed: one token each, paid in by first attempts and by time, so that retries stay a
/// small share of the traffic whatever fails.
///
/// One per endpoint, shared by the retries of queries (conflict replays excepted), hedges and extra connection
/// attempts. First attempts are never refused. For any span of t seconds:
///
///     attempts <= 1.1 * first attempts + 1 * t + the balance at its start          (with the defaults)
///
/// What is saved up stays below a cap: cap_min, or what first attempts paid in during the current or the last complete
/// window of ten seconds, where that is more; at most about 67 000 tokens. When traffic falls the cap falls with it.
///
/// Thread-safe and lock-free. The balance and the time of the last floor deposit share one 64-bit cell and change by
/// compare-exchange only, so nobody can act on a balance that somebody else has spent: no interleaving makes it
/// negative or lifts it above the cap in force. A caller whose `now` lags behind another's neither gains nor loses
/// tokens. A budget that nobody touches for more than four years forgets to count that time.
///
/// Atomic  std::atomic, or what a test puts in its place to try every interleaving
template <template <class> class Atomic>
class BasicRetryBudget {
 public:
  using time_point = Deadline::time_point;

  /// Throws belay::Error(request) when validate() does.
  explicit BasicRetryBudget(time_point now, RetryBudgetOptions = RetryBudgetOptions());

  /// A first attempt is being made.
  void deposit(time_point now) noexcept;
  /// Takes one token if there is one: only then may the retry be made.
  [[nodiscard]] bool try_withdraw(time_point now) noexcept;

  /// Tokens that could be withdrawn now; for display.
  double balance(time_point now) const noexcept;
  double cap(time_point now) const noexcept;

 private:
  using Word = std::uint64_t;
  static constexpr Word thousand = 1000;  // tokens are counted in thousandths, so that 1/s is 1 per millisecond
  static constexpr int token_bits = 26;
  static constexpr Word tokens_max = (Word{1} << token_bits) - 1;
  static constexpr int time_bits = 64 - token_bits;
  static constexpr int window_bits = 64 - 2 * token_bits;
  static constexpr Word window_ms = 10'000;

  struct Balance {
    Word tokens;   // thousandths, token_bits wide
    Word time_ms;  // of the last floor deposit, modulo 2^time_bits
  };
  struct Traffic {
    Word window;    // number of the current ten seconds, modulo 2^window_bits
    Word previous;  // thousandths paid in by calls during the last complete window
    Word current;   // and so far in this one
  };
  static constexpr Word pack(Balance b) noexcept { return b.time_ms << token_bits | b.tokens; }
  static constexpr Balance balance_of(Word word) noexcept { return {word & tokens_max, word >> token_bits}; }
  static constexpr Word pack(Traffic t) noexcept {
    return t.window << 2 * token_bits | t.previous << token_bits | t.current;
  }
  static constexpr Traffic traffic_of(Word word) noexcept {
    return {word >> 2 * token_bits, word >> token_bits & tokens_max, word & tokens_max};
  }
  /// to - from in numbers that wrap around at `bits`; zero when `to` is the older one.
  static constexpr Word forward(Word from, Word to, int bits) noexcept {
    auto const distance = (to - from) & ((Word{1} << bits) - 1);
    return distance >> (bits - 1) ? 0 : distance;
  }

  Word milliseconds(time_point now) const noexcept {
    if (now <= start_) return 0;
    return static_cast<Word>(std::chrono::floor<std::chrono::milliseconds>(now - start_).count());
  }
  /// Whether nobody paid in during the current or the last complete window. The windows' numbers cannot tell: they are
  /// the same again after half a day.
  static constexpr bool is_long_ago(Balance last, Word now_ms) noexcept {
    return forward(last.time_ms, now_ms & ((Word{1} << time_bits) - 1), time_bits) >= 2 * window_ms;
  }
  /// `last`: the balance as it was found, before anything else was looked at.
  static Traffic moved_on(Traffic, Balance last, Word now_ms) noexcept;
  Word cap_of(Traffic const& t) const noexcept { return std::max({cap_min_, t.previous, t.current}); }
  Balance settled(Balance, Word now_ms, Word cap) const noexcept;
  Word cap_now(Balance last, Word now_ms) const noexcept {
    return cap_of(moved_on(traffic_of(traffic_.load(std::memory_order_relaxed)), last, now_ms));
  }
  Word count(Balance last, Word now_ms) noexcept;
  Word refresh(Balance last, Word now_ms) noexcept;

  time_point start_;
  Word deposit_;
  Word floor_;
  Word cap_min_;
  Atomic<Word> balance_;
  Atomic<Word> traffic_;  // decides the cap only; no token is made or lost by it
};

using RetryBudget = BasicRetryBudget<std::atomic>;

template <template <class> class Atomic>
BasicRetryBudget<Atomic>::BasicRetryBudget(time_point now, RetryBudgetOptions options)
    : start_((validate(options), now)),
      deposit_(static_cast<Word>(std::lround(options.deposit_per_call * static_cast<double>(thousand)))),
      floor_(options.floor_per_second),
      cap_min_(options.cap_min * thousand),
      balance_(pack(Balance{options.initial * thousand, 0})),
      traffic_(pack(Traffic{0, 0, 0})) {}

template <template <class> class Atomic>
auto BasicRetryBudget<Atomic>::moved_on(Traffic traffic, Balance last, Word now_ms) noexcept -> Traffic {
  auto const window = now_ms / window_ms & ((Word{1} << window_bits) - 1);
  if (is_long_ago(last, now_ms)) return {window, 0, 0};
  switch (forward(traffic.window, window, window_bits)) {
    case 0: return traffic;
    case 1: return {window, traffic.current, 0};
    default: return {window, 0, 0};
  }
}

template <template <class> class Atomic>
auto BasicRetryBudget<Atomic>::settled(Balance balance, Word now_ms, Word cap) const noexcept -> Balance {
  auto const elapsed_ms = forward(balance.time_ms, now_ms & ((Word{1} << time_bits) - 1), time_bits);
  return {std::min(cap, balance.tokens + floor_ * elapsed_ms),
          (balance.time_ms + elapsed_ms) & ((Word{1} << time_bits) - 1)};
}

/// Counts a deposit in the traffic; the cap that follows.
template <template <class> class Atomic>
auto BasicRetryBudget<Atomic>::count(Balance last, Word now_ms) noexcept -> Word {
  auto word = traffic_.load(std::memory_order_relaxed);
  for (;;) {
    auto traffic = moved_on(traffic_of(word), last, now_ms);
    traffic.current = std::min(tokens_max, traffic.current + deposit_);
    if (traffic_.compare_exchange_weak(word, pack(traffic), std::memory_order_relaxed)) return cap_of(traffic);
  }
}

/// Moves the traffic on without a deposit, so that withdrawals alone do not make an old window look young; the cap that
/// follows. Whoever else changes it at the same time has moved it on as well.
template <template <class> class Atomic>
auto BasicRetryBudget<Atomic>::refresh(Balance last, Word now_ms) noexcept -> Word {
  auto word = traffic_.load(std::memory_order_relaxed);
  auto const traffic = moved_on(traffic_of(word), last, now_ms);
  if (pack(traffic) != word) traffic_.compare_exchange_weak(word, pack(traffic), std::memory_order_relaxed);
  return cap_of(traffic);
}

template <template <class> class Atomic>
void BasicRetryBudget<Atomic>::deposit(time_point now) noexcept {
  auto const now_ms = milliseconds(now);
  auto word = balance_.load(std::memory_order_relaxed);
  auto const cap = count(balance_of(word), now_ms);
  for (;;) {
    auto balance = settled(balance_of(word), now_ms, cap);
    balance.tokens = std::min(cap, balance.tokens + deposit_);
    if (pack(balance) == word) return;  // full since this very millisecond: most callers write nothing
    if (balance_.compare_exchange_weak(word, pack(balance), std::memory_order_relaxed)) return;
  }
}

template <template <class> class Atomic>
bool BasicRetryBudget<Atomic>::try_withdraw(time_point now) noexcept {
  auto const now_ms = milliseconds(now);
  auto word = balance_.load(std::memory_order_relaxed);
  auto const cap = refresh(balance_of(word), now_ms);
  for (;;) {
    auto balance = settled(balance_of(word), now_ms, cap);
    if (balance.tokens < thousand) return false;
    balance.tokens -= thousand;
    if (balance_.compare_exchange_weak(word, pack(balance), std::memory_order_relaxed)) return true;
  }
}

template <template <class> class Atomic>
double BasicRetryBudget<Atomic>::balance(time_point now) const noexcept {
  auto const now_ms = milliseconds(now);
  auto const last = balance_of(balance_.load(std::memory_order_relaxed));
  auto const balance = settled(last, now_ms, cap_now(last, now_ms));
  return static_cast<double>(balance.tokens) / static_cast<double>(thousand);
}

template <template <class> class Atomic>
double BasicRetryBudget<Atomic>::cap(time_point now) const noexcept {
  auto const last = balance_of(balance_.load(std::memory_order_relaxed));
  return static_cast<double>(cap_now(last, milliseconds(now))) / static_cast<double>(thousand);
}

extern template class BasicRetryBudget<std::atomic>;

}  // namespace belay::resilience
