#include "belay/sqlite/decimal_order.hpp"

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace belay::sqlite {

namespace {

enum class Rank { negative_infinity, number, infinity, not_a_number, no_number };

/// A number as its significant digits, read in place: 0.d1d2d3… × 10^magnitude. Zero has no digits.
struct Number {
  Rank rank = Rank::no_number;
  bool negative = false;
  std::string_view digits;  ///< from the first to the last non-zero digit, a '.' may lie among them
  std::int64_t magnitude = 0;
};

constexpr std::int64_t exponent_max = 1'000'000'000;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool equals_ignoring_case(std::string_view text, std::string_view lower) noexcept {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(),
                    [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b; });
}

/// Reads "e±12" to the end of the text; a far exponent saturates, its number is beyond every other anyway.
bool read_exponent(std::string_view text, std::int64_t& exponent) noexcept {
  if (text.empty()) return true;
  if (text.front() != 'e' && text.front() != 'E') return false;
  text.remove_prefix(1);
  bool const negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);
  if (text.empty()) return false;
  for (char const c : text) {
    if (!is_digit(c)) return false;
    exponent = std::min(exponent * 10 + (c - '0'), exponent_max);
  }
  if (negative) exponent = -exponent;
  return true;
}

Number read_special(std::string_view text, bool negative) noexcept {
  Number number;
  if (equals_ignoring_case(text, "infinity") || equals_ignoring_case(text, "inf")) {
    number.rank = negative ? Rank::negative_infinity : Rank::infinity;
  } else if (equals_ignoring_case(text, "nan")) {
    number.rank = Rank::not_a_number;
  }
  return number;
}

Number read_number(std::string_view text) noexcept {
  bool const negative = !text.empty() && text.front() == '-';
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) text.remove_prefix(1);

  auto const mantissa_size = std::min(text.find_first_not_of("0123456789."), text.size());
  auto mantissa = text.substr(0, mantissa_size);
  auto const point = std::min(mantissa.find('.'), mantissa.size());
  bool const one_point = point == mantissa.size() || mantissa.find('.', point + 1) == std::string_view::npos;
  std::int64_t exponent = 0;
  bool const has_digit = mantissa.find_first_of("0123456789") != std::string_view::npos;
  if (!one_point || !has_digit || !read_exponent(text.substr(mantissa_size), exponent)) {
    return read_special(text, negative);
  }

  Number number;
  number.rank = Rank::number;
  auto const first = mantissa.find_first_not_of("0.");
  if (first == std::string_view::npos) return number;
  auto const last = mantissa.find_last_not_of("0.");
  number.negative = negative;
  number.digits = mantissa.substr(first, last - first + 1);
  auto const places = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  number.magnitude = exponent + (places > 0 ? places : places + 1);
  return number;
}

/// Compares the digits of two numbers of the same magnitude; the shorter one continues with zeros.
int compare_digits(std::string_view a, std::string_view b) noexcept {
  std::size_t i = 0;
  std::size_t j = 0;
  while (true) {
    if (i < a.size() && a[i] == '.') ++i;
    if (j < b.size() && b[j] == '.') ++j;
    if (i == a.size() || j == b.size()) break;
    if (a[i] != b[j]) return a[i] < b[j] ? -1 : 1;
    ++i;
    ++j;
  }
  // What is left ends in a digit that is not zero.
  return static_cast<int>(i < a.size()) - static_cast<int>(j < b.size());
}

int compare_absolute(Number const& a, Number const& b) noexcept {
  if (a.digits.empty() || b.digits.empty()) {
    return static_cast<int>(!a.digits.empty()) - static_cast<int>(!b.digits.empty());
  }
  if (a.magnitude != b.magnitude) return a.magnitude < b.magnitude ? -1 : 1;
  return compare_digits(a.digits, b.digits);
}

int sign(int value) noexcept { return (value > 0) - (value < 0); }

}  // namespace

int compare_decimals(std::string_view a, std::string_view b) noexcept {
  auto const left = read_number(a);
  auto const right = read_number(b);
  if (left.rank != right.rank) return left.rank < right.rank ? -1 : 1;
  if (left.rank == Rank::no_number) return sign(a.compare(b));
  if (left.rank != Rank::number) return 0;
  if (left.negative != right.negative) return left.negative ? -1 : 1;
  return left.negative ? compare_absolute(right, left) : compare_absolute(left, right);
}

}  // namespace belay::sqlite
