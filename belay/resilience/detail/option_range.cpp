#include "belay/resilience/detail/option_range.hpp"

#include <array>
#include <cstdio>
#include <string>

#include "belay/core/error.hpp"

namespace belay::resilience::detail {

namespace {

std::string text_of(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%g", value);
  return text.data();
}

[[noreturn]] void refuse(std::string_view option, std::string const& value, std::string const& low,
                         std::string const& high) {
  throw Error(ErrorClass::request, SendState::never_sent,
              "option " + std::string(option) + " is " + value + ", it must lie between " + low + " and " + high);
}

std::string seconds_of(std::chrono::nanoseconds value) {
  return text_of(std::chrono::duration<double>(value).count()) + " s";
}

}  // namespace

void require_range(std::string_view option, double value, double low, double high) {
  // Asked this way round, a value that is no number is refused too.
  if (value >= low && value <= high) return;
  refuse(option, text_of(value), text_of(low), text_of(high));
}

void require_range(std::string_view option, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  if (value >= low && value <= high) return;
  refuse(option, std::to_string(value), std::to_string(low), std::to_string(high));
}

void require_range(std::string_view option, std::chrono::nanoseconds value, std::chrono::nanoseconds low,
                   std::chrono::nanoseconds high) {
  if (value >= low && value <= high) return;
  refuse(option, seconds_of(value), seconds_of(low), seconds_of(high));
}

}  // namespace belay::resilience::detail
