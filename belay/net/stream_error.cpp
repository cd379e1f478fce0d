#include "belay/net/stream_error.hpp"

#include <cstring>

#include <boost/asio/error.hpp>

namespace belay::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

class TlsCategory final : public boost::system::error_category {
 public:
  char const* name() const noexcept override { return "belay.tls"; }
  std::string message(int value) const override {
    switch (static_cast<TlsErrc>(value)) {  // no default: the compiler reports a missing enumerator
      case TlsErrc::truncated: return "the connection ended without TLS's close_notify, data may be missing";
      case TlsErrc::certificate_refused: return "the peer refused our certificate, or misses one";
      case TlsErrc::broken: return "the TLS connection broke: a forged or forbidden record, or an alert";
    }
    return "unknown TLS failure";
  }
};

std::string sentence_of(error_code error) {
  return error == asio::error::eof ? "the peer ended the connection" : error.message();
}

}  // namespace

boost::system::error_category const& tls_category() noexcept {
  static TlsCategory const category;
  return category;
}

error_code make_error_code(TlsErrc error) noexcept { return {static_cast<int>(error), tls_category()}; }

std::string symbol_of(error_code error) {
  if (error == asio::error::eof) return "eof";
  if (error == TlsErrc::truncated) return "tls_truncated";
  if (error == TlsErrc::certificate_refused) return "tls_certificate_refused";
  if (error == TlsErrc::broken) return "tls_broken";
  if (error.category() != boost::system::system_category()) return {};
  char const* const name = strerrorname_np(error.value());
  return name == nullptr ? std::string() : name;
}

Error to_error(error_code error, SendState send_state, std::string_view what) {
  if (error == asio::error::operation_aborted) {
    return {ErrorClass::cancelled, send_state, "stopped trying to " + std::string(what)};
  }
  auto const reason = sentence_of(error);
  auto const error_class = error == TlsErrc::certificate_refused ? ErrorClass::auth : ErrorClass::transport;
  return {error_class, send_state, "cannot " + std::string(what) + ": " + reason, symbol_of(error),
          Error::Details{{"reason", reason}}};
}

}  // namespace belay::net
