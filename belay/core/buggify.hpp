#pragma once

#include <string_view>

namespace belay {

/// Who decides at buggify points, installed by a simulation for its thread (testkit/buggify.hpp).
class BuggifyDecider {
 public:
  virtual bool decide(std::string_view point) = 0;

 protected:
  BuggifyDecider() = default;
  BuggifyDecider(BuggifyDecider const&) = default;
  BuggifyDecider& operator=(BuggifyDecider const&) = default;
  ~BuggifyDecider() = default;
};

// Two names, so that a program may hold a translation unit of each kind.
#ifdef BELAY_SIMULATION

inline namespace simulated {

inline constexpr bool is_buggify_compiled = true;

inline thread_local BuggifyDecider* buggify_decider = nullptr;

/// Whether to misbehave here in a way the rules allow: a short write, a spurious wake-up, the slow path.
///
/// `point` names the place for ever: "pool.handoff.yield". False unless a simulation runs on this thread. Compiled with
/// BELAY_SIMULATION only, which builds with tests define; else a constant that costs nothing. For source files, not for
/// inline functions of public headers: a user's translation unit is compiled without.
///
///     if (buggify("postgres.write.short")) pieces = first_byte(pieces);
inline bool buggify(std::string_view point) { return buggify_decider != nullptr && buggify_decider->decide(point); }

}  // namespace simulated

#else

inline namespace released {

inline constexpr bool is_buggify_compiled = false;

constexpr bool buggify(std::string_view) noexcept { return false; }

}  // namespace released

#endif

}  // namespace belay
