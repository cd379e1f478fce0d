#include "belay/core/decimal.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace belay {

namespace {

bool equals_ignoring_case(std::string_view text, std::string_view lower) noexcept {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

/// Takes the digits at the front off the text.
std::string_view take_digits(std::string_view& text) noexcept {
  auto const end = std::min(text.find_first_not_of("0123456789"), text.size());
  auto const digits = text.substr(0, end);
  text.remove_prefix(end);
  return digits;
}

/// The exponent after the digits, 0 when there is none; nullopt when the text goes on otherwise. Clamped: whatever is
/// beyond a million is out of range anyhow.
std::optional<std::int64_t> read_exponent(std::string_view text) noexcept {
  constexpr std::int64_t limit = 1'000'000;
  if (text.empty()) return 0;
  if (text.front() != 'e' && text.front() != 'E') return std::nullopt;
  text.remove_prefix(1);
  bool const is_negative = text.starts_with('-');
  if (is_negative || text.starts_with('+')) text.remove_prefix(1);
  auto const digits = take_digits(text);
  if (digits.empty() || !text.empty()) return std::nullopt;
  std::int64_t exponent = 0;
  for (char const c : digits) exponent = std::min(limit, exponent * 10 + (c - '0'));
  return is_negative ? -exponent : exponent;
}

}  // namespace

Decimal::Decimal(Kind kind, bool negative) noexcept : kind_(kind), negative_(negative) {}

Decimal::Decimal(bool negative, std::string digits, int scale)
    : digits_(std::move(digits)), scale_(scale), negative_(negative && !digits_.empty()) {
  if (digits_.empty()) scale_ = std::max(scale_, 0);
}

Decimal::Decimal(std::int64_t value) : negative_(value < 0) {
  if (value == 0) return;
  digits_ = std::to_string(value);
  if (negative_) digits_.erase(0, 1);
}

Decimal Decimal::nan() { return {Kind::nan, false}; }
Decimal Decimal::infinity() { return {Kind::infinity, false}; }
Decimal Decimal::negative_infinity() { return {Kind::infinity, true}; }

Decimal Decimal::from_exact(double value) {
  if (std::isnan(value)) return nan();
  if (std::isinf(value)) return value < 0 ? negative_infinity() : infinity();
  // A double is a multiple of 2^-1074, so it has at most 1074 digits after the point, and at most 309 before it.
  constexpr int fraction_digits = 1074;
  std::array<char, 1 + 309 + 1 + fraction_digits> text;
  auto const end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, fraction_digits).ptr;
  return parse({text.data(), static_cast<std::size_t>(end - text.data())})->normalized();
}

Decimal Decimal::from_shortest(double value) {
  if (!std::isfinite(value)) return from_exact(value);
  std::array<char, 32> text;
  auto const end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return *parse({text.data(), static_cast<std::size_t>(end - text.data())});
}

std::optional<Decimal> Decimal::parse(std::string_view text) {
  bool const is_negative = text.starts_with('-');
  bool const is_signed = is_negative || text.starts_with('+');
  if (is_signed) text.remove_prefix(1);
  if (equals_ignoring_case(text, "infinity") || equals_ignoring_case(text, "inf")) {
    return is_negative ? negative_infinity() : infinity();
  }
  if (!is_signed && equals_ignoring_case(text, "nan")) return nan();

  auto const whole = take_digits(text);
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text);
  }
  if (whole.empty() && fraction.empty()) return std::nullopt;
  auto const exponent = read_exponent(text);
  if (!exponent) return std::nullopt;

  constexpr auto scale_max = static_cast<std::int64_t>(fraction_digits_max);
  auto const scale = static_cast<std::int64_t>(fraction.size()) - *exponent;
  if (scale > scale_max) return std::nullopt;
  std::string digits(whole);
  digits += fraction;
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (!digits.empty() &&
      static_cast<std::int64_t>(digits.size()) - scale > static_cast<std::int64_t>(integer_digits_max)) {
    return std::nullopt;
  }
  auto const bounded_scale = digits.empty() ? std::max(scale, std::int64_t{0}) : scale;
  return Decimal(is_negative, std::move(digits), static_cast<int>(bounded_scale));
}

