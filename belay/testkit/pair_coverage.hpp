#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace belay::testkit {

/// Which pairs of state and event a state machine has met, against the pairs it may meet: the measure of a property
/// test or simulation. States and events are given by their number in the lists of names.
///
///     PairCoverage coverage({"closed", "open", "half_open"}, {"success", "failure", "timer"});
///     coverage.declare_all_legal();
///     coverage.declare_illegal(closed, timer);
///     … coverage.record(state, event) …
///     EXPECT_EQ(coverage.missing(), std::vector<std::string>());
///
/// Not thread-safe; add() joins those of several runs or threads.
class PairCoverage {
 public:
  /// At least one state and one event. All pairs are illegal at first.
  PairCoverage(std::vector<std::string> states, std::vector<std::string> events);

  void declare_legal(std::size_t state, std::size_t event) { cell(state, event).is_legal = true; }
  void declare_illegal(std::size_t state, std::size_t event) { cell(state, event).is_legal = false; }
  void declare_all_legal();

  void record(std::size_t state, std::size_t event) { ++cell(state, event).count; }
  /// Takes over what another one of the same shape has recorded.
  void add(PairCoverage const&);

  std::uint64_t count(std::size_t state, std::size_t event) const { return cell(state, event).count; }
  std::size_t legal() const noexcept;
  std::size_t covered() const noexcept;  ///< legal pairs that were met
  /// 100 × covered / legal; 100 when nothing is legal.
  double percentage() const noexcept;
  /// "half_open x timer": legal pairs that were not met, in the order of the names.
  std::vector<std::string> missing() const;
  /// Pairs that were met and must not be.
  std::vector<std::string> illegal() const;
  /// "9 of 12 legal pairs (75.0 %); missing: …; illegal: …"
  std::string describe() const;

 private:
  struct Cell {
    bool is_legal = false;
    std::uint64_t count = 0;
  };
  Cell& cell(std::size_t state, std::size_t event) {
    return cells_.at(checked(state, states_) * events_.size() + checked(event, events_));
  }
  Cell const& cell(std::size_t state, std::size_t event) const {
    return cells_.at(checked(state, states_) * events_.size() + checked(event, events_));
  }
  static std::size_t checked(std::size_t index, std::vector<std::string> const& names);
  template <class Select>
  std::vector<std::string> names_where(Select) const;

  std::vector<std::string> states_;
  std::vector<std::string> events_;
  std::vector<Cell> cells_;
};

}  // namespace belay::testkit
