#pragma once

#include <string>
#include <utility>
#include <vector>

namespace casefile::http {

/// What a handler answers. The server adds Date, Content-Length, Connection and X-Request-Id by itself.
///
/// Header names must be tokens and values free of control characters, and the headers the server writes may not be
/// given; a response that breaks this is not sent, the client gets a 500 instead.
struct Response {
  unsigned status = 200;                          ///< 200 to 599
  std::string body;                               ///< not sent for HEAD, 204 and 304
  std::string content_type = "application/json";  ///< left out when empty, and for 204 and 304
  std::vector<std::pair<std::string, std::string>> headers;
};

}  // namespace casefile::http
