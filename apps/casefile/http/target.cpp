#include "apps/casefile/http/target.hpp"

#include <cstdint>

#include "apps/casefile/http/text.hpp"

namespace casefile::http {

namespace {

constexpr Refusal bad_target{400, "The request target is malformed"};
constexpr Refusal bad_path{400, "The path must be percent-encoded UTF-8 without NUL"};
constexpr Refusal bad_query{400, "The query must be percent-encoded UTF-8 without NUL"};
constexpr Refusal too_many_pairs{400, "The query has too many parameters"};

int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  auto const lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_clean(std::string const& text) noexcept { return text.find('\0') == std::string::npos && is_utf8(text); }

/// "http://host/path?query" to "/path?query"; nothing when it is no such thing.
std::optional<std::string> origin_form_of(std::string_view absolute) {
  auto const scheme_end = absolute.find("://");
  if (scheme_end == std::string_view::npos) return std::nullopt;
  auto const scheme = absolute.substr(0, scheme_end);
  if (!equal_ignoring_case(scheme, "http") && !equal_ignoring_case(scheme, "https")) return std::nullopt;
  auto const rest = absolute.substr(scheme_end + 3);
  auto const authority = rest.substr(0, rest.find_first_of("/?"));
  if (authority.empty() || authority.find('@') != std::string_view::npos) return std::nullopt;
  std::string const origin(rest.substr(authority.size()));
  return origin.starts_with('/') ? origin : "/" + origin;
}

std::optional<Refusal> read_query(std::string_view text, std::size_t pairs_max, Request::Pairs& pairs) {
  while (!text.empty()) {
    auto const pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    if (pairs.size() == pairs_max) return too_many_pairs;
    auto const equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), Plus::is_space);
    auto value =
        percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), Plus::is_space);
    if (!name || !value || !is_clean(*name) || !is_clean(*value)) return bad_query;
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3) return std::nullopt;
      auto const high = hex_value(text[i + 1]);
      auto const low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i] == '+' && plus == Plus::is_space ? ' ' : text[i];
    }
  }
  return decoded;
}

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    auto const lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) {
      ++i;
      continue;
    }
    std::size_t const length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - i < length) return false;
    std::uint32_t code = lead & (0x7Fu >> length);
    for (std::size_t k = 1; k < length; ++k) {
      auto const byte = static_cast<unsigned char>(text[i + k]);
      if ((byte & 0xC0) != 0x80) return false;
      code = code << 6 | (byte & 0x3Fu);
    }
    constexpr std::uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < smallest[length] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return false;
    i += length;
  }
  return true;
}

std::optional<Refusal> read_target(std::string_view target, std::size_t query_pairs_max, Request& request) {
  if (target == "*" && request.method == "OPTIONS") {
    request.target = request.path = "*";
    return std::nullopt;
  }
  if (target.find('#') != std::string_view::npos) return bad_target;
  if (target.starts_with('/')) {
    request.target = target;
  } else {
    auto origin = origin_form_of(target);
    if (!origin) return bad_target;
    request.target = std::move(*origin);
  }
  std::string_view const origin = request.target;
  auto const path_end = std::min(origin.find('?'), origin.size());
  auto path = percent_decode(origin.substr(0, path_end), Plus::is_plus);
  if (!path || !is_clean(*path)) return bad_path;
  request.path = std::move(*path);
  if (path_end == origin.size()) return std::nullopt;
  return read_query(origin.substr(path_end + 1), query_pairs_max, request.query);
}

}  // namespace casefile::http
