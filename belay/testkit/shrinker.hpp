#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace belay::testkit {

/// Which of a scenario's removable elements (clients, faults, statements) are left in, by their number.
using Selection = std::vector<bool>;

struct Shrunk {
  Selection left_in;
  std::size_t runs = 0;
  /// Removing any single element that is left makes the failure go; false when the bound of runs came first.
  bool is_minimal = false;

  /// "3 of 40 elements fail (after 57 runs, locally minimal): client 2, client 7, partition". One name for each
  /// element.
  std::string describe(std::vector<std::string> const& names) const;
};

/// Finds a small subset of a failing scenario's elements that still fails.
///
/// elements  >= 0; all of them together must fail, else belay::Error(request)
/// fails     runs the scenario with the selection, under one seed, and tells whether it fails in the same way; it must
///           always say the same of the same selection
/// runs_max  >= 1: how often `fails` is called at most, the first time included
///
/// Source: A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28, 2002 (ddmin).
Shrunk shrink(std::size_t elements, std::function<bool(Selection const&)> const& fails, std::size_t runs_max = 1000);

}  // namespace belay::testkit
