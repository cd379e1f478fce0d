#include "apps/casefile/api_error.hpp"

#include <charconv>
#include <chrono>
#include <optional>

#include <spdlog/spdlog.h>

#include "belay/core/error.hpp"
#include "belay/resilience/outcome.hpp"

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

http::Response unexpected() { return error_response(500, "InternalServerError", "An unexpected error occurred", {}); }

/// How long a refusal asks to stay away, in whole seconds; nullopt: it does not say.
std::optional<std::chrono::seconds> asked_pause(belay::Error const& error) {
  auto const text = error.detail("retry_after_ms");
  std::int64_t milliseconds = 0;
  auto const [end, failure] = std::from_chars(text.data(), text.data() + text.size(), milliseconds);
  if (text.empty() || failure != std::errc() || milliseconds <= 0) return std::nullopt;
  return std::chrono::ceil<std::chrono::seconds>(std::chrono::milliseconds(milliseconds));
}

struct Shape {
  std::string_view type;
  std::string_view message;
};

Shape shape_of(belay::Error const& error, belay::resilience::HttpAnswer const& answer) {
  using belay::ErrorClass;
  if (answer.status == 504) return {"DatabaseTimeoutError", "The database did not answer in time"};
  if (error.detail("refused_by") == "circuit_breaker") {
    return {"CircuitOpenError", "The database has failed too often and is left alone for a while"};
  }
  if (error.error_class() == ErrorClass::capacity || error.error_class() == ErrorClass::timeout_local) {
    return {"PoolTimeoutError", "Too many database operations are waiting; try again shortly"};
  }
  if (answer.retry_after > std::chrono::seconds(1)) {
    return {"DatabaseUnavailableError", "The database is not available; try again later"};
  }
  return {"DatabaseUnavailableError", "The database is not available; try again shortly"};
}

/// What a failed database operation means for the client: the library's table says.
http::Response response_for_database(belay::Error const& error) {
  auto const answer = belay::resilience::http_answer(error);
  // Requests are validated before they reach the database: one that it does not understand is our mistake.
  if (answer.status == 500) return unexpected();
  auto const shape = shape_of(error, answer);
  auto response = error_response(answer.status, shape.type, shape.message, {});
  if (answer.retry_after) {
    auto const pause = asked_pause(error).value_or(*answer.retry_after);
    response.headers.emplace_back("Retry-After", std::to_string(pause.count()));
  }
  return response;
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
    auto response = error_response(error.status(), error.type(), error.what(), error.details_json());
    if (error.status() == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
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
