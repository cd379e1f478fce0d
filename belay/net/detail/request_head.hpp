#pragma once

#include <string>
#include <string_view>

#include "belay/net/http_message.hpp"

namespace belay::net::detail {

/// The request line and the headers, with those that are ours: Host and Content-Length.
///
/// Throws Error(request) for what is no request: it names the part, never a header's value, which may be a secret.
std::string request_head(HttpRequest const&, std::string_view host);

/// Error(request) unless it can stand in a Host header.
void require_host(std::string_view host);

}  // namespace belay::net::detail
