#pragma once

#include <memory>
#include <string>
#include <vector>

struct ssl_ctx_st;

namespace belay::net {

/// What of the server's certificate is checked.
enum class TlsVerify {
  full,     ///< a trusted authority signed it, it is valid now, and it bears the name we asked for
  ca_only,  ///< like full without the name: any server of that authority could pose as ours
  insecure  ///< nothing: anybody could pose as the server and read all; for tests only
};

enum class TlsVersion { tls_1_2, tls_1_3 };

/// How TLS is spoken. Checked by TlsContext; files are PEM, paths empty when not used.
struct TlsOptions {
  TlsVerify verify = TlsVerify::full;
  std::string ca_file;           ///< the authorities to trust; empty: those of the system
  std::string certificate_file;  ///< ours with its chain, leaf first, when the server wants one
  std::string key_file;          ///< its private key, not encrypted; given exactly when certificate_file is
  /// The name to ask for (SNI) and to find in the certificate; empty: the host that is connected to. A DNS name or a
  /// numeric address.
  std::string server_name;
  std::vector<std::string> alpn;  ///< protocols in order of preference, 1…255 bytes each; empty: none is offered
  TlsVersion min_version = TlsVersion::tls_1_2;
};

/// TlsOptions made ready: the certificates read and checked, once for many connections.
///
/// Copying shares the content. Immutable and thread-safe.
class TlsContext {
 public:
  /// With the default options.
  TlsContext();
  /// Reads the files, which may block. Throws Error(request) that names the option and the file.
  explicit TlsContext(TlsOptions);

  TlsOptions const& options() const noexcept;
  /// OpenSSL's own object, for the sources of this component.
  ssl_ctx_st* native() const noexcept;

 private:
  struct Content;
  std::shared_ptr<Content const> content_;
};

}  // namespace belay::net
