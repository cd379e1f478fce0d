#include "belay/core/record_id.hpp"

#include <charconv>

#include "belay/core/detail/surrealql_name.hpp"
#include "belay/core/error.hpp"

namespace belay {

namespace {

using detail::is_digit;
using detail::is_name_start;
using detail::is_plain_key;
using detail::is_plain_name;

/// Reads a record id from its front.
class RecordIdParser {
 public:
  explicit RecordIdParser(std::string_view text) noexcept : rest_(text) {}

  std::optional<RecordId> parse() {
    auto table = is_quote_ahead() ? quoted_name() : plain_name();
    if (!table || !take(":")) return std::nullopt;
    auto key = read_key();
    if (!key || !rest_.empty()) return std::nullopt;
    return RecordId(*std::move(table), *std::move(key));
  }

 private:
  bool take(std::string_view expected) noexcept {
    if (!rest_.starts_with(expected)) return false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  bool is_quote_ahead() const noexcept { return rest_.starts_with('`') || rest_.starts_with("\u27e8"); }

  std::optional<std::string> plain_name() {
    std::size_t end = 0;
    while (end < rest_.size() && (is_name_start(rest_[end]) || is_digit(rest_[end]))) ++end;
    std::string name(rest_.substr(0, end));
    if (!is_plain_name(name)) return std::nullopt;
    rest_.remove_prefix(end);
    return name;
  }

  std::optional<std::string> quoted_name() {
    std::string_view const close = rest_.starts_with('`') ? "`" : "\u27e9";
    rest_.remove_prefix(close.size());
    std::string name;
    while (!rest_.empty()) {
      if (take(close)) return name;
      if (rest_.front() == '\\') {
        rest_.remove_prefix(1);
        if (!rest_.starts_with('\\') && !rest_.starts_with(close)) return std::nullopt;
        if (rest_.front() != '\\') {
          name += close;
          rest_.remove_prefix(close.size());
          continue;
        }
      }
      name += rest_.front();
      rest_.remove_prefix(1);
    }
    return std::nullopt;
  }

  std::optional<RecordKey> read_key() {
    if (is_quote_ahead()) {
      auto name = quoted_name();
      if (!name) return std::nullopt;
      return RecordKey(*std::move(name));
    }
    if (rest_.starts_with("u'") || rest_.starts_with("u\"")) return read_uuid();
    auto const text = std::exchange(rest_, std::string_view());
    if (is_plain_key(text)) return RecordKey(std::string(text));
    return read_integer(text);
  }

  std::optional<RecordKey> read_uuid() {
    if (rest_.size() != 39 || rest_.back() != rest_[1]) return std::nullopt;
    auto const uuid = Uuid::parse(rest_.substr(2, 36));
    if (!uuid) return std::nullopt;
    rest_ = {};
    return RecordKey(*uuid);
  }

  static std::optional<RecordKey> read_integer(std::string_view text) {
    bool const is_negative = text.starts_with('-');
    auto const digits = text.substr(is_negative ? 1 : 0);
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    std::int64_t number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc()) return RecordKey(number);
    if (is_negative) return std::nullopt;
    return RecordKey(std::string(text));
  }

  std::string_view rest_;
};

}  // namespace

std::optional<RecordId> RecordId::parse(std::string_view text) { return RecordIdParser(text).parse(); }

RecordId record_id_of(std::string table, ScalarKey const& key) {
  if (auto const* number = std::get_if<std::int64_t>(&key)) return {std::move(table), *number};
  if (auto const* text = std::get_if<std::string>(&key)) return {std::move(table), *text};
  if (auto const* uuid = std::get_if<Uuid>(&key)) return {std::move(table), *uuid};
  throw Error(ErrorClass::request, SendState::never_sent, "the id of a record of '" + table + "' is empty");
}

std::string quoted_identifier(std::string_view name) {
  return is_plain_name(name) && !detail::is_reserved(name) ? std::string(name) : detail::in_backticks(name);
}

}  // namespace belay
