#include "apps/casefile/http/response_writer.hpp"

#include <array>
#include <charconv>

#include "apps/casefile/http/text.hpp"

namespace casefile::http {

namespace {

/// Headers the server writes by itself: a second one would contradict it.
bool belongs_to_server(std::string_view name) noexcept {
  for (std::string_view const own :
       {"connection", "content-length", "content-type", "date", "keep-alive", "transfer-encoding", "x-request-id"}) {
    if (equal_ignoring_case(name, own)) return true;
  }
  return false;
}

bool is_field_value(std::string_view text) noexcept {
  for (char const c : text) {
    if (!is_field_character(c)) return false;
  }
  return true;
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

}  // namespace

std::optional<std::string> problem_with(Response const& response) {
  if (response.status < 200 || response.status > 599) {
    return "a response cannot have the status " + std::to_string(response.status);
  }
  if (!is_field_value(response.content_type)) return "the Content-Type of a response holds a control character";
  for (auto const& [name, value] : response.headers) {
    if (!is_token(name)) return "a response header has a name that is no token";
    if (!is_field_value(value)) return "the response header " + name + " holds a control character";
    if (belongs_to_server(name)) return "the response header " + name + " is the server's to write";
  }
  return std::nullopt;
}

bool may_have_body(unsigned status) noexcept { return status != 204 && status != 304; }

void append_head(std::string& out, Response const& response, Envelope const& envelope) {
  out += "HTTP/1.1 ";
  append_number(out, response.status);
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\n";
  append_field(out, "Date", envelope.date);
  if (may_have_body(response.status)) {
    if (!response.content_type.empty()) append_field(out, "Content-Type", response.content_type);
    out += "Content-Length: ";
    append_number(out, response.body.size());
    out += "\r\n";
  }
  if (!envelope.request_id.empty()) append_field(out, "X-Request-Id", envelope.request_id);
  for (auto const& [name, value] : response.headers) append_field(out, name, value);
  if (envelope.closes) {
    append_field(out, "Connection", "close");
  } else if (envelope.is_http_1_0) {
    append_field(out, "Connection", "keep-alive");
  }
  out += "\r\n";
}

std::string_view reason_phrase(unsigned status) noexcept {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Status";
  }
}

std::string_view DateText::at(std::time_t now) {
  if (now == made_for_) return text_;
  constexpr std::array<char const*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<char const*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::tm utc{};
  gmtime_r(&now, &utc);
  auto const two = [](int number) {
    auto digits = std::to_string(number);
    return digits.size() < 2 ? "0" + digits : digits;
  };
  // Not strftime: a process may have set a locale, and HTTP's names are English.
  text_ = std::string(days[static_cast<std::size_t>(utc.tm_wday)]) + ", " + two(utc.tm_mday) + ' ' +
          months[static_cast<std::size_t>(utc.tm_mon)] + ' ' + std::to_string(utc.tm_year + 1900) + ' ' +
          two(utc.tm_hour) + ':' + two(utc.tm_min) + ':' + two(utc.tm_sec) + " GMT";
  made_for_ = now;
  return text_;
}

}  // namespace casefile::http
