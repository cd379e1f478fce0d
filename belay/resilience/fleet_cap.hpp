#pragma once

#include <chrono>
#include <cstdint>

#include "belay/core/deadline.hpp"

namespace belay::resilience {

/// FleetCap refuses what is out of range.
struct FleetCapOptions {
  std::uint32_t hard_limit = 10;  ///< the cap while nothing is refused: the pool's size and overflow; 1 .. 1 000 000
  double cut = 0.7;               ///< what a refusal multiplies the cap by; 0.1 .. 0.99
  /// The cap grows by one each time this passes without a refusal; 1 s .. 24 h.
  std::chrono::nanoseconds raise_every = std::chrono::seconds(10);
  /// Refusals this close to the last cut belong to it, since attempts come several at a time; 0 .. raise_every.
  std::chrono::nanoseconds settle_for = std::chrono::seconds(1);
};

/// How many connections this process allows itself, where others that it cannot see share the server's limit: cut when
/// the server says "too many clients" (53300, a pooler's text), raised again one by one. Never below two, unless the
/// hard limit is one.
///
/// Connections above a cut cap are not closed by it: a pool opens none while it holds as many as the cap.
///
/// Pure state: no I/O, no clock, no lock, no allocation.
class FleetCap {
 public:
  using time_point = Deadline::time_point;

  static constexpr std::uint32_t lowest = 2;

  /// Throws belay::Error(request) when an option is out of range.
  explicit FleetCap(FleetCapOptions const&);

  /// The server refused a connection because it has too many.
  void refused(time_point now);
  /// How many connections may be open.
  std::uint32_t cap(time_point now);
  /// When the cap grows next unless something is refused; time_point::max() at the hard limit.
  time_point grows_at(time_point now);

 private:
  void grow(time_point now);

  FleetCapOptions options_;
  std::uint32_t cap_;
  time_point cut_at_ = time_point::min();
  time_point grows_from_ = time_point::min();  ///< the last refusal or growth
};

}  // namespace belay::resilience
