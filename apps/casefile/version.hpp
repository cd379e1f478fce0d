#pragma once

namespace casefile {

/// The version that GET /, GET /health and --version name.
inline constexpr char const* version = "0.1.0";

}  // namespace casefile
