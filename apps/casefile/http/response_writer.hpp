#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "apps/casefile/http/response.hpp"

namespace casefile::http {

/// What the server adds to a response of its own accord.
struct Envelope {
  std::string_view date;        ///< see DateText
  std::string_view request_id;  ///< left out when empty; must be free of control characters
  bool closes = false;          ///< the connection ends with this answer
  bool is_http_1_0 = false;     ///< such a client is told explicitly that the connection lives on
};

/// Why a response must not be sent: a status out of range, a header that is malformed or belongs to the server.
/// Nothing when it is fine. This is what makes header injection impossible.
std::optional<std::string> problem_with(Response const&);

/// Whether a response of that status has a body at all (not 204 and 304).
bool may_have_body(unsigned status) noexcept;

/// Appends status line and headers with the empty line that ends them. The response must have no problem.
void append_head(std::string& out, Response const&, Envelope const&);

/// "OK", "Not Found"; "Status" for numbers without a registered phrase.
std::string_view reason_phrase(unsigned status) noexcept;

/// The time of day as HTTP writes it, "Sat, 21 Nov 2026 08:36:00 GMT", made anew only when the second changes.
/// Not thread-safe.
class DateText {
 public:
  std::string_view at(std::time_t now);

 private:
  std::time_t made_for_ = -1;
  std::string text_;
};

}  // namespace casefile::http
