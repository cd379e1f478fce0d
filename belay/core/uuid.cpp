#include "belay/core/uuid.hpp"

#include <algorithm>

#include "belay/core/datetime.hpp"
#include "belay/core/random.hpp"

namespace belay {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

bool has_hyphen_before(std::size_t octet) noexcept { return octet == 4 || octet == 6 || octet == 8 || octet == 10; }

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Uuid::Octets octets_of(std::uint64_t high, std::uint64_t low) noexcept {
  Uuid::Octets octets;
  for (std::size_t i = 0; i < 8; ++i) {
    octets[i] = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    octets[i + 8] = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  return octets;
}

constexpr std::uint64_t variant_of(std::uint64_t low) noexcept {
  return (low & (~std::uint64_t{0} >> 2)) | std::uint64_t{1} << 63;
}

}  // namespace

Uuid Uuid::v4(Random& random) noexcept {
  auto const high = (random.next() & ~std::uint64_t{0xf000}) | 0x4000u;
  return Uuid(octets_of(high, variant_of(random.next())));
}

Uuid Uuid::v7(Datetime time, Random& random) noexcept {
  constexpr std::int64_t milliseconds_max = (std::int64_t{1} << 48) - 1;
  auto const seconds = std::clamp(time.seconds(), std::int64_t{0}, milliseconds_max / 1000 + 1);
  auto const part = time.seconds() < 0 ? 0u : time.nanoseconds() / 1'000'000;
  auto const milliseconds = std::min(seconds * 1000 + part, milliseconds_max);
  auto const high = static_cast<std::uint64_t>(milliseconds) << 16 | 0x7000u | (random.next() >> 52);
  return Uuid(octets_of(high, variant_of(random.next())));
}

std::optional<Uuid> Uuid::parse(std::string_view text) noexcept {
  if (text.size() != 36) return std::nullopt;
  Octets octets;
  auto const* next = text.data();
  for (std::size_t i = 0; i < octets.size(); ++i) {
    if (has_hyphen_before(i) && *next++ != '-') return std::nullopt;
    auto const high = hex_value(next[0]);
    auto const low = hex_value(next[1]);
    if (high < 0 || low < 0) return std::nullopt;
    octets[i] = static_cast<std::uint8_t>(high << 4 | low);
    next += 2;
  }
  return Uuid(octets);
}

std::string Uuid::to_string() const {
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < octets_.size(); ++i) {
    if (has_hyphen_before(i)) text += '-';
    text += hex_digits[octets_[i] >> 4];
    text += hex_digits[octets_[i] & 15u];
  }
  return text;
}

}  // namespace belay

std::size_t std::hash<belay::Uuid>::operator()(belay::Uuid const& uuid) const noexcept {
  auto const& octets = uuid.octets();
  return std::hash<std::string_view>()({reinterpret_cast<char const*>(octets.data()), octets.size()});
}
