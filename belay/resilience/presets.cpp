#include "belay/resilience/presets.hpp"

namespace belay::resilience::presets {

Preset standard() { return {}; }

Preset enterprise() {
  Preset preset;
  preset.retry.backoff.jitter = Jitter::bounded;
  return preset;
}

}  // namespace belay::resilience::presets
