#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "belay/core/text_form.hpp"

namespace belay {

class Datetime;
class Random;

/// A universally unique identifier (RFC 9562). Ordered as its bytes are, which for version 7 is by time.
class Uuid {
 public:
  using Octets = std::array<std::uint8_t, 16>;

  /// The nil UUID, all zero.
  constexpr Uuid() noexcept = default;
  constexpr explicit Uuid(Octets const& octets) noexcept : octets_(octets) {}

  /// Random. As unguessable as the generator, that is: not.
  static Uuid v4(Random&) noexcept;
  /// Milliseconds since 1970, then random bits. A time before 1970 or after the year 10889 is clamped to that range.
  static Uuid v7(Datetime, Random&) noexcept;
  /// The 36 characters 8-4-4-4-12 in hexadecimal of either case; no braces, no "urn:uuid:". Any version.
  static std::optional<Uuid> parse(std::string_view) noexcept;

  constexpr Octets const& octets() const noexcept { return octets_; }
  constexpr int version() const noexcept { return octets_[6] >> 4; }
  /// In lower case.
  std::string to_string() const;

  friend constexpr auto operator<=>(Uuid const&, Uuid const&) noexcept = default;

 private:
  Octets octets_{};
};

template <>
struct TextForm<Uuid> {
  static constexpr std::string_view what = "a UUID such as 018e3c3c-1111-7abc-8def-0123456789ab";
  static std::string to_text(Uuid const& value) { return value.to_string(); }
  static std::optional<Uuid> from_text(std::string_view text) { return Uuid::parse(text); }
};

}  // namespace belay

template <>
struct std::hash<belay::Uuid> {
  std::size_t operator()(belay::Uuid const&) const noexcept;
};
