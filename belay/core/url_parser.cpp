// Url::parse. Its errors never repeat what may be a secret, and no one knows what that is in a malformed text: so they
// name the part, and repeat nothing but schemes and names of parameters.
#include <algorithm>
#include <charconv>

#include "belay/core/detail/url_scheme.hpp"
#include "belay/core/error.hpp"
#include "belay/core/url.hpp"

namespace belay {

namespace {

bool is_blank_or_control(char c) noexcept { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }

constexpr std::size_t text_bytes_max = 64 * 1024;
constexpr std::size_t hosts_max = 64;
constexpr std::size_t params_max = 128;

constexpr std::string_view accepted_schemes =
    "sqlite:PATH, postgresql://, postgres://, surrealdb+ws://, surrealdb+wss://, surrealdb+http://, "
    "surrealdb+https://, ws://, wss://, http://, https://";

[[noreturn]] void refuse(std::string const& message) {
  throw Error(ErrorClass::request, SendState::never_sent, "the database URL " + message);
}

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// `what` names the part in an error; the text itself may be a secret.
std::string percent_decoded(std::string_view text, std::string_view what) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      auto const high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      auto const low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        refuse("has a '%' in its " + std::string(what) +
               " that two hexadecimal digits do not follow; a '%' itself is written %25");
      }
      c = static_cast<char>(high * 16 + low);
      if (c == '\0') refuse("has a NUL byte (%00) in its " + std::string(what));
      i += 2;
    }
    result += c;
  }
  return result;
}

bool is_ipv6_literal(std::string_view text) noexcept {
  auto const address = text.substr(0, text.find('%'));
  return address.find(':') != std::string_view::npos &&
         address.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

}  // namespace

/// Takes a URL apart from its front.
class UrlParser {
 public:
  explicit UrlParser(std::string_view text) noexcept : rest_(text) {}

  Url parse() {
    check_characters();
    read_scheme();
    read_params();
    if (url_.engine_ == Engine::sqlite) {
      read_file();
    } else {
      read_authority();
      read_path();
    }
    return std::move(url_);
  }

 private:
  void check_characters() const {
    if (rest_.empty()) refuse("is empty; accepted are " + std::string(accepted_schemes));
    if (rest_.size() > text_bytes_max) refuse("is longer than " + std::to_string(text_bytes_max) + " bytes");
    for (char const c : rest_) {
      if (is_blank_or_control(c)) {
        refuse("has a blank or a control character in it; a space is written %20");
      }
    }
    if (rest_.find('#') != std::string_view::npos) refuse("has a '#' in it, which is written %23");
  }

  void read_scheme() {
    // What stands before the first colon is repeated only if it cannot be a user's name or a password.
    auto const colon = rest_.find(':');
    if (colon == std::string_view::npos) refuse("has no scheme; accepted are " + std::string(accepted_schemes));
    auto const written = detail::lowered(rest_.substr(0, colon));
    auto const found = std::find_if(detail::url_schemes.begin(), detail::url_schemes.end(),
                                    [&](detail::UrlScheme const& scheme) { return scheme.written == written; });
    bool const has_authority = rest_.substr(colon).starts_with("://");
    if (found == detail::url_schemes.end()) {
      bool const is_showable = has_authority && written.size() <= 16 && written.find('@') == std::string::npos;
      refuse((is_showable ? "has the unknown scheme '" + written + "'" : std::string("has no known scheme")) +
             "; accepted are " + std::string(accepted_schemes));
    }
    if (found->engine != Engine::sqlite && !has_authority) refuse("needs '//' after '" + written + ":'");
    url_.scheme_ = found->canonical;
    url_.engine_ = found->engine;
    default_port_ = found->default_port;
    rest_.remove_prefix(colon + (has_authority ? 3 : 1));
    has_authority_ = has_authority;
  }

  void read_params() {
    auto const start = rest_.find('?');
    if (start == std::string_view::npos) return;
    auto query = rest_.substr(start + 1);
    rest_ = rest_.substr(0, start);
    if (query.find('@') != std::string_view::npos && rest_.find('@') == std::string_view::npos &&
        url_.engine_ != Engine::sqlite) {
      refuse("has an '@' only after its '?'; in a password '?' is written %3F, in a parameter '@' is written %40");
    }
    while (!query.empty()) {
      auto const end = std::min(query.find('&'), query.size());
      add_param(query.substr(0, end));
      query.remove_prefix(std::min(end + 1, query.size()));
    }
  }

