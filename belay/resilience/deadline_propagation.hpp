#pragma once

#include <cstdint>
#include <optional>

#include "belay/core/deadline.hpp"
#include "belay/resilience/call_context.hpp"

namespace belay::resilience {

// How a deadline crosses a process: as the milliseconds that are left, never as an instant, because no two machines
// agree on the time.

/// The longest time that is taken over from another process or handed to one.
inline constexpr std::chrono::milliseconds propagated_max = std::chrono::hours(1);

/// The deadline for a caller who says that this many milliseconds are left. Nothing or less than nothing has expired,
/// more than propagated_max counts as that.
Deadline import_remaining(std::int64_t milliseconds_left, Deadline::time_point now) noexcept;

/// What to tell the process that is called: rounded down, so that it gives up before we do; 0 once expired, at most
/// propagated_max; nullopt for Deadline::never(): say nothing.
std::optional<std::int64_t> export_remaining(Deadline, Deadline::time_point now) noexcept;

/// By when the work must be done so that the fallback still has its time: the last 5 % of what is left, at least 5 ms.
/// Without a fallback, or without a deadline, the deadline itself. Where less than the reserve is left: `now`.
Deadline work_deadline(Deadline, Fallback, Deadline::time_point now) noexcept;

}  // namespace belay::resilience
