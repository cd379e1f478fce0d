#include "apps/casefile/http/service.hpp"

#include <utility>

#include "belay/core/json.hpp"

namespace casefile::http {

Response default_plain_error(unsigned status, std::string_view type, std::string_view message) {
  Response response;
  response.status = status;
  response.body = "{\"error\":{\"message\":";
  belay::json::append_json(response.body, message);
  response.body += ",\"type\":";
  belay::json::append_json(response.body, type);
  response.body += "}}";
  return response;
}

Response Service::refusal_response(unsigned status, std::string_view message) const noexcept {
  try {
    return plain_error(status, "HTTPException", message);
  } catch (...) {
    return default_plain_error(status, "HTTPException", message);
  }
}

Response Service::failure_response(std::exception_ptr failure, Request const& request) const noexcept {
  try {
    if (error_handler) return error_handler(std::move(failure), request);
  } catch (...) {
    return refusal_response(500, "Internal server error");
  }
  return refusal_response(500, "Internal server error");
}

}  // namespace casefile::http
