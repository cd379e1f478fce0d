#pragma once

#include <cstddef>

namespace belay::bench {

/// How many times operator new has been called since the program's start, by all threads.
std::size_t allocations() noexcept;

}  // namespace belay::bench
