#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "belay/core/random.hpp"

namespace belay::resilience {

/// How a pause is drawn, so that callers who failed together do not come back together.
enum class Jitter {
  full,          ///< uniform in [0, nominal]: spreads most, the mean pause is half the nominal one
  equal,         ///< uniform in [nominal/2, nominal], half of it kept
  decorrelated,  ///< uniform in [base, 3 * the pause before], at most cap
  bounded        ///< uniform in [bounded_from * nominal, nominal]: the nominal pause is the stated maximum
};

struct BackoffOptions {
  std::chrono::nanoseconds base = std::chrono::milliseconds(500);  ///< the first nominal pause, 1 µs to 1 h
  std::chrono::nanoseconds cap = std::chrono::seconds(3);          ///< the longest, base to 24 h
  Jitter jitter = Jitter::full;
  double bounded_from = 0.5;  ///< for Jitter::bounded: the least share of the nominal pause, 0 to 1
};

/// The schedule of the transaction protocol itself: conflicting writers are many, brief and all due to get through.
inline constexpr BackoffOptions conflict_backoff{std::chrono::milliseconds(10), std::chrono::milliseconds(500)};

/// Refuses options outside their ranges with belay::Error(request); `owner` names them in the sentence.
void validate(BackoffOptions const&, std::string_view owner = "backoff");

/// The pause before retry number `retry` (0-based) without jitter: base * 2^retry, at most cap. The defaults give
/// 0.5, 1, 2, 3, 3 ... seconds. Cannot overflow for any `retry`.
std::chrono::nanoseconds nominal_pause(BackoffOptions const&, unsigned retry) noexcept;

/// The pauses of one call, drawn one after the other. A value without identity: copy it freely; not thread-safe.
///
/// Sources: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (full, equal, decorrelated).
class Backoff {
 public:
  /// The options must have passed validate() and outlive this: construction is cheap because every call makes one.
  explicit Backoff(BackoffOptions const& options) noexcept : options_(&options), before_(options.base) {}
  explicit Backoff(BackoffOptions const&&) = delete;

  /// The next pause; each call moves on by one doubling.
  std::chrono::nanoseconds next(Random&) noexcept;

 private:
  BackoffOptions const* options_;
  std::chrono::nanoseconds before_;  ///< the last pause, for Jitter::decorrelated
  unsigned drawn_ = 0;               ///< stops counting where doubling stops making a difference
};

/// The pause when the server asked for one: never shorter than asked, lengthened by uniform 0 to 20 % so that all who
/// were told the same do not come back at the same instant. Without pushback, `pause` itself.
std::chrono::nanoseconds with_pushback(std::chrono::nanoseconds pause, std::optional<std::chrono::nanoseconds> pushback,
                                       Random&) noexcept;

/// pause * factor, saturating. factor >= 1.
std::chrono::nanoseconds lengthened(std::chrono::nanoseconds pause, double factor) noexcept;

}  // namespace belay::resilience
