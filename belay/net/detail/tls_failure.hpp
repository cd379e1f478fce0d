#pragma once

#include <string>

#include <boost/system/error_code.hpp>

#include "belay/core/error.hpp"
#include "belay/net/tls_context.hpp"

struct ssl_st;

namespace belay::net::detail {

/// What was wrong with the certificate that the server presented, as OpenSSL found it.
struct CertificateProblem {
  int code = 0;   ///< X509_V_ERR_…, 0 = none
  int depth = 0;  ///< 0 = the server's own, above it its authorities'
  std::string subject;
  std::string issuer;
  std::string names;  ///< that it is for
  std::string valid_from;
  std::string valid_until;
};

/// Has the first problem of the handshake written down. It must outlive the session.
void note_problems(ssl_st*, CertificateProblem&);

/// Why the handshake of a session failed. `openssl_code` is the earliest of OpenSSL's error queue, 0 when it said
/// nothing.
Error handshake_failure(ssl_st const*, std::string const& host, TlsOptions const&, CertificateProblem const&,
                        unsigned long openssl_code);

/// The same for an established session.
boost::system::error_code session_failure(unsigned long openssl_code);

}  // namespace belay::net::detail
