#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/fwd.hpp>

namespace belay::tests {

struct Answer {
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string header(std::string const& name) const;  ///< empty when absent; names in any case
  /// The body as JSON; throws when it is not.
  boost::json::value json() const;
};

/// One keep-alive connection to 127.0.0.1, used by blocking calls; reconnects when the server closed it.
///
/// Every wait ends after ten seconds. Throws std::exception when no answer comes.
class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;

  Answer get(std::string const& target) { return send("GET", target); }
  Answer post(std::string const& target, std::string const& json) { return send("POST", target, json); }
  Answer send(std::string const& method, std::string const& target, std::string const& body = "",
              std::vector<std::pair<std::string, std::string>> const& headers = {});

  /// Sends bytes as they are on a connection of its own and returns all that comes back until the server closes it or
  /// `patience_ms` passes without a byte.
  static std::string raw(std::uint16_t port, std::string const& bytes, int patience_ms = 2000);

 private:
  struct Connection;
  std::uint16_t port_;
  std::unique_ptr<Connection> connection_;
};

}  // namespace belay::tests
