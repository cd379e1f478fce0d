#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "belay/core/url.hpp"

/// What reading and writing a database URL share.
namespace belay::detail {

struct UrlScheme {
  std::string_view written;
  std::string_view canonical;
  Engine engine;
  std::uint16_t default_port;
};

inline constexpr std::array<UrlScheme, 11> url_schemes = {{{"sqlite", "sqlite", Engine::sqlite, 0},
                                                           {"postgresql", "postgresql", Engine::postgresql, 5432},
                                                           {"postgres", "postgresql", Engine::postgresql, 5432},
                                                           {"surrealdb+ws", "ws", Engine::surrealdb, 80},
                                                           {"surrealdb+wss", "wss", Engine::surrealdb, 443},
                                                           {"surrealdb+http", "http", Engine::surrealdb, 80},
                                                           {"surrealdb+https", "https", Engine::surrealdb, 443},
                                                           {"ws", "ws", Engine::surrealdb, 80},
                                                           {"wss", "wss", Engine::surrealdb, 443},
                                                           {"http", "http", Engine::surrealdb, 80},
                                                           {"https", "https", Engine::surrealdb, 443}}};

/// ASCII only, whatever the locale.
inline std::string lowered(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

}  // namespace belay::detail
