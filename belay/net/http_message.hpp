#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::net {

/// Header fields in their order. Names compare without case.
class HttpHeaders {
 public:
  using Field = std::pair<std::string, std::string>;

  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  /// The first of that name; nullopt when there is none.
  std::optional<std::string_view> find(std::string_view name) const noexcept;

  std::size_t size() const noexcept { return fields_.size(); }
  auto begin() const noexcept { return fields_.begin(); }
  auto end() const noexcept { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

/// A request. Not an aggregate, so that it may be written inside a co_await expression.
struct HttpRequest {
  HttpRequest(std::string its_method, std::string its_target, std::string its_body = std::string())
      : method(std::move(its_method)), target(std::move(its_target)), body(std::move(its_body)) {}
  HttpRequest&& with(std::string name, std::string value) && {
    headers.add(std::move(name), std::move(value));
    return std::move(*this);
  }

  std::string method;  ///< a token in upper case; not CONNECT
  std::string target;  ///< a path with its query, percent-encoded, or "*"
  /// Without Host, Content-Length, Transfer-Encoding, Connection, Upgrade, TE, Trailer and Expect: those are the
  /// client's.
  HttpHeaders headers;
  std::string body;
};

struct HttpResponse {
  int status = 0;  ///< 200…999
  HttpHeaders headers;
  std::string body;  ///< without its transfer coding; content codings (gzip) are left as they are
};

/// What an answer may demand of us. Checked by HttpClient: a value out of range is Error(request).
struct HttpLimits {
  std::size_t head_bytes_max = 64 * 1024;           ///< status line and headers together. 1 KiB…16 MiB
  std::size_t headers_max = 200;                    ///< header fields. 1…10'000
  std::uint64_t body_bytes_max = 64 * 1024 * 1024;  ///< of a body that is collected. 0…1 TiB
  /// Of a body that goes to a sink; nullopt: the sink decides.
  std::optional<std::uint64_t> streamed_bytes_max = std::nullopt;
};

/// Error(request) that names the first limit out of its range, and the range.
void validate(HttpLimits const&);

}  // namespace belay::net
