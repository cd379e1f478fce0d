#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "belay/core/text_form.hpp"

namespace belay {

/// An exact decimal number: what PostgreSQL's numeric and SurrealDB's decimal hold.
///
/// Range: at most 131072 digits before the point and 16383 after it (PostgreSQL's numeric), and NaN, Infinity and
/// -Infinity. The number of digits after the point is kept for display ("1.50") and has no part in comparisons.
///
/// Ordered by value: -Infinity < finite numbers < Infinity < NaN, and NaN equals itself, as in PostgreSQL. There is
/// no negative zero.
class Decimal {
 public:
  static constexpr std::size_t integer_digits_max = 131072;
  static constexpr std::size_t fraction_digits_max = 16383;

  /// Zero.
  Decimal() noexcept = default;
  Decimal(std::int64_t value);

  static Decimal nan();
  static Decimal infinity();
  static Decimal negative_infinity();
  /// The double's exact value: 0.1 gives 0.1000000000000000055511151231257827021181583404541015625.
  static Decimal from_exact(double);
  /// The shortest decimal that reads back as this double: 0.1 gives 0.1. What people mean, but not the same number.
  static Decimal from_shortest(double);
  /// [+-]digits[.digits][e[+-]digits], a point needs a digit on one side of it; or nan, inf, infinity in any case, the
  /// last two also signed. nullopt for all else and beyond the range: nothing is ever rounded.
  static std::optional<Decimal> parse(std::string_view);

  bool is_nan() const noexcept { return kind_ == Kind::nan; }
  bool is_infinite() const noexcept { return kind_ == Kind::infinity; }
  bool is_finite() const noexcept { return kind_ == Kind::finite; }
  bool is_negative() const noexcept { return negative_; }
  bool is_zero() const noexcept { return is_finite() && digits_.empty(); }
  /// Digits that to_string() writes after the point; 0 for NaN and infinities.
  int scale() const noexcept { return scale_ > 0 ? scale_ : 0; }
  /// The significant digits without leading zeros, "" for zero, NaN and infinities; the value is
  /// ±digits * 10^exponent(). What a codec needs.
  std::string_view digits() const noexcept { return digits_; }
  int exponent() const noexcept { return -scale_; }

  /// Plain digits without exponent, with all of scale(): "1.50", "-0.001", "1000"; "NaN", "Infinity", "-Infinity".
  /// Up to 147 kB long.
  std::string to_string() const;
  /// The same number with no zeros at the end of the fraction: 1.500 as 1.5.
  Decimal normalized() const;
  /// nullopt when it is no whole number or does not fit: nothing is lost silently.
  std::optional<std::int64_t> to_int64() const noexcept;

  struct Nearest {
    double value;
    bool exact;  ///< whether `value` is this very number
  };
  /// The nearest double, which is infinite beyond its range, and whether something was lost.
  Nearest to_double() const;

  friend bool operator==(Decimal const& a, Decimal const& b) noexcept { return (a <=> b) == 0; }
  friend std::strong_ordering operator<=>(Decimal const&, Decimal const&) noexcept;

 private:
  enum class Kind : unsigned char { finite, infinity, nan };
  Decimal(Kind, bool negative) noexcept;
  Decimal(bool negative, std::string digits, int scale);

  std::string digits_;
  std::int32_t scale_ = 0;  ///< negative when the number ends in zeros that digits_ leaves out
  Kind kind_ = Kind::finite;
  bool negative_ = false;
};

template <>
struct TextForm<Decimal> {
  static constexpr std::string_view what = "a decimal number such as 12.50";
  static std::string to_text(Decimal const& value) { return value.to_string(); }
  static std::optional<Decimal> from_text(std::string_view text) { return Decimal::parse(text); }
};

}  // namespace belay
