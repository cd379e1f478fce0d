#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "belay/core/deadline.hpp"
#include "belay/testkit/trace_hash.hpp"

namespace belay::testkit {

/// What happened in a simulated run: a hash over all of it, and the last events for a person to read.
///
/// Steps of the scheduler and notes of the user are kept apart, so that a thousand steps do not push out the one note
/// that explains them.
class SimTrace {
 public:
  using time_point = Deadline::time_point;

  /// `length` notes and as many steps are kept, >= 1.
  explicit SimTrace(std::size_t length) : steps_(length), notes_(length) {}

  void step(time_point now, std::uint32_t label, std::uint64_t task) noexcept {
    add(now, label, task);
    steps_[events_ % steps_.size()] = {events_, now, label, task};
    ++events_;
  }
  void note(time_point now, std::uint32_t label, std::string_view text);
  void note(time_point now, std::uint32_t label, char const* kind, std::uint64_t first, std::uint64_t second) noexcept;

  std::uint64_t hash() const noexcept { return hash_.value(); }
  /// The last events in their order, one a line; times are told from `start`.
  std::string tail(time_point start, std::vector<std::string> const& labels) const;

 private:
  struct Step {
    std::uint64_t event = ~std::uint64_t{0};  ///< all ones: none yet
    time_point now;
    std::uint32_t label = 0;
    std::uint64_t task = 0;
  };
  struct Note {
    std::uint64_t event = ~std::uint64_t{0};
    time_point now;
    std::uint32_t label = 0;
    std::string text;            ///< a user's note
    char const* kind = nullptr;  ///< or a note in numbers
    std::uint64_t first = 0;
    std::uint64_t second = 0;
  };

  void add(time_point now, std::uint32_t label, std::uint64_t what) noexcept {
    hash_.add(static_cast<std::uint64_t>(now.time_since_epoch().count()));
    hash_.add(what << 16 ^ label);
  }
  Note& next_note(time_point now, std::uint32_t label) noexcept;

  TraceHash hash_;
  std::uint64_t events_ = 0;
  std::uint64_t noted_ = 0;
  std::vector<Step> steps_;
  std::vector<Note> notes_;
};

}  // namespace belay::testkit
