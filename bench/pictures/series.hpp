#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

namespace belay::pictures {

// What the programs print for pictures.py: points as `series,x,y`, and figures as scripts/evidence collects them.

inline void print_point(std::string const& series, double x, double y) {
  std::printf("%s,%.9g,%.9g\n", series.c_str(), x, y);
}

inline void print_figure(std::string const& name, double value) {
  std::printf("figure: %s=%.4g\n", name.c_str(), value);
}

/// The smallest value that the share `q` of all does not exceed; the values must be sorted and not empty.
inline double quantile(std::vector<double> const& sorted, double q) {
  auto const rank = static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1) + 0.5);
  return sorted[std::min(rank, sorted.size() - 1)];
}

}  // namespace belay::pictures
