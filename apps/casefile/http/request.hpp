#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace casefile::http {

/// The header fields of a request in the order they came, stored in one block of text.
///
/// Names are compared without regard to case, as RFC 9110, section 5.1 demands. Views it gives out are valid until
/// the next add() or clear().
class Headers {
 public:
  void add(std::string_view name, std::string_view value);
  void clear() noexcept;
  std::size_t size() const noexcept { return fields_.size(); }
  /// index < size()
  std::string_view name(std::size_t index) const noexcept;
  std::string_view value(std::size_t index) const noexcept;
  /// The value of the first field of that name; empty when there is none.
  std::string_view find(std::string_view name) const noexcept;
  std::size_t count(std::string_view name) const noexcept;

 private:
  struct Field {
    std::uint32_t name_begin;
    std::uint32_t value_begin;
    std::uint32_t value_end;
  };
  std::string text_;
  std::vector<Field> fields_;
};

/// A request whose syntax has been checked and whose body has arrived whole.
///
/// A handler owns it while it runs and may move strings out of it (what it takes of method, target and id is missing in
/// the access log). Not thread-safe; gone when the handler's coroutine ends.
struct Request {
  using Pairs = std::vector<std::pair<std::string, std::string>>;

  std::string method;  ///< as sent: "GET", "PATCH", or a token nobody knows
  std::string target;  ///< path and query as sent, still percent-encoded; "*" only for OPTIONS
  std::string path;    ///< percent-decoded, valid UTF-8 without NUL; ".." is a segment like any other
  Pairs query;         ///< decoded name-value pairs in the order they came; '+' is a space
  Pairs parameters;    ///< what the route's {placeholders} matched, decoded; filled in by Router
  Headers headers;
  std::string body;
  std::string id;          ///< the client's X-Request-Id where it is acceptable, else one of ours; echoed in the answer
  std::string peer;        ///< address and port of the client: "127.0.0.1:51742"
  std::string_view route;  ///< the pattern that matched, "/api/dossiers/{id}"; empty when none did

  /// The first header of that name (case does not matter); empty when absent.
  std::string_view header(std::string_view name) const noexcept { return headers.find(name); }
  /// What the placeholder of that name matched. Throws std::out_of_range when the route has none: a mistake in the
  /// route table, not in the request.
  std::string const& parameter(std::string_view name) const;

  /// Back to an empty request that keeps its memory for the next one.
  void clear() noexcept;
};

}  // namespace casefile::http
