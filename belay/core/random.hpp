#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace belay {

/// A stream of pseudo-random numbers: the same seed gives the same stream on every machine, so a run can be replayed.
///
/// Not cryptographic: never for keys, tokens or anything that must not be guessed. Not thread-safe: give each thread
/// or component its own fork.
///
/// Source: xoshiro256** 1.0 seeded by splitmix64, D. Blackman and S. Vigna, "Scrambled Linear Pseudorandom Number
/// Generators", ACM TOMS 47, 2021; below(): D. Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29,
/// 2019.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept;
  /// Seeded by the operating system.
  static Random from_entropy();

  /// Uniform over all 64-bit values.
  std::uint64_t next() noexcept;
  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() noexcept;
  /// Uniform in [0, n), without bias. n >= 1.
  std::uint64_t below(std::uint64_t n) noexcept;

  /// A stream of its own, decided by this one's seed and the label alone: neither what was drawn so far nor other forks
  /// change it, so a component that draws more often does not disturb its neighbours. The same label gives the same
  /// stream.
  [[nodiscard]] Random fork(std::string_view label) const noexcept;

 private:
  std::uint64_t seed_;
  std::array<std::uint64_t, 4> state_;
};

}  // namespace belay
