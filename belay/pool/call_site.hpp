#pragma once

#include <cstdint>

namespace belay::pool {

/// A place in a source file: who asked for a lease. What std::source_location would be if every compiler the project is
/// checked with knew it.
struct CallSite {
  char const* file = "";  ///< empty: not known
  std::uint32_t line = 0;

  /// As a default argument: the place of the call.
  static constexpr CallSite current(char const* file = __builtin_FILE(),
                                    std::uint32_t line = __builtin_LINE()) noexcept {
    return {file, line};
  }
};

}  // namespace belay::pool
