#pragma once

#include <string_view>

namespace casefile {

/// The page at GET /docs: what the API offers, for a person with a browser. One HTML document without scripts or
/// anything loaded from elsewhere.
std::string_view docs_page() noexcept;

}  // namespace casefile