  void add_param(std::string_view text) {
    auto const equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      refuse("has a parameter that is not NAME=VALUE, the " + std::to_string(url_.params_.size() + 1) + ". after '?'");
    }
    auto name = percent_decoded(text.substr(0, equals), "parameters");
    if (url_.param(name)) refuse("has the parameter '" + name + "' twice");
    if (url_.params_.size() >= params_max) refuse("has more than " + std::to_string(params_max) + " parameters");
    auto value = percent_decoded(text.substr(equals + 1), "parameters");
    url_.params_.emplace_back(std::move(name), std::move(value));
  }

  void read_file() {
    if (has_authority_ && !rest_.starts_with('/')) {
      refuse("names a file after 'sqlite://', where a host would stand; write sqlite:PATH");
    }
    url_.path_ = percent_decoded(rest_, "path");
    if (url_.path_.empty()) refuse("names no file; write sqlite:PATH, for example sqlite:case-files.db");
    if (url_.path_ == ":memory:" || url_.path_.starts_with("file:")) {
      refuse(
          "must name a plain file: an in-memory database belongs to one connection and cannot be shared by readers "
          "and writer; write for example sqlite:/tmp/test.db");
    }
  }

  void read_authority() {
    auto const end = std::min(rest_.find('/'), rest_.size());
    auto authority = rest_.substr(0, end);
    rest_.remove_prefix(end);
    if (rest_.find('@') != std::string_view::npos) {
      refuse(
          "has an '@' after its first '/'; in a user's name or password '/' is written %2F, in a path '@' is written "
          "%40");
    }
    auto const at = authority.rfind('@');
    if (at != std::string_view::npos) {
      read_user(authority.substr(0, at));
      authority.remove_prefix(at + 1);
    }
    read_hosts(authority);
  }

  void read_user(std::string_view text) {
    if (text.find('@') != std::string_view::npos) {
      refuse("has more than one '@' before the host; in a user's name or password '@' is written %40");
    }
    auto const colon = text.find(':');
    url_.user_ = percent_decoded(text.substr(0, colon), "user's name");
    if (colon == std::string_view::npos) return;
    auto const password = text.substr(colon + 1);
    if (password.find(':') != std::string_view::npos) refuse("has a ':' in its password, which is written %3A");
    url_.password_ = percent_decoded(password, "password");
    if (url_.user_.empty()) refuse("has a password without a user's name; write user:password@host");
  }

  void read_hosts(std::string_view text) {
    bool const may_be_many = url_.engine_ == Engine::postgresql;
    if (text.empty()) {
      if (may_be_many) return;
      refuse("names no host; write for example " + url_.scheme_ + "://localhost:8000");
    }
    while (true) {
      auto const end = std::min(text.find(','), text.size());
      add_host(text.substr(0, end));
      if (end == text.size()) break;
      text.remove_prefix(end + 1);
    }
    if (url_.hosts_.size() > 1 && !may_be_many) refuse("names several hosts; this engine takes one");
    if (url_.hosts_.size() > hosts_max) refuse("names more than " + std::to_string(hosts_max) + " hosts");
  }

  /// Never repeats the text: without an '@' it may be a user's name and password cut off by a '/' or '?'.
  void add_host(std::string_view text) {
    Url::Host host;
    host.port = default_port_;
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
      auto const close = text.find(']');
      if (close == std::string_view::npos) refuse("has a '[' without its ']'");
      host.name = percent_decoded(text.substr(1, close - 1), "host");
      if (!is_ipv6_literal(host.name)) refuse("has something in brackets that is no IPv6 address such as [::1]");
      auto const after = text.substr(close + 1);
      has_port = after.starts_with(':');
      if (!after.empty() && !has_port) refuse("has something other than ':PORT' after an IPv6 address");
      port = after.substr(has_port ? 1 : 0);
    } else {
      auto const colon = text.find(':');
      if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) {
        refuse("has more than one ':' in a host; an IPv6 address is written in brackets, as in [::1]:5432");
      }
      host.name = percent_decoded(text.substr(0, colon), "host");
      has_port = colon != std::string_view::npos;
      port = has_port ? text.substr(colon + 1) : std::string_view();
    }
    if (host.name.empty()) refuse("has an empty host");
    if (std::any_of(host.name.begin(), host.name.end(), is_blank_or_control)) {
      refuse("has a host with a blank or a control character in it");
    }
    if (host.name.find_first_of("[]@,") != std::string::npos) refuse("has a host with a '[', ']', '@' or ',' in it");
    if (has_port) host.port = read_port(port);
    url_.hosts_.push_back(std::move(host));
  }

  static std::uint16_t read_port(std::string_view text) {
    std::uint16_t port = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port == 0) {
      refuse(
          "has a port that is no number from 1 to 65535; if that is part of a password, write its '@' as %40, '/' as "
          "%2F, '?' as %3F, '#' as %23");
    }
    return port;
  }

  void read_path() {
    auto path = rest_;
    while (path.ends_with('/')) path.remove_suffix(1);
    if (url_.engine_ == Engine::postgresql) {
      if (path.starts_with('/')) path.remove_prefix(1);
      if (path.find('/') != std::string_view::npos) {
        refuse("has more than one '/' after the host; in a database's name it is written %2F");
      }
    }
    url_.path_ = percent_decoded(path, "path");
    if (url_.engine_ == Engine::postgresql) return;
    // A slash that was written %2F is one like any other in an HTTP path, also at its end.
    while (url_.path_.ends_with('/')) url_.path_.pop_back();
  }

  Url url_;
  std::string_view rest_;
  std::uint16_t default_port_ = 0;
  bool has_authority_ = false;
};

Url Url::parse(std::string_view text) { return UrlParser(text).parse(); }

}  // namespace belay
