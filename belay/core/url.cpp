#include "belay/core/url.hpp"

#include <algorithm>
#include <array>

#include "belay/core/detail/url_scheme.hpp"

namespace belay {

namespace {

bool is_unreserved(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

std::string percent_encoded(std::string_view text, std::string_view also_plain) {
  constexpr std::string_view hex = "0123456789ABCDEF";
  std::string result;
  for (char const c : text) {
    if (is_unreserved(c) || also_plain.find(c) != std::string_view::npos) {
      result += c;
    } else {
      auto const byte = static_cast<unsigned char>(c);
      ((result += '%') += hex[byte >> 4]) += hex[byte & 15u];
    }
  }
  return result;
}

bool suggests_secret(std::string_view name) {
  auto const text = detail::lowered(name);
  constexpr std::array<std::string_view, 8> words = {"pass", "pwd",        "secret", "token",
                                                     "key",  "credential", "auth",   "jwt"};
  return std::any_of(words.begin(), words.end(), [&](auto word) { return text.find(word) != std::string::npos; });
}

enum class Secrets { masked, shown };

std::string host_text(Url::Host const& host, std::uint16_t default_port) {
  auto text = host.name.find(':') == std::string::npos ? percent_encoded(host.name, "")
                                                       : '[' + percent_encoded(host.name, ":") + ']';
  if (host.port != default_port) text += ':' + std::to_string(host.port);
  return text;
}

std::string text_of(Url const& url, Secrets secrets) {
  auto const scheme = std::find_if(detail::url_schemes.begin(), detail::url_schemes.end(),
                                   [&](detail::UrlScheme const& s) { return s.canonical == url.scheme(); });
  auto const secret = [secrets](std::string const& value) {
    return secrets == Secrets::shown ? percent_encoded(value, "") : std::string("***");
  };
  bool const is_file = url.engine() == Engine::sqlite;
  // A path that begins with two slashes would read as a host.
  std::string text = url.scheme() + (is_file ? (url.path().starts_with("//") ? "://" : ":") : "://");
  if (!url.user().empty()) {
    text += percent_encoded(url.user(), "");
    if (url.has_password()) text += ':' + secret(url.reveal_password());
    text += '@';
  }
  for (auto const& host : url.hosts()) {
    if (&host != url.hosts().data()) text += ',';
    text += host_text(host, scheme->default_port);
  }
  if (url.engine() == Engine::postgresql) {
    if (!url.path().empty()) text += '/' + percent_encoded(url.path(), "");
  } else {
    text += percent_encoded(url.path(), "/:");
  }
  for (auto const& [name, value] : url.params()) {
    text += text.find('?') == std::string::npos ? '?' : '&';
    text += percent_encoded(name, "");
    text += '=';
    text += suggests_secret(name) ? secret(value) : percent_encoded(value, "/:,");
  }
  return text;
}

}  // namespace

std::string_view name_of(Engine engine) noexcept {
  switch (engine) {  // no default: the compiler reports a missing enumerator
    case Engine::sqlite: return "sqlite";
    case Engine::postgresql: return "postgresql";
    case Engine::surrealdb: return "surrealdb";
  }
  return "unknown";
}

std::string const& Url::reveal_password() const noexcept {
  static std::string const none;
  return password_ ? *password_ : none;
}

std::optional<std::string_view> Url::param(std::string_view name) const noexcept {
  for (auto const& [key, value] : params_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string Url::to_string() const { return text_of(*this, Secrets::masked); }
std::string Url::reveal() const { return text_of(*this, Secrets::shown); }

}  // namespace belay
