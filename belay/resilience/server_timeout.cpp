#include "belay/resilience/server_timeout.hpp"

#include <array>

namespace belay::resilience {

namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::array<milliseconds, 9> grid{50ms, 100ms, 250ms, 500ms, 1s, 2s, 5s, 10s, 30s};
constexpr milliseconds longest{2147483647};

}  // namespace

std::optional<milliseconds> server_timeout(Deadline::duration remaining) noexcept {
  for (auto const step : grid) {
    if (remaining <= step) return step;
  }
  if (remaining > longest) return std::nullopt;
  auto const steps = (remaining + grid.back() - Deadline::duration(1)) / grid.back();
  auto const rounded = steps * grid.back();
  if (rounded > longest) return std::nullopt;
  return rounded;
}

}  // namespace belay::resilience
