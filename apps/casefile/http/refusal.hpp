#pragma once

#include <string_view>

namespace casefile::http {

/// Why the server itself turns a request down.
struct Refusal {
  unsigned status = 0;       ///< 4xx or 5xx
  std::string_view message;  ///< a sentence for the client; a literal
};

}  // namespace casefile::http
