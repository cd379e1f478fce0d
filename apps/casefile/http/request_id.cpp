#include "apps/casefile/http/request_id.hpp"

#include "apps/casefile/http/text.hpp"

namespace casefile::http {

bool is_acceptable_request_id(std::string_view id) noexcept {
  constexpr std::size_t length_max = 128;
  if (id.empty() || id.size() > length_max) return false;
  for (char const c : id) {
    if (!is_alphanumeric(c) && c != '-' && c != '_' && c != '.' && c != ':' && c != '/') return false;
  }
  return true;
}

void RequestIds::next(std::string& id) {
  // SplitMix64: a bijection of a counter, hence without repetition. Source: Steele, Lea, Flood, "Fast splittable
  // pseudorandom number generators", OOPSLA 2014.
  state_ += 0x9E3779B97F4A7C15u;
  auto mixed = state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
  mixed ^= mixed >> 31;
  id.resize(16);
  for (auto& digit : id) {
    digit = "0123456789abcdef"[mixed & 15u];
    mixed >>= 4;
  }
}

}  // namespace casefile::http
