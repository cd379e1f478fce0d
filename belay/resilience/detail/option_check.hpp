#pragma once

#include <chrono>
#include <string_view>

namespace belay::resilience::detail {

/// Refuses a nonsensical option with belay::Error(request, never_sent): "recovery option max_connecting is 0, it must
/// lie between 1 and 1000". `owner` is "recovery", `name` the member's name.
void require_range(std::string_view owner, std::string_view name, double value, double low, double high);
void require_range(std::string_view owner, std::string_view name, std::chrono::nanoseconds value,
                   std::chrono::nanoseconds low, std::chrono::nanoseconds high);

}  // namespace belay::resilience::detail
