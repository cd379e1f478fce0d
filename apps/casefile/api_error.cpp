#include "apps/casefile/api_error.hpp"

#include <spdlog/spdlog.h>

#include "belay/core/error.hpp"

namespace casefile {

namespace {

std::string_view name_of(belay::json::Issue::Kind kind) {
  using Kind = belay::json::Issue::Kind;
  switch (kind) {  // no default: the compiler reports a missing enumerator
    case Kind::missing: return "missing";
    case Kind::unknown: return "unknown";
    case Kind::wrong_type: return "wrong_type";
    case Kind::out_of_range: return "out_of_range";
    case Kind::invalid: return "invalid";
  }
  return "invalid";
}

http::Response error_response(unsigned status, std::string_view type, std::string_view message,
                              std::string_view details_json) {
  http::Response response;
  response.status = status;
  auto& body = response.body;
  body = "{\"error\":{\"message\":";
  belay::json::append_json(body, message);
  body += ",\"type\":";
  belay::json::append_json(body, type);
  if (!details_json.empty()) {
    body += ",\"details\":";
    body += details_json;
  }
  body += "}}";
  return response;
}

http::Response unavailable(std::string_view type, std::string_view message, unsigned retry_after_seconds) {
  auto response = error_response(503, type, message, {});
  response.headers.emplace_back("Retry-After", std::to_string(retry_after_seconds));
  return response;
}

http::Response unexpected() { return error_response(500, "InternalServerError", "An unexpected error occurred", {}); }

/// What a failed database operation means for the client.
http::Response response_for_database(belay::Error const& error) {
  using belay::ErrorClass;
  switch (error.error_class()) {  // no default: the compiler reports a missing enumerator
    case ErrorClass::timeout_local:
    case ErrorClass::timeout_server:
      return error_response(504, "DatabaseTimeoutError", "The database did not answer in time", {});
    case ErrorClass::capacity:
      return unavailable("PoolTimeoutError", "Too many database operations are waiting; try again shortly", 1);
    case ErrorClass::transport:
    case ErrorClass::overload:
    case ErrorClass::auth:
    case ErrorClass::role:
    case ErrorClass::conflict:
    case ErrorClass::cancelled:
      return unavailable("DatabaseUnavailableError", "The database is not available; try again shortly", 1);
    case ErrorClass::internal:
      if (!error.engine_code().empty()) {  // the engine's own: a damaged file, an I/O error
        return unavailable("DatabaseUnavailableError", "The database is not available; try again later", 30);
      }
      return unexpected();
    case ErrorClass::request:  // requests are validated before they reach the database: reaching it is our mistake
    case ErrorClass::protocol: return unexpected();
  }
  return unexpected();
}

}  // namespace

ApiError ApiError::validation(std::string const& place, std::vector<belay::json::Issue> const& issues) {
  ApiError error(422, "ValidationError", "Validation failed");
  auto& json = error.details_json_;
  json = "{\"errors\":[";
  for (auto const& issue : issues) {
    if (json.back() != '[') json += ',';
    json += "{\"loc\":[";
    belay::json::append_json(json, place);
    for (auto const& step : issue.path) {
      json += ',';
      belay::json::append_json(json, step);
    }
    json += "],\"msg\":";
    belay::json::append_json(json, issue.message);
    json += ",\"type\":";
    belay::json::append_json(json, name_of(issue.kind));
    json += '}';
  }
  json += "]}";
  return error;
}

ApiError ApiError::not_found(std::string const& what, std::string const& id) {
  return {404, "ResourceNotFoundError", what + " with ID '" + id + "' not found"};
}

http::Response plain_error(unsigned status, std::string_view type, std::string_view message) {
  return error_response(status, type, message, {});
}

http::Response response_for(std::exception_ptr failure, http::Request const& request) {
  try {
    std::rethrow_exception(failure);
  } catch (ApiError const& error) {
    return error_response(error.status(), error.type(), error.what(), error.details_json());
  } catch (belay::Error const& error) {
    auto response = response_for_database(error);
    spdlog::log(response.status == 500 ? spdlog::level::err : spdlog::level::warn, "request {} {} {}: {} ({}, {}{}{})",
                request.id, request.method, request.path, error.what(), name_of(error.error_class()),
                name_of(error.send_state()), error.engine_code().empty() ? "" : ", ", error.engine_code());
    return response;
  } catch (std::exception const& error) {
    spdlog::error("request {} {} {}: {}", request.id, request.method, request.path, error.what());
    return unexpected();
  }
}

}  // namespace casefile
