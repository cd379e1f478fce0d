#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace belay::net {

/// A certificate and its key, made for one test.
struct TestIdentity {
  std::shared_ptr<X509> certificate;
  std::shared_ptr<EVP_PKEY> key;
};

/// What a certificate is made from; the defaults are good for "db.test".
struct TestRequest {
  std::string name = "db.test";                    ///< the subject's common name
  std::string names = "DNS:db.test,IP:192.0.2.7";  ///< in OpenSSL's notation
  long valid_from = -3600;                         ///< seconds from now
  long valid_until = 3600;
  bool is_authority = false;
};

/// `issuer` without a certificate: signs itself.
inline TestIdentity make_test_identity(TestRequest const& request, TestIdentity const& issuer = TestIdentity()) {
  TestIdentity made;
  made.key.reset(EVP_EC_gen("P-256"), EVP_PKEY_free);
  made.certificate.reset(X509_new(), X509_free);
  X509* const certificate = made.certificate.get();
  static long serial = 0;
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), request.valid_from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), request.valid_until);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<unsigned char const*>(request.name.c_str()), -1, -1, 0);
  X509* const signer = issuer.certificate ? issuer.certificate.get() : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));

  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, signer, certificate, nullptr, nullptr, 0);
  auto const extend = [&](int extension, std::string const& text) {
    X509_EXTENSION* const added = X509V3_EXT_conf_nid(nullptr, &context, extension, text.c_str());
    if (added == nullptr) throw std::runtime_error("OpenSSL does not take the extension " + text);
    X509_add_ext(certificate, added, -1);
    X509_EXTENSION_free(added);
  };
  extend(NID_basic_constraints, request.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!request.is_authority && !request.names.empty()) extend(NID_subject_alt_name, request.names);
  X509_sign(certificate, issuer.key ? issuer.key.get() : made.key.get(), EVP_sha256());
  return made;
}

/// PEM files in a folder that goes with this.
class TestFiles {
 public:
  TestFiles() {
    folder_ = (std::filesystem::temp_directory_path() / "belay-tls-XXXXXX").string();
    if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("no temporary folder");
  }
  ~TestFiles() { std::filesystem::remove_all(folder_); }
  TestFiles(TestFiles const&) = delete;
  TestFiles& operator=(TestFiles const&) = delete;

  std::string path(std::string const& name) const { return folder_ + "/" + name; }
  std::string certificate(std::string const& name, TestIdentity const& identity) const {
    return write(name, [&](std::FILE* file) { return PEM_write_X509(file, identity.certificate.get()); });
  }
  /// With a passphrase the key is encrypted.
  std::string key(std::string const& name, TestIdentity const& identity, std::string passphrase = {}) const {
    return write(name, [&](std::FILE* file) {
      return PEM_write_PrivateKey(file, identity.key.get(), passphrase.empty() ? nullptr : EVP_aes_128_cbc(),
                                  reinterpret_cast<unsigned char*>(passphrase.data()),
                                  static_cast<int>(passphrase.size()), nullptr, nullptr);
    });
  }

 private:
  template <class Write>
  std::string write(std::string const& name, Write write_pem) const {
    std::FILE* const file = std::fopen(path(name).c_str(), "w");
    bool const is_written = file != nullptr && write_pem(file) == 1;
    if (file != nullptr) std::fclose(file);
    if (!is_written) throw std::runtime_error("cannot write " + name);
    return path(name);
  }

  std::string folder_;
};

}  // namespace belay::net
