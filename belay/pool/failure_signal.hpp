#pragma once

#include <exception>

#include "belay/core/error.hpp"
#include "belay/pool/pool_core.hpp"

namespace belay::pool {

/// Whether the TLS layer failed: its engine codes begin with "tls_".
bool is_tls_failure(Error const&) noexcept;

/// What a failed operation says about its connection and about others, looked up in the table of outcomes.
Signal signal_of(Error const&) noexcept;

/// How a failed attempt to connect is understood.
///
/// permanent  the same attempt cannot succeed: classes `auth` and `request`, a peer that speaks another protocol (class
///            `protocol`), or whatever carries the detail {"permanent", <why>}
/// tls        is_tls_failure()
/// fate       unknown when the send state is: the server may have a session for us
ConnectFailure connect_failure_of(Error const&);

/// Any exception as an Error: itself, cancelled for operation_aborted, internal for what is none of ours. The send
/// state of a foreign exception is unknown.
Error error_of(std::exception_ptr const&);

}  // namespace belay::pool
