#pragma once

#include <span>
#include <string>
#include <vector>

namespace belay::cli {

/// A table of text for a terminal: columns padded to their widest cell, numbers to the right.
class TextTable {
 public:
  enum class Align { left, right };
  struct Cell {
    std::string text;
    Align align = Align::left;
  };

  explicit TextTable(std::span<std::string const> titles);
  /// As many cells as there are titles.
  void add(std::vector<Cell> row);
  /// Lines with a rule below the titles. Control characters are shown as '·', so that no cell can move the cursor or
  /// break a line.
  std::string to_string() const;

 private:
  std::vector<std::vector<Cell>> rows_;  ///< the first is the titles'
};

/// The columns a text takes on a terminal: East Asian wide characters count two, combining marks none.
std::size_t display_width(std::string_view utf8);

}  // namespace belay::cli
