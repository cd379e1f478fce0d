#include "apps/casefile/http/router.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/casefile/http/target.hpp"
#include "apps/casefile/http/text.hpp"
#include "belay/core/error.hpp"

namespace casefile::http {

namespace asio = boost::asio;

namespace {

/// More segments than any pattern has: a longer path cannot match.
constexpr std::size_t segments_max = 32;

struct Segment {
  std::string text;  ///< the literal, or the placeholder's name
  bool is_placeholder = false;
};

struct Route {
  std::string_view pattern;
  std::vector<Segment> segments;
  std::vector<std::pair<std::string, Handler>> handlers;  ///< by method, in the order they were added

  Handler const* handler(std::string_view method) const noexcept {
    for (auto const& [known, handler] : handlers) {
      if (known == method) return &handler;
    }
    return nullptr;
  }
};

/// The segments of "/a/b/", without an empty last one; nothing when there are too many.
std::optional<std::vector<std::string_view>> split(std::string_view path) {
  std::vector<std::string_view> segments;
  path.remove_prefix(std::min<std::size_t>(path.size(), 1));
  while (!path.empty()) {
    if (segments.size() == segments_max) return std::nullopt;
    auto const end = std::min(path.find('/'), path.size());
    segments.push_back(path.substr(0, end));
    path.remove_prefix(std::min(path.size(), end + 1));
  }
  return segments;
}

bool matches(Route const& route, std::vector<std::string_view> const& path) {
  if (route.segments.size() != path.size()) return false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    auto const& segment = route.segments[i];
    if (segment.is_placeholder ? path[i].empty() : segment.text != path[i]) return false;
  }
  return true;
}

/// Literals before placeholders, position by position: the first route that matches is the most particular.
bool is_more_particular(Route const& a, Route const& b) {
  return std::lexicographical_compare(
      a.segments.begin(), a.segments.end(), b.segments.begin(), b.segments.end(),
      [](Segment const& x, Segment const& y) { return !x.is_placeholder && y.is_placeholder; });
}

belay::Error bad_pattern(std::string_view pattern, std::string const& why) {
  return {belay::ErrorClass::request, belay::SendState::never_sent, "route '" + std::string(pattern) + "': " + why};
}

Segment parse_segment(std::string_view pattern, std::string_view text) {
  Segment segment;
  segment.is_placeholder = text.size() > 2 && text.starts_with('{') && text.ends_with('}');
  segment.text = segment.is_placeholder ? text.substr(1, text.size() - 2) : text;
  if (segment.text.empty() || segment.text.find_first_of("{}") != std::string::npos) {
    throw bad_pattern(pattern, "a segment is literal text or one {placeholder}");
  }
  return segment;
}

std::vector<Segment> parse_pattern(std::string_view pattern) {
  auto const parts = split(pattern);
  if (!pattern.starts_with('/') || !parts) throw bad_pattern(pattern, "a pattern begins with a slash");
  std::vector<Segment> segments;
  for (auto const part : *parts) segments.push_back(parse_segment(pattern, part));
  return segments;
}

asio::awaitable<Response> ready(Response response) { co_return response; }

}  // namespace

struct Router::Table {
  PlainError plain_error;
  std::vector<Route> routes;  ///< the most particular first

  Route const* find(std::vector<std::string_view> const& path) const {
    for (auto const& route : routes) {
      if (matches(route, path)) return &route;
    }
    return nullptr;
  }

  Response not_found() const { return plain_error(404, "HTTPException", "Not Found"); }

  Response method_not_allowed(Route const& route) const {
    auto response = plain_error(405, "HTTPException", "Method Not Allowed");
    response.headers.emplace_back("Allow", allowed(route));
    return response;
  }

  static Response options(Route const& route) {
    Response response;
    response.status = 204;
    response.headers.emplace_back("Allow", allowed(route));
    return response;
  }

  /// OPTIONS * asks about the server as a whole.
  static Response server_options() {
    Response response;
    response.status = 204;
    return response;
  }

  static std::string allowed(Route const& route) {
    std::vector<std::string> methods;
    for (auto const& entry : route.handlers) methods.push_back(entry.first);
    if (route.handler("GET") && !route.handler("HEAD")) methods.emplace_back("HEAD");
    std::sort(methods.begin(), methods.end());
    std::string text;
    for (auto const& method : methods) text += (text.empty() ? "" : ", ") + method;
    return text;
  }
};

Router::Router(PlainError plain_error) : table_(std::make_shared<Table>()) {
  table_->plain_error = plain_error ? std::move(plain_error) : PlainError(default_plain_error);
}

Router& Router::add(std::string_view method, std::string_view pattern, Handler handler) {
  if (!is_token(method)) throw bad_pattern(pattern, "'" + std::string(method) + "' is no method");
  auto segments = parse_pattern(pattern);
  auto& routes = table_->routes;
  auto const same = std::find_if(routes.begin(), routes.end(), [&](Route const& route) {
    return std::equal(route.segments.begin(), route.segments.end(), segments.begin(), segments.end(),
                      [](Segment const& a, Segment const& b) {
                        return a.is_placeholder == b.is_placeholder && (a.is_placeholder || a.text == b.text);
                      });
  });
  if (same != routes.end()) {
    if (same->pattern != pattern) throw bad_pattern(pattern, "matches the same paths as " + std::string(same->pattern));
    if (same->handler(method)) throw bad_pattern(pattern, std::string(method) + " is there already");
    same->handlers.emplace_back(method, std::move(handler));
    return *this;
  }
  Route route;
  route.pattern = pattern;
  route.segments = std::move(segments);
  route.handlers.emplace_back(method, std::move(handler));
  routes.insert(std::upper_bound(routes.begin(), routes.end(), route, is_more_particular), std::move(route));
  return *this;
}

asio::awaitable<Response> Router::operator()(Request& request) const {
  auto const path = std::string_view(request.target).substr(0, request.target.find('?'));
  std::vector<std::string> decoded;
  auto segments = split(path);
  if (segments && path.find('%') != std::string_view::npos) {
    decoded.reserve(segments->size());
    for (auto& segment : *segments) {
      segment = decoded.emplace_back(percent_decode(segment, Plus::is_plus).value_or(std::string(segment)));
    }
  }
  auto const* route = segments ? table_->find(*segments) : nullptr;
  if (request.target == "*") return ready(Table::server_options());
  if (!route) return ready(table_->not_found());
  request.route = route->pattern;
  auto const* handler = route->handler(request.method);
  if (!handler && request.method == "HEAD") handler = route->handler("GET");
  if (!handler && request.method == "OPTIONS") return ready(Table::options(*route));
  if (!handler) return ready(table_->method_not_allowed(*route));
  for (std::size_t i = 0; i < segments->size(); ++i) {
    auto const& segment = route->segments[i];
    if (segment.is_placeholder) request.parameters.emplace_back(segment.text, (*segments)[i]);
  }
  return (*handler)(request);
}

}  // namespace casefile::http
