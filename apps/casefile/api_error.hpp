#pragma once

#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "apps/casefile/http/request.hpp"
#include "apps/casefile/http/response.hpp"
#include "belay/core/json.hpp"

namespace casefile {

/// A failure the client is told about: the status and `{"error":{"message","type","details"?}}`.
class ApiError : public std::runtime_error {
 public:
  ApiError(unsigned status, std::string type, std::string const& message)
      : std::runtime_error(message), status_(status), type_(std::move(type)) {}

  /// 422 with one entry {loc, msg, type} per issue; `place` is "body" or "query" and begins each loc.
  static ApiError validation(std::string const& place, std::vector<belay::json::Issue> const& issues);
  /// 404 "<what> with ID '<id as given>' not found".
  static ApiError not_found(std::string const& what, std::string const& id);

  unsigned status() const noexcept { return status_; }
  std::string const& type() const noexcept { return type_; }
  std::string const& details_json() const noexcept { return details_json_; }

 private:
  unsigned status_;
  std::string type_;
  std::string details_json_;  ///< a compact JSON object, or empty
};

/// The answer to a request whose handler threw: the one place where failures become HTTP.
///
/// Never shows SQL, a stack or a secret; what the client must not see goes to the log with the request's id.
http::Response response_for(std::exception_ptr, http::Request const&);

/// The same shape for failures found before a handler runs (unknown route, malformed request).
http::Response plain_error(unsigned status, std::string_view type, std::string_view message);

}  // namespace casefile
