#include "belay/core/random.hpp"

#include <bit>
#include <random>

namespace belay {

namespace {

std::uint64_t splitmix64(std::uint64_t& state) noexcept {
  state += 0x9e3779b97f4a7c15u;
  auto z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/// FNV-1a, 64 bits: tells labels apart on every machine alike, which std::hash does not promise.
std::uint64_t hash_of(std::string_view label) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (char const c : label) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

__extension__ using Uint128 = unsigned __int128;

}  // namespace

Random::Random(std::uint64_t seed) noexcept : seed_(seed) {
  auto mixer = seed;
  for (auto& word : state_) word = splitmix64(mixer);
}

Random Random::from_entropy() {
  std::random_device device;
  auto const high = std::uint64_t{device()};
  return Random(high << 32 | device());
}

std::uint64_t Random::next() noexcept {
  auto const result = std::rotl(state_[1] * 5, 7) * 9;
  auto const shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Random::uniform() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

std::uint64_t Random::below(std::uint64_t n) noexcept {
  auto product = static_cast<Uint128>(next()) * n;
  // Draws whose low half is below 2^64 mod n would favour some results; the modulus is computed only when it may
  // matter.
  if (static_cast<std::uint64_t>(product) < n) {
    auto const biased = (0 - n) % n;
    while (static_cast<std::uint64_t>(product) < biased) product = static_cast<Uint128>(next()) * n;
  }
  return static_cast<std::uint64_t>(product >> 64);
}

Random Random::fork(std::string_view label) const noexcept {
  auto mixer = seed_ ^ std::rotl(hash_of(label), 32);
  return Random(splitmix64(mixer) ^ hash_of(label));
}

}  // namespace belay
