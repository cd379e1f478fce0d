#include "belay/core/duration.hpp"

#include <array>
#include <charconv>

#include "belay/core/error.hpp"

namespace belay {

namespace {

constexpr std::uint32_t nanoseconds_per_second = 1'000'000'000;

struct Unit {
  std::string_view name;
  std::int64_t seconds;       ///< of one unit; 0 for the parts of a second
  std::uint32_t nanoseconds;  ///< of one unit; 0 for whole seconds
};

/// Largest first, as they are written.
constexpr std::array<Unit, 9> units = {{{"y", 365 * 86'400, 0},
                                        {"w", 7 * 86'400, 0},
                                        {"d", 86'400, 0},
                                        {"h", 3'600, 0},
                                        {"m", 60, 0},
                                        {"s", 1, 0},
                                        {"ms", 0, 1'000'000},
                                        {"\u00b5s", 0, 1'000},
                                        {"ns", 0, 1}}};

Unit const* unit_of(std::string_view name) noexcept {
  if (name == "us" || name == "\u03bcs") name = "\u00b5s";  // ASCII, and the Greek letter beside the micro sign
  for (auto const& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

/// Adds count units; false when the sum leaves the range.
bool add(std::int64_t& seconds, std::uint32_t& nanoseconds, std::int64_t count, Unit const& unit) noexcept {
  auto whole = count;
  if (unit.seconds == 0) {
    auto const units_per_second = nanoseconds_per_second / unit.nanoseconds;
    nanoseconds += static_cast<std::uint32_t>(count % units_per_second) * unit.nanoseconds;
    whole = count / units_per_second;
    if (nanoseconds >= nanoseconds_per_second) {
      nanoseconds -= nanoseconds_per_second;
      ++whole;  // cannot overflow: it was divided by at least 1000
    }
  } else if (__builtin_mul_overflow(count, unit.seconds, &whole)) {
    return false;
  }
  return !__builtin_add_overflow(seconds, whole, &seconds);
}

}  // namespace

Duration::Duration(std::int64_t seconds, std::uint32_t nanoseconds) : seconds_(seconds), nanoseconds_(nanoseconds) {
  if (seconds < 0 || nanoseconds >= nanoseconds_per_second) {
    throw Error(ErrorClass::request, SendState::never_sent,
                "a duration has seconds from 0 and 0 to 999999999 nanoseconds, not " + std::to_string(seconds) +
                    " and " + std::to_string(nanoseconds));
  }
}

Duration Duration::from(std::chrono::nanoseconds duration) {
  if (duration.count() < 0) {
    throw Error(ErrorClass::request, SendState::never_sent,
                "a duration cannot be negative: " + std::to_string(duration.count()) + " ns");
  }
  return {duration.count() / nanoseconds_per_second,
          static_cast<std::uint32_t>(duration.count() % nanoseconds_per_second)};
}

std::optional<Duration> Duration::parse(std::string_view text) {
  if (text.empty()) return std::nullopt;
  Duration sum;
  while (!text.empty()) {
    if (text.front() < '0' || text.front() > '9') return std::nullopt;  // from_chars would take a '-'
    std::int64_t count = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    auto const name = text.substr(0, text.find_first_of("0123456789"));
    auto const* unit = unit_of(name);
    if (unit == nullptr || !add(sum.seconds_, sum.nanoseconds_, count, *unit)) return std::nullopt;
    text.remove_prefix(name.size());
  }
  return sum;
}

std::optional<std::chrono::nanoseconds> Duration::nanoseconds() const noexcept {
  std::int64_t count = 0;
  if (__builtin_mul_overflow(seconds_, std::int64_t{nanoseconds_per_second}, &count)) return std::nullopt;
  if (__builtin_add_overflow(count, std::int64_t{nanoseconds_}, &count)) return std::nullopt;
  return std::chrono::nanoseconds(count);
}

std::string Duration::to_string() const {
  std::string text;
  auto seconds = seconds_;
  auto nanoseconds = nanoseconds_;
  for (auto const& unit : units) {
    auto const count = unit.seconds != 0 ? seconds / unit.seconds : std::int64_t{nanoseconds / unit.nanoseconds};
    if (count == 0) continue;
    text += std::to_string(count);
    text += unit.name;
    if (unit.seconds != 0) {
      seconds %= unit.seconds;
    } else {
      nanoseconds %= unit.nanoseconds;
    }
  }
  return text.empty() ? "0ns" : text;
}

}  // namespace belay
