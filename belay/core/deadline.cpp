#include "belay/core/deadline.hpp"

namespace belay {

Deadline Deadline::in(duration wait) noexcept {
  auto const now = clock::now();
  if (wait >= time_point::max() - now) return never();
  return Deadline(now + wait);
}

}  // namespace belay
