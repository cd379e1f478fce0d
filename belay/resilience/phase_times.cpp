#include "belay/resilience/phase_times.hpp"

namespace belay::resilience {

std::string_view name_of(Phase phase) noexcept {
  switch (phase) {  // no default: the compiler reports a missing enumerator
    case Phase::admission: return "admission";
    case Phase::queue: return "queue";
    case Phase::connect: return "connect";
    case Phase::test: return "test";
    case Phase::query: return "query";
    case Phase::retry_wait: return "retry_wait";
    case Phase::fallback: return "fallback";
  }
  return "unknown";
}

}  // namespace belay::resilience