std::string Decimal::to_string() const {
  if (kind_ == Kind::nan) return "NaN";
  std::string text = negative_ ? "-" : "";
  if (kind_ == Kind::infinity) return text += "Infinity";
  auto const size = static_cast<std::int64_t>(digits_.size());
  auto const whole = size - scale_;  // digits before the point
  if (whole <= 0) {
    text += '0';
  } else {
    text.append(digits_, 0, static_cast<std::size_t>(std::min(whole, size)));
    if (whole > size) text.append(static_cast<std::size_t>(whole - size), '0');
  }
  if (scale_ > 0) {
    text += '.';
    if (whole < 0) text.append(static_cast<std::size_t>(-whole), '0');
    text.append(digits_, static_cast<std::size_t>(std::max(whole, std::int64_t{0})));
  }
  return text;
}

Decimal Decimal::normalized() const {
  if (!is_finite() || scale_ <= 0) return *this;
  auto const last = digits_.find_last_not_of('0');
  if (last == std::string::npos) return Decimal();
  auto const zeros = static_cast<int>(digits_.size() - 1 - last);
  auto const removed = std::min(zeros, scale_);
  return {negative_, digits_.substr(0, digits_.size() - static_cast<std::size_t>(removed)), scale_ - removed};
}

std::optional<std::int64_t> Decimal::to_int64() const noexcept {
  if (!is_finite()) return std::nullopt;
  if (digits_.empty()) return 0;
  auto const whole = static_cast<std::int64_t>(digits_.size()) - scale_;
  constexpr int int64_digits = std::numeric_limits<std::int64_t>::digits10 + 1;
  if (whole < 1 || whole > int64_digits) return std::nullopt;
  std::int64_t value = 0;  // built below zero, where int64 reaches one further
  for (std::size_t i = 0; i < std::max(digits_.size(), static_cast<std::size_t>(whole)); ++i) {
    auto const digit = i < digits_.size() ? digits_[i] - '0' : 0;
    if (i >= static_cast<std::size_t>(whole)) {
      if (digit != 0) return std::nullopt;
      continue;
    }
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, digit, &value)) return std::nullopt;
  }
  if (negative_) return value;
  if (value == std::numeric_limits<std::int64_t>::min()) return std::nullopt;
  return -value;
}

Decimal::Nearest Decimal::to_double() const {
  constexpr auto infinite = std::numeric_limits<double>::infinity();
  if (kind_ == Kind::nan) return {std::numeric_limits<double>::quiet_NaN(), true};
  if (kind_ == Kind::infinity) return {negative_ ? -infinite : infinite, true};
  if (digits_.empty()) return {0, true};

  auto const text = (negative_ ? "-" : "") + digits_ + 'e' + std::to_string(-scale_);
  double value = 0;
  auto const result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec == std::errc::result_out_of_range) {
    bool const is_huge = static_cast<std::int64_t>(digits_.size()) - scale_ > 0;
    auto const magnitude = is_huge ? infinite : 0.0;
    return {negative_ ? -magnitude : magnitude, false};
  }
  return {value, *this == from_exact(value)};
}

std::strong_ordering operator<=>(Decimal const& a, Decimal const& b) noexcept {
  // -Infinity < finite < Infinity < NaN
  auto const rank = [](Decimal const& d) { return d.is_nan() ? 2 : d.is_finite() ? 0 : d.negative_ ? -1 : 1; };
  if (rank(a) != 0 || rank(b) != 0) return rank(a) <=> rank(b);
  auto const sign = [](Decimal const& d) { return d.is_zero() ? 0 : d.negative_ ? -1 : 1; };
  if (sign(a) != sign(b)) return sign(a) <=> sign(b);
  if (sign(a) == 0) return std::strong_ordering::equal;

  auto const& low = a.negative_ ? b : a;  // of two negative numbers the one with the larger magnitude is less
  auto const& high = a.negative_ ? a : b;
  auto const whole = [](Decimal const& d) { return static_cast<std::int64_t>(d.digits_.size()) - d.scale_; };
  if (whole(low) != whole(high)) return whole(low) <=> whole(high);
  auto const shared = std::min(low.digits_.size(), high.digits_.size());
  if (auto const order = low.digits_.compare(0, shared, high.digits_, 0, shared); order != 0) return order <=> 0;
  auto const has_more = [shared](Decimal const& d) {
    return d.digits_.find_first_not_of('0', shared) != std::string::npos;
  };
  return has_more(low) <=> has_more(high);
}

}  // namespace belay
