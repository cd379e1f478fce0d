#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "belay/core/text_form.hpp"

namespace belay {

/// An instant of the calendar with nanoseconds: seconds since 1970-01-01T00:00:00Z, leap seconds not counted, and the
/// nanoseconds that follow. Covers every int64 second, so whatever an engine stores fits.
class Datetime {
 public:
  /// 1970-01-01T00:00:00Z.
  constexpr Datetime() noexcept = default;

  /// `seconds` may be negative and is rounded down: half a second before 1970 is (-1, 500'000'000).
  /// Error(request) when nanoseconds > 999'999'999.
  static Datetime from_unix(std::int64_t seconds, std::uint32_t nanoseconds);
  static Datetime from_unix_nanoseconds(std::int64_t) noexcept;
  static Datetime from(std::chrono::system_clock::time_point) noexcept;
  /// The machine's calendar; may jump. For display and durable timestamps, never for a rule.
  static Datetime now() noexcept;
  /// RFC 3339: 2024-01-02T03:04:05.678901234+01:00. 'T' and 'Z' in either case, 1 to 9 digits of fraction, any offset
  /// up to 23:59, which is converted to UTC.
  ///
  /// nullopt for everything else: dates that do not exist, a missing offset, more than 9 digits (they cannot be kept),
  /// a second of 60 (unix time has no leap seconds, and moving the instant silently would falsify it), and instants
  /// that the offset moves out of the years 0000 to 9999.
  static std::optional<Datetime> parse(std::string_view);

  constexpr std::int64_t seconds() const noexcept { return seconds_; }
  /// 0…999'999'999, counted forward from seconds().
  constexpr std::uint32_t nanoseconds() const noexcept { return nanoseconds_; }
  /// Nanoseconds since 1970; nullopt outside of 1677-09-21…2262-04-11, which int64 covers.
  std::optional<std::int64_t> unix_nanoseconds() const noexcept;
  /// RFC 3339 in UTC with the shortest fraction of 0, 3, 6 or 9 digits that is exact: "2024-01-02T03:04:05.500Z".
  /// Years outside of 0000 to 9999 are written with a sign ("+10000-01-01T00:00:00Z", ISO 8601) and not parsed.
  std::string to_string() const;

  friend constexpr auto operator<=>(Datetime const&, Datetime const&) noexcept = default;

 private:
  constexpr Datetime(std::int64_t seconds, std::uint32_t nanoseconds) noexcept
      : seconds_(seconds), nanoseconds_(nanoseconds) {}

  std::int64_t seconds_ = 0;
  std::uint32_t nanoseconds_ = 0;
};

template <>
struct TextForm<Datetime> {
  static constexpr std::string_view what = "a date and time such as 2024-01-02T03:04:05Z";
  static std::string to_text(Datetime const& value) { return value.to_string(); }
  static std::optional<Datetime> from_text(std::string_view text) { return Datetime::parse(text); }
};

}  // namespace belay
