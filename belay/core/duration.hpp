#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "belay/core/text_form.hpp"

namespace belay {

/// A length of time, never negative, exact to the nanosecond: what SurrealDB stores and what settings are written in.
/// Covers every non-negative int64 second.
class Duration {
 public:
  /// No time at all.
  constexpr Duration() noexcept = default;
  /// Error(request) when seconds < 0 or nanoseconds > 999'999'999.
  Duration(std::int64_t seconds, std::uint32_t nanoseconds);

  /// Error(request) when negative.
  static Duration from(std::chrono::nanoseconds);
  /// SurrealQL: whole numbers, each with its unit, in any order and added up: "1h30m", "500ms", "1y2w3d". Units: y (365
  /// days), w, d, h, m, s, ms, us or µs, ns. nullopt for anything else, such as "", "5", "1.5s", "1h 30m", a sum beyond
  /// the range.
  static std::optional<Duration> parse(std::string_view);

  constexpr std::int64_t seconds() const noexcept { return seconds_; }
  /// What follows the whole seconds: 0…999'999'999.
  constexpr std::uint32_t subsecond_nanoseconds() const noexcept { return nanoseconds_; }
  /// The whole of it; nullopt beyond 292 years.
  std::optional<std::chrono::nanoseconds> nanoseconds() const noexcept;
  /// SurrealQL, largest units first, parts that are zero left out: "1h30m", "1s500ms", "0ns".
  std::string to_string() const;

  friend constexpr auto operator<=>(Duration const&, Duration const&) noexcept = default;

 private:
  std::int64_t seconds_ = 0;
  std::uint32_t nanoseconds_ = 0;
};

template <>
struct TextForm<Duration> {
  static constexpr std::string_view what = "a duration such as 1h30m or 500ms";
  static std::string to_text(Duration const& value) { return value.to_string(); }
  static std::optional<Duration> from_text(std::string_view text) { return Duration::parse(text); }
};

}  // namespace belay
