#include "belay/sqlite/like.hpp"

#include <optional>

#include "belay/sqlite/unicode_text.hpp"

namespace belay::sqlite {

namespace {

bool consume_literal(std::string_view& text, std::string_view& pattern, Case mode) noexcept {
  auto rest = pattern;
  if (rest.front() == '\\' && rest.size() > 1) rest.remove_prefix(1);
  auto const wanted = first_character(rest);
  auto const found = first_character(text);
  bool const same = wanted.value == found.value || (mode == Case::ignored && fold(wanted.value) == fold(found.value));
  if (!same) return false;
  rest.remove_prefix(wanted.bytes);
  pattern = rest;
  text.remove_prefix(found.bytes);
  return true;
}

}  // namespace

bool matches_like(std::string_view text, std::string_view pattern, Case mode) noexcept {
  struct Retry {
    std::string_view text;
    std::string_view pattern;
  };
  // Only the last '%' needs another try: whatever an earlier one could take over, it can take as well.
  std::optional<Retry> retry;
  while (true) {
    if (!pattern.empty() && pattern.front() == '%') {
      pattern.remove_prefix(1);
      retry = Retry{text, pattern};
      continue;
    }
    if (text.empty()) {
      if (pattern.empty()) return true;
      return false;
    }
    if (!pattern.empty() && pattern.front() == '_') {
      pattern.remove_prefix(1);
      text.remove_prefix(first_character(text).bytes);
      continue;
    }
    if (!pattern.empty() && consume_literal(text, pattern, mode)) continue;
    if (!retry) return false;
    retry->text.remove_prefix(first_character(retry->text).bytes);
    text = retry->text;
    pattern = retry->pattern;
  }
}

}  // namespace belay::sqlite
