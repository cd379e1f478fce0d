#include "belay/sqlite/statement_digest.hpp"

#include <algorithm>
#include <cstddef>

namespace belay::sqlite {

namespace {

constexpr std::size_t digest_bytes_max = 200;

bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_word(char c) noexcept { return is_letter(c) || is_digit(c) || c == '$'; }
char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

/// Reads SQL piece by piece; each function moves past what it names.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool done() const noexcept { return at_ >= text_.size(); }
  char peek(std::size_t ahead = 0) const noexcept { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  std::size_t at() const noexcept { return at_; }
  std::string_view from(std::size_t begin) const noexcept { return text_.substr(begin, at_ - begin); }
  void skip(std::size_t count) noexcept { at_ = std::min(at_ + count, text_.size()); }

  bool skip_blank() {
    auto const begin = at_;
    while (!done()) {
      if (is_space(peek())) {
        ++at_;
      } else if (peek() == '-' && peek(1) == '-') {
        skip_until("\n");
      } else if (peek() == '/' && peek(1) == '*') {
        skip(2);
        skip_until("*/");
      } else {
        break;
      }
    }
    return at_ != begin;
  }

  /// A quoted piece; the quote is doubled inside.
  void skip_quoted(char quote) {
    ++at_;
    while (!done()) {
      if (peek() == quote) {
        ++at_;
        if (peek() != quote) return;
      }
      ++at_;
    }
    at_ = text_.size();
  }

  void skip_between_statements() {
    while (skip_blank() || (!done() && peek() == ';')) {
      if (peek() == ';') ++at_;
    }
  }

  void skip_word() {
    while (!done() && is_word(peek())) ++at_;
  }

  /// 12, 1.5e-3, 0xFF: the sign of an exponent belongs to it.
  void skip_number() {
    while (!done()) {
      bool const exponent_sign = (peek() == '+' || peek() == '-') && at_ > 0 && upper(text_[at_ - 1]) == 'E';
      if (!is_word(peek()) && peek() != '.' && !exponent_sign) return;
      ++at_;
    }
  }

 private:
  void skip_until(std::string_view end) {
    auto const found = text_.find(end, at_);
    at_ = found == std::string_view::npos ? text_.size() : found + end.size();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// Cuts at a character boundary: a UTF-8 continuation byte never starts what is dropped.
void shorten(std::string& digest) {
  if (digest.size() <= digest_bytes_max) return;
  auto cut = digest_bytes_max;
  while (cut > 0 && (static_cast<unsigned char>(digest[cut]) & 0xC0) == 0x80) --cut;
  digest.resize(cut);
  digest += "…";
}

}  // namespace

std::string statement_digest(std::string_view sql) {
  std::string digest;
  Scanner scanner(sql);
  while (!scanner.done() && digest.size() <= digest_bytes_max) {
    if (scanner.skip_blank()) {
      if (!digest.empty() && !scanner.done()) digest += ' ';
      continue;
    }
    auto const begin = scanner.at();
    char const c = scanner.peek();
    if (c == '\'' || ((c == 'x' || c == 'X') && scanner.peek(1) == '\'')) {
      if (c != '\'') scanner.skip(1);
      scanner.skip_quoted('\'');
      digest += '?';
    } else if (is_digit(c) || (c == '.' && is_digit(scanner.peek(1)))) {
      scanner.skip_number();
      digest += '?';
    } else if (c == '?') {
      scanner.skip(1);
      scanner.skip_word();
      digest += scanner.from(begin);
    } else if (c == '"' || c == '`') {
      scanner.skip_quoted(c);
      digest += scanner.from(begin);
    } else if (is_letter(c)) {
      scanner.skip_word();
      digest += scanner.from(begin);
    } else {
      scanner.skip(1);
      digest += c;
    }
  }
  shorten(digest);
  return digest;
}

std::string without_literals(std::string_view message) {
  std::string result;
  Scanner scanner(message);
  while (!scanner.done()) {
    auto const begin = scanner.at();
    if (scanner.peek() == '\'') {
      scanner.skip_quoted('\'');
      result += '?';
    } else if (is_digit(scanner.peek()) && begin > 0 && message[begin - 1] == '"') {
      scanner.skip_number();
      result += '?';
    } else {
      scanner.skip(1);
      result += scanner.from(begin);
    }
  }
  return result;
}

std::string first_keyword(std::string_view sql) {
  Scanner scanner(sql);
  scanner.skip_between_statements();
  auto const begin = scanner.at();
  if (is_letter(scanner.peek())) scanner.skip_word();
  std::string word(scanner.from(begin));
  std::transform(word.begin(), word.end(), word.begin(), upper);
  return word;
}

bool holds_no_statement(std::string_view sql) {
  Scanner scanner(sql);
  scanner.skip_between_statements();
  return scanner.done();
}

}  // namespace belay::sqlite
