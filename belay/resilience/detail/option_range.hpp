#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

namespace belay::resilience::detail {

/// Error(request) that names the option, its value and the range it must lie in, bounds included.
void require_range(std::string_view option, double value, double low, double high);
void require_range(std::string_view option, std::uint64_t value, std::uint64_t low, std::uint64_t high);
void require_range(std::string_view option, std::chrono::nanoseconds value, std::chrono::nanoseconds low,
                   std::chrono::nanoseconds high);

}  // namespace belay::resilience::detail
