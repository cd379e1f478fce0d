#include "record.hpp"

#include <algorithm>
#include <cstdio>

namespace belay::simulation {

std::string Record::tail() const {
  std::string text;
  auto const kept = std::min<std::uint64_t>(noted_, tail_.size());
  for (auto i = noted_ - kept; i < noted_; ++i) {
    auto const& entry = tail_[i % tail_.size()];
    char line[160];
    auto const since_start =
        static_cast<double>(entry.at) / 1e9 - std::chrono::duration<double>(Timeline::start.time_since_epoch()).count();
    std::snprintf(line, sizeof line, "  %14.9f s  %-28s %llu %llu\n", since_start, entry.what,
                  static_cast<unsigned long long>(entry.first), static_cast<unsigned long long>(entry.second));
    text += line;
  }
  return text;
}

}  // namespace belay::simulation
