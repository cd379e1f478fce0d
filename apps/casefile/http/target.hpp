#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "apps/casefile/http/refusal.hpp"
#include "apps/casefile/http/request.hpp"

namespace casefile::http {

/// What a '+' stands for: a space in a query (as HTML forms write it), itself in a path.
enum class Plus { is_plus, is_space };

/// Undoes percent-encoding; nothing when an escape is malformed.
std::optional<std::string> percent_decode(std::string_view, Plus);

/// Whether the bytes are UTF-8 without overlong forms, surrogates or values above U+10FFFF.
bool is_utf8(std::string_view) noexcept;

/// Reads a request target into request.target, .path and .query; request.method must be set.
///
/// Origin-form and absolute-form are taken (of the latter scheme and authority are dropped), "*" for OPTIONS only, the
/// rest is refused, as are a fragment, a malformed escape, NUL, and a path or query that is no UTF-8 once decoded.
/// Source: RFC 9112, section 3.2.
std::optional<Refusal> read_target(std::string_view target, std::size_t query_pairs_max, Request&);

}  // namespace casefile::http
