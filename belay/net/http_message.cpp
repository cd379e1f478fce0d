#include "belay/net/http_message.hpp"

#include <algorithm>

#include "belay/core/error.hpp"

namespace belay::net {

namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

void require_range(std::string_view limit, std::uint64_t value, std::uint64_t low, std::uint64_t high) {
  if (value >= low && value <= high) return;
  throw Error(ErrorClass::request, SendState::never_sent,
              "HTTP limit " + std::string(limit) + " is " + std::to_string(value) + ", it must lie between " +
                  std::to_string(low) + " and " + std::to_string(high));
}

}  // namespace

std::optional<std::string_view> HttpHeaders::find(std::string_view name) const noexcept {
  auto const is_it = [&](Field const& field) {
    return std::equal(field.first.begin(), field.first.end(), name.begin(), name.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
  };
  auto const found = std::find_if(fields_.begin(), fields_.end(), is_it);
  if (found == fields_.end()) return std::nullopt;
  return found->second;
}

void validate(HttpLimits const& limits) {
  require_range("head_bytes_max", limits.head_bytes_max, 1024, 16 * 1024 * 1024);
  require_range("headers_max", limits.headers_max, 1, 10'000);
  require_range("body_bytes_max", limits.body_bytes_max, 0, std::uint64_t{1} << 40);
}

}  // namespace belay::net
