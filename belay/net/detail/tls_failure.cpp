#include "belay/net/detail/tls_failure.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "belay/net/stream_error.hpp"

namespace belay::net::detail {

namespace {

/// What a stranger wrote into a certificate, fit for a log line.
std::string tamed(std::string_view text) {
  constexpr std::size_t bytes_max = 200;
  std::string tame(text.substr(0, bytes_max));
  std::replace_if(
      tame.begin(), tame.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text.size() > bytes_max ? tame + "..." : tame;
}

std::string content_of(BIO* memory) {
  char* data = nullptr;
  auto const size = BIO_get_mem_data(memory, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

template <class Print>
std::string printed(Print print) {
  std::unique_ptr<BIO, int (*)(BIO*)> const memory(BIO_new(BIO_s_mem()), BIO_free);
  return memory && print(memory.get()) ? tamed(content_of(memory.get())) : "unknown";
}

std::string text_of(X509_NAME const* name) {
  return printed([&](BIO* out) { return X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) >= 0; });
}

std::string text_of(ASN1_TIME const* time) {
  return printed([&](BIO* out) { return ASN1_TIME_print(out, time) == 1; });
}

std::string text_of(GENERAL_NAME const* name) {
  if (name->type != GEN_DNS && name->type != GEN_IPADD) return {};
  auto const* const data = ASN1_STRING_get0_data(name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress);
  auto const size =
      static_cast<std::size_t>(ASN1_STRING_length(name->type == GEN_DNS ? name->d.dNSName : name->d.iPAddress));
  if (name->type == GEN_DNS) return tamed({reinterpret_cast<char const*>(data), size});
  if (size == 4) {
    return std::to_string(data[0]) + "." + std::to_string(data[1]) + "." + std::to_string(data[2]) + "." +
           std::to_string(data[3]);
  }
  return printed([&](BIO* out) { return GENERAL_NAME_print(out, const_cast<GENERAL_NAME*>(name)) == 1; });
}

std::string names_of(X509* certificate) {
  constexpr int told_max = 5;
  auto* const names =
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string text;
  int told = 0;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    auto const name = text_of(sk_GENERAL_NAME_value(names, i));
    if (name.empty()) continue;
    if (++told > told_max) return GENERAL_NAMES_free(names), text + " and others";
    text += (told == 1 ? "" : ", ") + name;
  }
  GENERAL_NAMES_free(names);
  return text.empty() ? text_of(X509_get_subject_name(certificate)) : text;
}

int problem_index() {
  static int const index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

int note_problem(int is_good, X509_STORE_CTX* store) {
  if (is_good == 1) return 1;
  auto* const ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* const problem = static_cast<CertificateProblem*>(SSL_get_ex_data(ssl, problem_index()));
  if (problem->code != X509_V_OK) return 0;
  problem->code = X509_STORE_CTX_get_error(store);
  problem->depth = X509_STORE_CTX_get_error_depth(store);
  if (X509* const certificate = X509_STORE_CTX_get_current_cert(store)) {
    problem->subject = text_of(X509_get_subject_name(certificate));
    problem->issuer = text_of(X509_get_issuer_name(certificate));
    problem->names = names_of(certificate);
    problem->valid_from = text_of(X509_get0_notBefore(certificate));
    problem->valid_until = text_of(X509_get0_notAfter(certificate));
  }
  return 0;
}

struct Verdict {
  ErrorClass error_class;
  std::string engine_code;
  std::string sentence;
};

Verdict verdict_on(CertificateProblem const& problem, std::string const& host, TlsOptions const& options) {
  auto const whose = problem.depth == 0 ? "the certificate of " + host
                                        : "the certificate of " + host + "'s authority (" + problem.subject + ")";
  auto const trusted = options.ca_file.empty() ? std::string("the system's authorities") : "'" + options.ca_file + "'";
  switch (problem.code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: {
      auto const& wanted = options.server_name.empty() ? host : options.server_name;
      return {ErrorClass::auth, "tls_name_mismatch",
              whose + " is for " + problem.names + ", not for " + wanted +
                  ": connect by a name it bears, or set the TLS option server_name to one"};
    }
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return {ErrorClass::auth, "tls_expired",
              whose + " expired on " + problem.valid_until + ": the server needs a new one"};
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {ErrorClass::auth, "tls_expired",
              whose + " is not valid before " + problem.valid_from + ": compare the clocks of both machines"};
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return {ErrorClass::auth, "tls_untrusted",
              whose + " is signed by itself (" + problem.subject + ") and not among " + trusted +
                  ": to trust it, name its file in the TLS option ca_file"};
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return {ErrorClass::auth, "tls_untrusted",
              whose + " is signed by " + problem.issuer + ", which is not among " + trusted +
                  ": to trust it, name its certificate's file in the TLS option ca_file"};
    default:
      return {ErrorClass::auth, "tls_certificate",
              whose + " is not acceptable: " + X509_verify_cert_error_string(problem.code)};
  }
}

bool is_about_certificates(int alert) noexcept {
  constexpr std::array alerts{SSL_AD_BAD_CERTIFICATE,     SSL_AD_UNSUPPORTED_CERTIFICATE, SSL_AD_CERTIFICATE_REVOKED,
                              SSL_AD_CERTIFICATE_EXPIRED, SSL_AD_CERTIFICATE_UNKNOWN,     SSL_AD_UNKNOWN_CA,
                              SSL_AD_ACCESS_DENIED,       SSL_AD_CERTIFICATE_REQUIRED};
  return std::find(alerts.begin(), alerts.end(), alert) != alerts.end();
}

/// The alert that the peer sent, 0 when the code tells of something else.
int alert_in(unsigned long code) noexcept {
  auto const reason = ERR_GET_REASON(code);
  bool const is_alert =
      ERR_GET_LIB(code) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256;
  return is_alert ? reason - SSL_AD_REASON_OFFSET : 0;
}

Verdict verdict_on_alert(int alert, bool lacks_certificate, std::string const& host, TlsOptions const& options) {
  auto const said = std::string("'") + SSL_alert_desc_string_long(alert) + "'";
  // A server of TLS 1.2 says no more than "handshake failure" when it asked for a certificate and got none.
  if (is_about_certificates(alert) || (alert == SSL_AD_HANDSHAKE_FAILURE && lacks_certificate)) {
    auto const what = options.certificate_file.empty()
                          ? "wants a certificate from us: set the TLS option certificate_file"
                          : "refused our certificate, the TLS option certificate_file";
    return {ErrorClass::auth, "tls_certificate_refused", host + " " + what + " (alert " + said + ")"};
  }
  if (alert == SSL_AD_PROTOCOL_VERSION) {
    return {ErrorClass::protocol, "tls_version",
            host + " allows no TLS version that we do: see the TLS option min_version (alert " + said + ")"};
  }
  return {ErrorClass::protocol, "tls_alert_" + std::to_string(alert), host + " ended the TLS handshake: alert " + said};
}

Verdict verdict_on_handshake(SSL const* ssl, unsigned long code, std::string const& host, TlsOptions const& options) {
  if (auto const alert = alert_in(code); alert != 0) {
    bool const was_asked = SSL_get0_peer_CA_list(ssl) != nullptr;
    return verdict_on_alert(alert, was_asked && options.certificate_file.empty(), host, options);
  }
  switch (ERR_GET_REASON(code)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return {ErrorClass::protocol, "tls_not_spoken",
              host + " does not speak TLS there: connect without TLS, or to the port where it does"};
    case SSL_R_UNSUPPORTED_PROTOCOL:
      return {ErrorClass::protocol, "tls_version",
              host + " speaks only a TLS version that is too old: see the TLS option min_version"};
    default: break;
  }
  char const* const reason = ERR_reason_error_string(code);
  return {ErrorClass::protocol, "tls_broken",
          "the TLS handshake with " + host + " failed: " + (reason == nullptr ? "OpenSSL gives no reason" : reason)};
}

}  // namespace

void note_problems(ssl_st* ssl, CertificateProblem& problem) {
  SSL_set_ex_data(ssl, problem_index(), &problem);
  SSL_set_verify(ssl, SSL_get_verify_mode(ssl), note_problem);
}

Error handshake_failure(ssl_st const* ssl, std::string const& host, TlsOptions const& options,
                        CertificateProblem const& problem, unsigned long openssl_code) {
  auto verdict = problem.code != X509_V_OK ? verdict_on(problem, host, options)
                                           : verdict_on_handshake(ssl, openssl_code, host, options);
  return {verdict.error_class, SendState::never_sent, verdict.sentence, verdict.engine_code};
}

boost::system::error_code session_failure(unsigned long openssl_code) {
  return is_about_certificates(alert_in(openssl_code)) ? TlsErrc::certificate_refused : TlsErrc::broken;
}

}  // namespace belay::net::detail
