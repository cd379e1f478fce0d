#pragma once

#include <type_traits>

namespace belay {

/// Whether the compiler destroys class temporaries of a co_await expression twice.
///
/// g++ before 13 does so, without a word, for owning lambdas and for braced aggregates with non-trivial members
/// (GCC PR 101367, 100611, 101976, 99576). The public API refuses those shapes at compile time on such compilers.
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
inline constexpr bool temporaries_break_in_co_await = true;
#else
inline constexpr bool temporaries_break_in_co_await = false;
#endif

/// A callable that may be written inside a co_await expression, for a forwarding parameter `F&&`:
/// a named one, or a temporary that owns nothing (captures by reference only).
///
/// When it is not satisfied: name the lambda in a statement of its own and pass the name.
template <class F>
concept AwaitSafe = !temporaries_break_in_co_await || std::is_lvalue_reference_v<F> ||
                    std::is_trivially_destructible_v<std::remove_cvref_t<F>>;

}  // namespace belay
