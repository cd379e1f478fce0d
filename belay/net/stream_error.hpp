#pragma once

#include <string>
#include <string_view>

#include <boost/system/error_code.hpp>

#include "belay/core/error.hpp"

namespace belay::net {

/// What a TLS stream may fail with beside the errors of the stream under it; values of tls_category().
enum class TlsErrc {
  /// The peer's bytes ended without close_notify: what came so far may be cut short. Never told as eof.
  truncated = 1,
  /// The peer does not accept our certificate, or misses one (with TLS 1.3 it says so after the handshake).
  certificate_refused,
  /// A record that cannot be authentic, an alert, or a message that TLS does not allow here.
  broken
};

boost::system::error_category const& tls_category() noexcept;
boost::system::error_code make_error_code(TlsErrc) noexcept;

/// What a failed operation on a ByteStream means: cancelled for operation_aborted, auth for certificate_refused,
/// transport for all others. The engine code is "tls_truncated", "tls_certificate_refused", "tls_broken", "eof", or the
/// system's name ("ECONNRESET"); the detail "reason" is the sentence without what was tried.
///
/// `what` completes "cannot …": "read the answer of 127.0.0.1:8000".
Error to_error(boost::system::error_code, SendState, std::string_view what);

/// "ECONNRESET", "tls_truncated", "eof"; empty for a code of another origin.
std::string symbol_of(boost::system::error_code);

}  // namespace belay::net

template <>
struct boost::system::is_error_code_enum<belay::net::TlsErrc> : std::true_type {};
