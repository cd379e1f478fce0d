#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace belay::testkit {

/// An order-sensitive 64-bit digest of a run's events: two runs that did the same in the same order have the same
/// value, and runs that differ anywhere practically never do. Not cryptographic.
///
/// The same on every machine. Source of the round: xxHash64, Y. Collet.
class TraceHash {
 public:
  constexpr void add(std::uint64_t word) noexcept {
    value_ ^= std::rotl(word * prime_2, 31) * prime_1;
    value_ = std::rotl(value_, 27) * prime_1 + prime_4;
  }
  constexpr void add(std::string_view text) noexcept {
    add(text.size());
    std::uint64_t word = 0;
    int filled = 0;
    for (char const character : text) {
      word = word << 8 | static_cast<unsigned char>(character);
      if (++filled == 8) {
        add(word);
        word = 0;
        filled = 0;
      }
    }
    if (filled > 0) add(word);
  }
  constexpr std::uint64_t value() const noexcept { return value_; }
  friend constexpr bool operator==(TraceHash, TraceHash) noexcept = default;

 private:
  static constexpr std::uint64_t prime_1 = 0x9E3779B185EBCA87;
  static constexpr std::uint64_t prime_2 = 0xC2B2AE3D27D4EB4F;
  static constexpr std::uint64_t prime_4 = 0x85EBCA77C2B2AE63;
  std::uint64_t value_ = 0x27D4EB2F165667C5;
};

}  // namespace belay::testkit
