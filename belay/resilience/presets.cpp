#include "belay/resilience/presets.hpp"

namespace belay::resilience::presets {

Preset standard() { return {}; }

Preset enterprise() {
  Preset preset;
  preset.retry.backoff.jitter = Jitter::bounded;
  preset.breaker = enterprise_breaker_options();
  return preset;
}

}  // namespace belay::resilience::presets
