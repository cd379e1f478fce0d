#include "belay/core/bytes.hpp"

#include <array>
#include <cstdint>

namespace belay {

namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t no_digit = 0xff;

constexpr auto digit_values = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(no_digit);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

}  // namespace

std::string to_base64(std::span<std::byte const> bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    auto const octet = [&](std::size_t k) {
      return i + k < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0u;
    };
    auto const group = octet(0) << 16 | octet(1) << 8 | octet(2);
    text += alphabet[group >> 18];
    text += alphabet[group >> 12 & 63u];
    text += i + 1 < bytes.size() ? alphabet[group >> 6 & 63u] : '=';
    text += i + 2 < bytes.size() ? alphabet[group & 63u] : '=';
  }
  return text;
}

std::optional<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t const padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  Bytes bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::size_t const digits = i + 4 == text.size() ? 4 - padding : 4;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      auto const value = k < digits ? digit_values[static_cast<unsigned char>(text[i + k])] : std::uint8_t{0};
      if (value == no_digit) return std::nullopt;
      group = group << 6 | value;
    }
    for (std::size_t k = 0; k + 1 < digits; ++k) bytes.push_back(static_cast<std::byte>(group >> (16 - 8 * k) & 0xffu));
    bool const is_canonical = (digits == 4) || (group & (digits == 3 ? 0xffu : 0xffffu)) == 0;
    if (!is_canonical) return std::nullopt;
  }
  return bytes;
}

}  // namespace belay
