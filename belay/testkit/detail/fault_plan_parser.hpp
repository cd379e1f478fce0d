#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "belay/testkit/fault_plan.hpp"

namespace belay::testkit::detail {

/// Reads the text that FaultPlan describes. One use per object; throws Error(request).
class FaultPlanParser {
 public:
  explicit FaultPlanParser(std::string_view text) : text_(text) {}

  std::vector<FaultRule> parse();

 private:
  /// A word of the text in its parts: name=value:direction. Absent parts have no data().
  struct Word {
    std::string_view whole;
    std::string_view name;
    std::string_view value;
    std::string_view direction;
  };

  static Word take_apart(std::string_view whole);
  void read_rule(std::string_view text, std::vector<FaultRule>& rules);
  void read_word(Word const&, FaultRule&);
  bool read_condition(Word const&, FaultRule&);
  void read_figures(Word const&, Fault&);
  void read_direction(Word const&, Fault&);
  void refuse_contradictions(FaultRule const&, Word const& last);

  std::chrono::nanoseconds duration_of(Word const&) const;
  std::uint64_t bytes_of(Word const&, std::string_view text, char const* example, std::uint64_t least) const;
  std::chrono::nanoseconds interval_of(Word const&) const;
  double probability_of(Word const&) const;
  void read_connections(Word const&, FaultRule&) const;

  [[noreturn]] void refuse(Word const&, std::string const& sentence) const;

  std::string_view text_;
};

}  // namespace belay::testkit::detail
