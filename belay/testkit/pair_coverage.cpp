#include "belay/testkit/pair_coverage.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "belay/core/error.hpp"

namespace belay::testkit {

namespace {

[[noreturn]] void refuse(std::string const& what) {
  throw Error(ErrorClass::request, SendState::never_sent, "PairCoverage: " + what);
}

std::string joined(std::vector<std::string> const& names) {
  std::string text;
  for (auto const& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

PairCoverage::PairCoverage(std::vector<std::string> states, std::vector<std::string> events)
    : states_(std::move(states)), events_(std::move(events)), cells_(states_.size() * events_.size()) {
  if (cells_.empty()) refuse("at least one state and one event are needed");
}

void PairCoverage::declare_all_legal() {
  for (auto& each : cells_) each.is_legal = true;
}

void PairCoverage::add(PairCoverage const& other) {
  if (states_ != other.states_ || events_ != other.events_)
    refuse("only one of the same states and events can be added");
  for (std::size_t i = 0; i < cells_.size(); ++i) cells_[i].count += other.cells_[i].count;
}

std::size_t PairCoverage::legal() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(cells_.begin(), cells_.end(), [](Cell const& each) { return each.is_legal; }));
}

std::size_t PairCoverage::covered() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(cells_.begin(), cells_.end(), [](Cell const& each) { return each.is_legal && each.count > 0; }));
}

double PairCoverage::percentage() const noexcept {
  auto const all = legal();
  return all == 0 ? 100.0 : 100.0 * static_cast<double>(covered()) / static_cast<double>(all);
}

std::vector<std::string> PairCoverage::missing() const {
  return names_where([](Cell const& each) { return each.is_legal && each.count == 0; });
}

std::vector<std::string> PairCoverage::illegal() const {
  return names_where([](Cell const& each) { return !each.is_legal && each.count > 0; });
}

std::string PairCoverage::describe() const {
  char percent[16];
  std::snprintf(percent, sizeof percent, "%.1f", percentage());
  auto text = std::to_string(covered()) + " of " + std::to_string(legal()) + " legal pairs (" + percent + " %)";
  if (auto const names = missing(); !names.empty()) text += "; missing: " + joined(names);
  if (auto const names = illegal(); !names.empty()) text += "; illegal: " + joined(names);
  return text;
}

std::size_t PairCoverage::checked(std::size_t index, std::vector<std::string> const& names) {
  if (index >= names.size()) refuse("there is no state or event number " + std::to_string(index));
  return index;
}

template <class Select>
std::vector<std::string> PairCoverage::names_where(Select select) const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    if (select(cells_[i])) names.push_back(states_[i / events_.size()] + " x " + events_[i % events_.size()]);
  }
  return names;
}

}  // namespace belay::testkit
