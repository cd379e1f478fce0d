#include "belay/net/tls_context.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/net/test_certificates.hpp"

namespace belay::net {
namespace {

struct TlsContextTest : testing::Test {
  TestFiles files;
  TestIdentity identity = make_test_identity({});
  TlsOptions options;

  std::string refusal() {
    try {
      TlsContext const context(options);
    } catch (Error const& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::request);
      return error.what();
    }
    return "accepted";
  }
};

TEST_F(TlsContextTest, TakesTheDefaults) { EXPECT_EQ(refusal(), "accepted"); }

TEST_F(TlsContextTest, TakesACertificateWithItsKey) {
  options.certificate_file = files.certificate("own.pem", identity);
  options.key_file = files.key("own.key", identity);
  EXPECT_EQ(refusal(), "accepted");
}

TEST_F(TlsContextTest, WantsCertificateAndKeyTogether) {
  options.certificate_file = files.certificate("own.pem", identity);
  EXPECT_EQ(refusal(), "TLS option key_file is missing: certificate_file and key_file are given together");
  options.key_file = files.key("own.key", identity);
  options.certificate_file.clear();
  EXPECT_EQ(refusal(), "TLS option certificate_file is missing: certificate_file and key_file are given together");
}

TEST_F(TlsContextTest, NamesTheFileThatCannotBeUsed) {
  options.ca_file = "no/such.pem";
  EXPECT_NE(refusal().find("TLS option ca_file names 'no/such.pem', which cannot be used"), std::string::npos)
      << refusal();
  options.ca_file = files.path("empty.pem");
  std::ofstream(options.ca_file) << "nothing\n";
  EXPECT_NE(refusal().find("ca_file"), std::string::npos);
}

TEST_F(TlsContextTest, RefusesAKeyOfAnotherCertificate) {
  options.certificate_file = files.certificate("own.pem", identity);
  options.key_file = files.key("other.key", make_test_identity({}));
  EXPECT_NE(refusal().find("key_file"), std::string::npos) << refusal();
}

TEST_F(TlsContextTest, RefusesAnEncryptedKeyInsteadOfAskingAtTheTerminal) {
  options.certificate_file = files.certificate("own.pem", identity);
  options.key_file = files.key("own.key", identity, "secret");
  EXPECT_NE(refusal().find("key_file"), std::string::npos) << refusal();
}

TEST_F(TlsContextTest, RefusesAProtocolNameThatCannotBeSent) {
  options.alpn = {"h2", ""};
  EXPECT_EQ(refusal(), "TLS option alpn has a protocol of 0 bytes, each must have 1 to 255");
  options.alpn = {std::string(256, 'x')};
  EXPECT_NE(refusal().find("256 bytes"), std::string::npos);
}

}  // namespace
}  // namespace belay::net
