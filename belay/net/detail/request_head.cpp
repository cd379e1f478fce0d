#include "belay/net/detail/request_head.hpp"

#include <algorithm>
#include <array>

#include "belay/core/error.hpp"

namespace belay::net::detail {

namespace {

[[noreturn]] void refuse(std::string sentence) {
  throw Error(ErrorClass::request, SendState::never_sent, std::move(sentence));
}

bool is_alphanumeric(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// RFC 9110, section 5.6.2.
bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
  });
}

bool is_visible(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

/// Anything but what could end the line; bytes above ASCII are let through as they are.
bool is_field_value(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) {
    auto const byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= ' ' && byte != 0x7f);
  });
}

bool is_ours(std::string_view name) {
  constexpr std::array<std::string_view, 8> ours{
      "host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "expect"};
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(ours.begin(), ours.end(), lower) != ours.end();
}

}  // namespace

void require_host(std::string_view host) {
  if (host.empty() || !is_visible(host)) refuse("an HTTP client needs the host's name, as it stands in a URL");
}

std::string request_head(HttpRequest const& request, std::string_view host) {
  if (!is_token(request.method) || request.method == "CONNECT") {
    refuse("an HTTP request's method is a word like GET, and not CONNECT");
  }
  bool const is_path = request.target.starts_with('/') || request.target == "*";
  if (!is_path || !is_visible(request.target)) {
    refuse("an HTTP request's target is a path that begins with '/', percent-encoded");
  }
  auto head = request.method + " " + request.target + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n";
  for (auto const& [name, value] : request.headers) {
    if (!is_token(name)) refuse("an HTTP header's name is not a token");
    if (is_ours(name)) refuse("the HTTP header '" + name + "' is set by the client itself");
    if (!is_field_value(value)) refuse("the value of the HTTP header '" + name + "' has a control character");
    head += name + ": " + value + "\r\n";
  }
  bool const says_length =
      !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (says_length) head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return head + "\r\n";
}

}  // namespace belay::net::detail
