// Whom TLS trusts, what it presents, and how it tells what is wrong.
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <gtest/gtest.h>

#include "belay/core/error.hpp"
#include "belay/net/connect.hpp"
#include "belay/net/stream_error.hpp"
#include "belay/net/tcp_stream.hpp"
#include "belay/net/tls_fixture.hpp"

namespace belay::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

struct TlsTrustTest : TlsTest {};

TEST_F(TlsTrustTest, RefusesACertificateOfAnotherName) {
  serve(make_test_identity({.name = "other.test", .names = "DNS:other.test,DNS:*.example.test,IP:10.0.0.1"},
                           authority()));
  auto const error = refusal();
  EXPECT_EQ(error.error_class(), ErrorClass::auth);
  EXPECT_EQ(error.engine_code(), "tls_name_mismatch");
  EXPECT_EQ(
      std::string(error.what()),
      "the certificate of db.test is for other.test, *.example.test, 10.0.0.1, not for db.test: connect by a name "
      "it bears, or set the TLS option server_name to one");
}

TEST_F(TlsTrustTest, RefusesAnExpiredCertificateAndSaysSinceWhen) {
  serve(make_test_identity({.valid_from = -7200, .valid_until = -3600}, authority()));
  auto const error = refusal();
  EXPECT_EQ(error.error_class(), ErrorClass::auth);
  EXPECT_EQ(error.engine_code(), "tls_expired");
  EXPECT_NE(std::string(error.what()).find("the certificate of db.test expired on "), std::string::npos)
      << error.what();
  EXPECT_NE(std::string(error.what()).find(" GMT"), std::string::npos) << error.what();
}

TEST_F(TlsTrustTest, RefusesACertificateThatIsNotYetValid) {
  serve(make_test_identity({.valid_from = 3600, .valid_until = 7200}, authority()));
  auto const error = refusal();
  EXPECT_EQ(error.engine_code(), "tls_expired");
  EXPECT_NE(std::string(error.what()).find("not valid before"), std::string::npos) << error.what();
}

TEST_F(TlsTrustTest, RefusesASelfSignedCertificate) {
  serve(make_test_identity({}));
  auto const error = refusal();
  EXPECT_EQ(error.error_class(), ErrorClass::auth);
  EXPECT_EQ(error.engine_code(), "tls_untrusted");
  EXPECT_NE(std::string(error.what()).find("signed by itself (CN=db.test)"), std::string::npos) << error.what();
}

TEST_F(TlsTrustTest, RefusesAnAuthorityItDoesNotKnow) {
  auto const stranger = make_test_identity({.name = "Stranger", .is_authority = true});
  serve(make_test_identity({}, stranger));
  auto const error = refusal();
  EXPECT_EQ(error.engine_code(), "tls_untrusted");
  EXPECT_NE(std::string(error.what()).find("signed by CN=Stranger, which is not among '" + options.ca_file + "'"),
            std::string::npos)
      << error.what();
}

TEST_F(TlsTrustTest, DoesNotTrustATestAuthorityByDefault) {
  options.ca_file.clear();
  EXPECT_NE(std::string(refusal().what()).find("the system's authorities"), std::string::npos);
}

TEST_F(TlsTrustTest, KeepsAStrangersTextFromTheLog) {
  serve(make_test_identity({.name = "evil\n\x1b[31m" + std::string(40, 'x'), .names = ""}, authority()));
  std::string const text = refusal().what();
  for (char const c : text) EXPECT_TRUE(c >= ' ' && c <= '~') << text;
}

TEST_F(TlsTrustTest, TrustsASelfSignedServerThatIsNamedItself) {
  auto const self_signed = make_test_identity({});
  options.ca_file = files.certificate("self.pem", self_signed);
  serve(self_signed);
  connect();
  EXPECT_TRUE(tls->is_open());
}

TEST_F(TlsTrustTest, VerifiesAnAddressAgainstTheAddressesOfTheCertificate) {
  host = "192.0.2.7";
  connect();
  EXPECT_EQ(SSL_get_servername(server->ssl(), TLSEXT_NAMETYPE_host_name), nullptr) << "SNI knows no addresses";
}

TEST_F(TlsTrustTest, RefusesAnAddressThatTheCertificateDoesNotBear) {
  host = "192.0.2.8";
  EXPECT_EQ(refusal().engine_code(), "tls_name_mismatch");
}

TEST_F(TlsTrustTest, AsksForTheServersNameAndVerifiesIt) {
  host = "10.1.2.3";
  options.server_name = "db.test";
  connect();
  EXPECT_STREQ(SSL_get_servername(server->ssl(), TLSEXT_NAMETYPE_host_name), "db.test");
}

// OpenSSL takes a name that begins with a dot for all names below it.
TEST_F(TlsTrustTest, DoesNotTakeADomainForAServersName) {
  serve(make_test_identity({.name = "evil.cloud.test", .names = "DNS:evil.cloud.test"}, authority()));
  options.server_name = ".cloud.test";
  EXPECT_EQ(refusal().error_class(), ErrorClass::request);
}

TEST_F(TlsTrustTest, ChecksTheAuthorityAloneWhenToldSo) {
  host = "elsewhere.test";
  options.verify = TlsVerify::ca_only;
  connect();
  EXPECT_TRUE(tls->is_open());
}

TEST_F(TlsTrustTest, ChecksTheAuthorityStillWithoutTheName) {
  options.verify = TlsVerify::ca_only;
  serve(make_test_identity({}));
  EXPECT_EQ(refusal().engine_code(), "tls_untrusted");
}

