#include "belay/resilience/backoff.hpp"

#include <algorithm>

#include "belay/resilience/detail/instant.hpp"
#include "belay/resilience/detail/option_check.hpp"

namespace belay::resilience {

namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

/// 2^63 ns are 292 years: no pause of ours, and still far from where a double turns into a wrong integer.
constexpr nanoseconds longest = 24h * 365 * 100;

nanoseconds scaled(nanoseconds time, double factor) noexcept {
  auto const product = static_cast<double>(time.count()) * factor;
  return product < static_cast<double>(longest.count()) ? nanoseconds(static_cast<nanoseconds::rep>(product)) : longest;
}

/// Uniform in [low, high], both possible; low <= high, both >= 0.
nanoseconds between(nanoseconds low, nanoseconds high, Random& random) noexcept {
  auto const width = static_cast<std::uint64_t>((high - low).count());
  return low + nanoseconds(static_cast<nanoseconds::rep>(random.below(width + 1)));
}

}  // namespace

void validate(BackoffOptions const& options, std::string_view owner) {
  detail::require_range(owner, "base", options.base, 1us, 1h);
  detail::require_range(owner, "cap", options.cap, options.base, 24h);
  detail::require_range(owner, "bounded_from", options.bounded_from, 0, 1);
}

nanoseconds nominal_pause(BackoffOptions const& options, unsigned retry) noexcept {
  // 2^62 ns already lies beyond any cap.
  return detail::doubled(options.base, options.cap, static_cast<int>(std::min(retry, 62u)));
}

nanoseconds Backoff::next(Random& random) noexcept {
  auto const nominal = nominal_pause(*options_, drawn_);
  if (drawn_ < 62) ++drawn_;
  switch (options_->jitter) {  // no default: the compiler reports a missing enumerator
    case Jitter::full: return between(0ns, nominal, random);
    case Jitter::equal: return between(nominal / 2, nominal, random);
    case Jitter::decorrelated:
      before_ = std::min(options_->cap, between(options_->base, before_ * 3, random));  // 3 * 24 h: far from overflow
      return before_;
    case Jitter::bounded: return between(scaled(nominal, options_->bounded_from), nominal, random);
  }
  return nominal;
}

nanoseconds with_pushback(nanoseconds pause, std::optional<nanoseconds> pushback, Random& random) noexcept {
  if (!pushback || *pushback <= 0ns) return pause;
  auto const floor = std::min(*pushback, longest);
  return std::max(pause, between(floor, scaled(floor, 1.2), random));
}

nanoseconds lengthened(nanoseconds pause, double factor) noexcept { return scaled(pause, factor); }

}  // namespace belay::resilience
