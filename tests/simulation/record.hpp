#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "belay/testkit/trace_hash.hpp"
#include "timeline.hpp"

namespace belay::simulation {

/// A rule that was broken: its id in the list of invariants ("P7"), and how.
struct Violation {
  std::string rule;
  std::string how;
};

/// What happened in one run: a digest of everything, the last events in words, and the violations. A run ends with its
/// first violation; what follows from it proves nothing.
class Record {
 public:
  explicit Record(Timeline const& timeline) : timeline_(timeline) {}

  /// `what` is a literal.
  void note(char const* what, std::uint64_t first = 0, std::uint64_t second = 0) {
    auto const at = static_cast<std::uint64_t>(timeline_.now().time_since_epoch().count());
    hash_.add(at);
    hash_.add(std::string_view(what));
    hash_.add(first << 32U ^ second);
    tail_[noted_++ % tail_.size()] = {at, what, first, second};
  }
  void violate(char const* rule, std::string how) { violations_.push_back({rule, std::move(how)}); }
  /// Violates the rule unless the condition holds; `how` is a literal.
  void require(bool condition, char const* rule, char const* how) {
    if (!condition) violate(rule, how);
  }

  bool is_clean() const noexcept { return violations_.empty(); }
  std::vector<Violation> const& violations() const noexcept { return violations_; }
  std::uint64_t hash() const noexcept { return hash_.value(); }
  /// The last events, oldest first, one a line.
  std::string tail() const;

 private:
  struct Entry {
    std::uint64_t at = 0;
    char const* what = "";
    std::uint64_t first = 0;
    std::uint64_t second = 0;
  };

  Timeline const& timeline_;
  testkit::TraceHash hash_;
  std::array<Entry, 64> tail_{};
  std::uint64_t noted_ = 0;
  std::vector<Violation> violations_;
};

}  // namespace belay::simulation
