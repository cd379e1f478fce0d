#include "apps/belay/text_table.hpp"

#include <algorithm>
#include <string_view>

#include <wchar.h>

namespace belay::cli {

namespace {

/// One character and how many bytes it takes; a byte that is not UTF-8 is a character of its own, U+FFFD.
struct Character {
  char32_t code = 0xFFFD;
  std::size_t bytes = 1;
};

Character next(std::string_view text) {
  auto const lead = static_cast<unsigned char>(text[0]);
  std::size_t const bytes = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (bytes == 0 || bytes > text.size()) return {};
  if (bytes == 1) return {lead, 1};
  char32_t code = lead & (0xFFu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    auto const byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0u) != 0x80u) return {};
    code = (code << 6) | (byte & 0x3Fu);
  }
  return {code, bytes};
}

bool is_control(char32_t code) { return code < 0x20 || (code >= 0x7F && code < 0xA0); }

/// The text with everything that a terminal might obey made visible.
std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    auto const character = next(text);
    if (is_control(character.code)) {
      out += "·";
    } else if (character.code == 0xFFFD) {
      out += "\xEF\xBF\xBD";
    } else {
      out += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
  return out;
}

void append_padded(std::string& out, TextTable::Cell const& cell, std::size_t width, bool is_last) {
  auto const padding = width - display_width(cell.text);
  if (cell.align == TextTable::Align::right) out.append(padding, ' ');
  out += cell.text;
  if (cell.align == TextTable::Align::left && !is_last) out.append(padding, ' ');
}

}  // namespace

std::size_t display_width(std::string_view utf8) {
  std::size_t width = 0;
  while (!utf8.empty()) {
    auto const character = next(utf8);
    auto const columns = wcwidth(static_cast<wchar_t>(character.code));
    width += columns < 0 ? 1u : static_cast<std::size_t>(columns);
    utf8.remove_prefix(character.bytes);
  }
  return width;
}

TextTable::TextTable(std::span<std::string const> titles) {
  auto& row = rows_.emplace_back();
  for (auto const& title : titles) row.push_back({printable(title), Align::left});
}

void TextTable::add(std::vector<Cell> row) {
  for (auto& cell : row) cell.text = printable(cell.text);
  rows_.push_back(std::move(row));
}

std::string TextTable::to_string() const {
  std::vector<std::size_t> widths(rows_.front().size(), 0);
  for (auto const& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i].text));
  }
  std::string out;
  for (std::size_t line = 0; line < rows_.size(); ++line) {
    auto const& row = rows_[line];
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) out += " │ ";
      append_padded(out, row[i], widths[i], i + 1 == row.size());
    }
    out += '\n';
    if (line > 0) continue;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (i > 0) out += "─┼─";
      for (std::size_t column = 0; column < widths[i]; ++column) out += "─";
    }
    out += '\n';
  }
  return out;
}

}  // namespace belay::cli
