#include "belay/orm/generated_key.hpp"

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include <sys/random.h>

namespace belay::orm {

std::string generated_key() {
  constexpr std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  constexpr std::size_t length = 20;
  // The largest multiple of 36 in a byte: taking more would favour the first letters.
  constexpr unsigned fair_below = 252;
  std::string key;
  key.reserve(length);
  while (key.size() < length) {
    std::array<unsigned char, length + 4> random;
    if (::getentropy(random.data(), random.size()) != 0) {
      throw std::system_error(errno, std::generic_category(), "no random numbers for a new key");
    }
    for (auto const byte : random) {
      if (byte < fair_below && key.size() < length) key += alphabet[byte % alphabet.size()];
    }
  }
  return key;
}

}  // namespace belay::orm
