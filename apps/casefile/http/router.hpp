#pragma once

#include <memory>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include "apps/casefile/http/request.hpp"
#include "apps/casefile/http/response.hpp"
#include "apps/casefile/http/server.hpp"

namespace casefile::http {

/// Finds the handler for a request by its method and path. Is itself a Handler.
///
/// A pattern is literal segments and {placeholders}: "/api/dossiers/{id}/pin". A placeholder matches one segment that
/// is not empty and hands it over percent-decoded (an encoded slash stays inside its segment); where both fit, a
/// literal wins. Paths match with and without a trailing slash. HEAD is answered by GET's handler where it has none
/// of its own. An unknown path gets 404; a known one with a method it lacks 405 and OPTIONS 204, both with Allow.
///
/// Fill it first, use it from any thread then. Copies share the routes.
class Router {
 public:
  /// `plain_error` shapes the 404 and the 405; without one they are default_plain_error's.
  explicit Router(PlainError plain_error = PlainError());

  /// Throws belay::Error (request) when the pattern is malformed or the route is there already. The pattern becomes
  /// Request::route and must outlive the router (a literal does).
  Router& add(std::string_view method, std::string_view pattern, Handler);

  /// The request must outlive the awaitable.
  boost::asio::awaitable<Response> operator()(Request&) const;

 private:
  struct Table;
  std::shared_ptr<Table> table_;
};

}  // namespace casefile::http