TEST_F(TlsTrustTest, ChecksNothingWhenInsecure) {
  host = "elsewhere.test";
  options.verify = TlsVerify::insecure;
  serve(make_test_identity({.valid_until = -60}));
  connect();
  EXPECT_TRUE(tls->is_open());
}

// OpenSSL takes an empty name for "whatever name there is".
TEST_F(TlsTrustTest, RefusesToVerifyNoName) {
  host.clear();
  TlsContext const tls_context(options);
  std::optional<ErrorClass> thrown;
  auto const client = [&]() -> asio::awaitable<void> {
    try {
      tls = co_await start_tls(std::move(below), tls_context, host, Deadline::in(15s));
    } catch (Error const& error) {
      thrown = error.error_class();
    }
  };
  run(client);
  EXPECT_EQ(thrown, ErrorClass::request);
}

// --- client certificates, ALPN, versions

TEST_F(TlsTrustTest, PresentsItsCertificate) {
  auto const own = make_test_identity({.name = "client", .names = ""}, authority());
  options.certificate_file = files.certificate("own.pem", own);
  options.key_file = files.key("own.key", own);
  server->require_client_certificate(authority());
  connect();
  EXPECT_TRUE(server_is_content);
}

TEST_F(TlsTrustTest, TellsThatTheServerWantsACertificate) {
  SSL_CTX_set_max_proto_version(server->context(), TLS1_2_VERSION);
  server->require_client_certificate(authority());
  auto const error = refusal();
  EXPECT_EQ(error.error_class(), ErrorClass::auth);
  EXPECT_EQ(error.engine_code(), "tls_certificate_refused");
  EXPECT_NE(std::string(error.what()).find("certificate_file"), std::string::npos) << error.what();
}

// With TLS 1.3 the client is done before the server has looked at its certificate.
TEST_F(TlsTrustTest, TellsThatTheServerWantsACertificateAtTheFirstRead) {
  server->require_client_certificate(authority());
  connect();
  EXPECT_FALSE(server_is_content);
  auto const error = end_after("");
  EXPECT_EQ(error, TlsErrc::certificate_refused);
  EXPECT_EQ(to_error(error, SendState::unknown, "read").error_class(), ErrorClass::auth);
}

TEST_F(TlsTrustTest, AgreesOnAProtocol) {
  options.alpn = {"surreal", "http/1.1"};
  auto const choose = [](SSL*, unsigned char const** out, unsigned char* size, unsigned char const* in, unsigned length,
                         void*) {
    static unsigned char const ours[] = "\x08http/1.1";
    return SSL_select_next_proto(const_cast<unsigned char**>(out), size, ours, 9, in, length) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
  };
  SSL_CTX_set_alpn_select_cb(server->context(), choose, nullptr);
  connect();
  EXPECT_EQ(tls->info().alpn, "http/1.1");
}

TEST_F(TlsTrustTest, RefusesAVersionThatIsTooOld) {
  options.min_version = TlsVersion::tls_1_3;
  SSL_CTX_set_max_proto_version(server->context(), TLS1_2_VERSION);
  auto const error = refusal();
  EXPECT_EQ(error.error_class(), ErrorClass::protocol);
  EXPECT_EQ(error.engine_code(), "tls_version");
}

/// A network of two addresses: on the first an impostor, on the second the server.
struct TwoServers final : Dialer {
  asio::awaitable<std::unique_ptr<ByteStream>> dial(asio::ip::tcp::endpoint address, SocketOptions, Deadline) override {
    auto const executor = co_await asio::this_coro::executor;
    auto pair = make_memory_streams(executor);
    far.push_back(std::move(pair.second));
    servers.push_back(std::make_unique<TestTlsServer>(
        *far.back(),
        address.address().is_v6() ? make_test_identity({.names = "DNS:impostor"}, authority()) : good_identity()));
    auto const accept = [server = servers.back().get()]() -> asio::awaitable<void> { co_await server->handshake(); };
    asio::co_spawn(executor, accept, [](std::exception_ptr) {});
    co_return std::move(pair.first);
  }
  std::vector<std::unique_ptr<ByteStream>> far;
  std::vector<std::unique_ptr<TestTlsServer>> servers;
};
struct TwoAddresses final : Resolver {
  asio::awaitable<std::vector<asio::ip::tcp::endpoint>> resolve(std::string, std::string, Deadline) override {
    std::vector<asio::ip::tcp::endpoint> addresses;
    addresses.emplace_back(asio::ip::make_address("2001:db8::1"), static_cast<unsigned short>(5432));
    addresses.emplace_back(asio::ip::make_address("192.0.2.1"), static_cast<unsigned short>(5432));
    co_return addresses;
  }
};

TEST_F(TlsTrustTest, VerifiesTheNameWhicheverAddressIsTried) {
  TwoServers dialer;
  TwoAddresses resolver;
  ConnectOptions connect_options;
  connect_options.dialer = &dialer;
  connect_options.resolver = &resolver;
  TlsContext const tls_context(options);
  auto const hello = [&](std::unique_ptr<ByteStream> stream, asio::ip::tcp::endpoint,
                         Deadline deadline) -> asio::awaitable<std::unique_ptr<ByteStream>> {
    co_return co_await start_tls(std::move(stream), tls_context, "db.test", deadline);
  };
  std::optional<TcpConnection> connection;
  auto const client = [&]() -> asio::awaitable<void> {
    connection = co_await connect_tcp("db.test", "5432", connect_options, hello, Deadline::in(15s));
  };
  run(client);
  ASSERT_TRUE(connection);
  EXPECT_EQ(to_string(connection->address), "192.0.2.1:5432");
  EXPECT_EQ(dialer.servers.size(), 2u);
}

}  // namespace
}  // namespace belay::net
