#include "belay/core/detail/json_number.hpp"

#include <charconv>
#include <cmath>
#include <cstring>
#include <utility>

#include "belay/core/decimal.hpp"

namespace belay::json::detail {

namespace {

template <class To, class From>
bool store_if_fits(void* target, From number) noexcept {
  if (!std::in_range<To>(number)) return false;
  auto const converted = static_cast<To>(number);
  std::memcpy(target, &converted, sizeof converted);
  return true;
}

template <class Integer>
bool store_integer(Type const& type, void* target, Integer number) noexcept {
  bool const is_signed = type.shape == Shape::signed_integer;
  switch (type.size) {
    case 1: return is_signed ? store_if_fits<std::int8_t>(target, number) : store_if_fits<std::uint8_t>(target, number);
    case 2:
      return is_signed ? store_if_fits<std::int16_t>(target, number) : store_if_fits<std::uint16_t>(target, number);
    case 4:
      return is_signed ? store_if_fits<std::int32_t>(target, number) : store_if_fits<std::uint32_t>(target, number);
    default:
      return is_signed ? store_if_fits<std::int64_t>(target, number) : store_if_fits<std::uint64_t>(target, number);
  }
}

template <class Integer>
bool parse_whole(std::string_view text, Integer& number) noexcept {
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

template <class Real>
bool parse_nearest(std::string_view text, Real& number) {
  if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc()) return std::isfinite(number);
  // Out of range: infinite is refused, what is too small becomes zero.
  if (auto const decimal = Decimal::parse(text)) {
    if (std::abs(decimal->to_double().value) > 1) return false;
  } else {
    // Beyond even Decimal: 1e-99999 is far below, 1e99999 far above every double.
    auto const exponent = text.find_first_of("eE");
    if (exponent == std::string_view::npos || text[exponent + 1] != '-') return false;
  }
  number = text.starts_with('-') ? Real{-0.0} : Real{0.0};
  return true;
}

template <class Real>
bool store_nearest(std::string_view text, void* target) {
  Real number = 0;
  if (!parse_nearest(text, number)) return false;
  std::memcpy(target, &number, sizeof number);
  return true;
}

}  // namespace

bool is_integer_text(std::string_view text) noexcept { return text.find_first_of(".eE") == std::string_view::npos; }

IntegerResult read_integer(std::string_view text, Type const& type, void* target) {
  std::int64_t number = 0;
  std::uint64_t unsigned_number = 0;
  if (parse_whole(text, number))
    return store_integer(type, target, number) ? IntegerResult::stored : IntegerResult::out_of_range;
  if (parse_whole(text, unsigned_number)) {
    return store_integer(type, target, unsigned_number) ? IntegerResult::stored : IntegerResult::out_of_range;
  }
  if (is_integer_text(text)) return IntegerResult::out_of_range;
  auto const decimal = Decimal::parse(text);
  if (!decimal) return IntegerResult::out_of_range;
  auto const whole = decimal->to_int64();
  if (whole && store_integer(type, target, *whole)) return IntegerResult::stored;
  return decimal->normalized().scale() > 0 ? IntegerResult::has_fraction : IntegerResult::out_of_range;
}

bool read_real(std::string_view text, Type const& type, void* target) {
  return type.size == sizeof(float) ? store_nearest<float>(text, target) : store_nearest<double>(text, target);
}

}  // namespace belay::json::detail
