#include "belay/core/id.hpp"

namespace belay {

std::string to_string(ScalarKey const& key) {
  if (auto const* number = std::get_if<std::int64_t>(&key)) return std::to_string(*number);
  if (auto const* text = std::get_if<std::string>(&key)) return *text;
  if (auto const* uuid = std::get_if<Uuid>(&key)) return uuid->to_string();
  return {};
}

}  // namespace belay
