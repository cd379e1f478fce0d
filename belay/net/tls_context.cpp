#include "belay/net/tls_context.hpp"

#include <string_view>
#include <utility>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "belay/core/error.hpp"

namespace belay::net {

namespace {

struct Free {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, Free>;

[[noreturn]] void refuse(std::string_view option, std::string_view sentence) {
  throw Error(ErrorClass::request, SendState::never_sent,
              "TLS option " + std::string(option) + " " + std::string(sentence));
}

/// What OpenSSL says of a file it could not use. Its reasons never quote the file's content.
[[noreturn]] void refuse_file(std::string_view option, std::string const& file) {
  auto const code = ERR_peek_last_error();
  char const* const reason = ERR_reason_error_string(code);
  ERR_clear_error();
  refuse(option, "names '" + file + "', which cannot be used: " + (reason == nullptr ? "it cannot be read" : reason));
}

/// Without it OpenSSL would ask for the passphrase at the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

void load_own_certificate(SSL_CTX* context, TlsOptions const& options) {
  if (options.certificate_file.empty() != options.key_file.empty()) {
    refuse(options.key_file.empty() ? "key_file" : "certificate_file",
           "is missing: certificate_file and key_file are given together");
  }
  if (options.certificate_file.empty()) return;
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
    refuse_file("certificate_file", options.certificate_file);
  }
  if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    refuse_file("key_file", options.key_file);
  }
}

void load_authorities(SSL_CTX* context, TlsOptions const& options) {
  if (options.verify == TlsVerify::insecure) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    return;
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  // Whoever names an intermediate authority, or a self-signed server itself, trusts just that.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
    refuse_file("ca_file", options.ca_file);
  }
}

void offer_protocols(SSL_CTX* context, std::vector<std::string> const& protocols) {
  std::string list;  // each with its length in front
  for (auto const& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      refuse("alpn", "has a protocol of " + std::to_string(protocol.size()) + " bytes, each must have 1 to 255");
    }
    list += static_cast<char>(protocol.size());
    list += protocol;
  }
  if (list.empty()) return;
  if (list.size() > 65'535) refuse("alpn", "is too long");
  SSL_CTX_set_alpn_protos(context, reinterpret_cast<unsigned char const*>(list.data()),
                          static_cast<unsigned>(list.size()));
}

Context make_context(TlsOptions const& options) {
  Context context(SSL_CTX_new(TLS_client_method()));
  if (!context) throw Error(ErrorClass::internal, SendState::never_sent, "OpenSSL cannot be initialised");
  ERR_clear_error();
  SSL_CTX_set_min_proto_version(context.get(),
                                options.min_version == TlsVersion::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  load_authorities(context.get(), options);
  load_own_certificate(context.get(), options);
  offer_protocols(context.get(), options.alpn);
  if (options.server_name.find('\0') != std::string::npos || options.server_name.size() > 253) {
    refuse("server_name", "is no host name");
  }
  return context;
}

}  // namespace

struct TlsContext::Content {
  TlsOptions options;
  Context context;
};

TlsContext::TlsContext() : TlsContext(TlsOptions()) {}

TlsContext::TlsContext(TlsOptions options) {
  auto context = make_context(options);
  content_ = std::make_shared<Content const>(Content{std::move(options), std::move(context)});
}

TlsOptions const& TlsContext::options() const noexcept { return content_->options; }
ssl_ctx_st* TlsContext::native() const noexcept { return content_->context.get(); }

}  // namespace belay::net
