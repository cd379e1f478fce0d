#pragma once

#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include "belay/core/deadline.hpp"
#include "belay/net/byte_stream.hpp"
#include "belay/net/tls_context.hpp"

namespace belay::net {

/// A client's TLS connection over any ByteStream: the contract of ByteStream, and beyond it:
///
/// * eof means that the peer said it was done (close_notify). A stream that ends without gives TlsErrc::truncated: what
///   came so far may have been cut by anybody on the way. TlsErrc's other errors are told by reads and writes too.
/// * A cancelled read has consumed nothing. A cancelled write says what it has taken, and that is still sent. The
///   stream stays usable after both.
/// * shutdown sends close_notify, then shuts down the stream below; it does not wait for the peer's.
/// * close() says nothing to the peer.
///
/// Renegotiation is refused, sessions are not resumed. Memory: about 50 KiB while it transfers.
class TlsStream : public ByteStream {
 public:
  /// What the handshake settled on.
  struct Info {
    std::string version;  ///< "TLSv1.3"
    std::string cipher;
    std::string alpn;  ///< empty when none was agreed on; a server may ignore our offer
  };
  virtual Info const& info() const noexcept = 0;
};

/// Makes TLS out of a connected stream: handshake and verification of the server's certificate against `host`, the name
/// (or numeric address, without brackets) that the caller knows the server by, whatever address it was reached at.
///
/// Throws belay::Error, never sent: auth when a certificate is not accepted, ours or theirs (engine codes
/// "tls_name_mismatch", "tls_expired", "tls_untrusted", "tls_certificate", "tls_certificate_refused"), with a sentence
/// that names the host, what was presented, and what would be right; protocol when the peer speaks no TLS or none that
/// is allowed ("tls_not_spoken", "tls_version", "tls_alert_NN", "tls_broken"); transport; timeout_local at the
/// deadline; cancelled. The stream is closed then.
boost::asio::awaitable<std::unique_ptr<TlsStream>> start_tls(std::unique_ptr<ByteStream>, TlsContext, std::string host,
                                                             Deadline);

}  // namespace belay::net
