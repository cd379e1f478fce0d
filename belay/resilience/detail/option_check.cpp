#include "belay/resilience/detail/option_check.hpp"

#include <charconv>
#include <string>

#include "belay/core/error.hpp"

namespace belay::resilience::detail {

namespace {

std::string text_of(double number) {
  char text[32];
  auto const end = std::to_chars(text, text + sizeof text, number).ptr;
  return std::string(text, end);
}

std::string text_of(std::chrono::nanoseconds time) {
  return text_of(std::chrono::duration<double, std::milli>(time).count()) + " ms";
}

template <class Quantity>
void require(std::string_view owner, std::string_view name, Quantity value, Quantity low, Quantity high) {
  if (value >= low && value <= high) return;  // not true for a double that is no number
  throw Error(ErrorClass::request, SendState::never_sent,
              std::string(owner) + " option " + std::string(name) + " is " + text_of(value) + ", it must lie between " +
                  text_of(low) + " and " + text_of(high));
}

}  // namespace

void require_range(std::string_view owner, std::string_view name, double value, double low, double high) {
  require(owner, name, value, low, high);
}

void require_range(std::string_view owner, std::string_view name, std::chrono::nanoseconds value,
                   std::chrono::nanoseconds low, std::chrono::nanoseconds high) {
  require(owner, name, value, low, high);
}

}  // namespace belay::resilience::detail
