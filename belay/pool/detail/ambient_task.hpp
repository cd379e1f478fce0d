#pragma once

#include <cstdint>

#include <boost/asio/awaitable.hpp>

namespace belay::pool::detail {

/// `identify_task(co_await ambient_task)`: who awaits, as a number that is unique among the coroutine threads that are
/// alive and never 0.
///
/// A coroutine thread of Asio is one co_spawn() and all it awaits directly; it keeps one record, whose address says
/// which it is. Asio 1.26 hands out a reference into that record, for co_spawn()'s own use, without suspending: one
/// load, where a number of our own would have to be stored in, and looked up from, every coroutine.
inline constexpr boost::asio::detail::awaitable_thread_has_context_switched ambient_task{};

inline std::uint64_t identify_task(bool const& of_the_thread) noexcept {
  return reinterpret_cast<std::uintptr_t>(&of_the_thread);
}

}  // namespace belay::pool::detail
