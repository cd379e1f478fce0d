#include "belay/net/detail/connect_socket.hpp"

namespace belay::net::detail {

Error connect_error(boost::system::error_code error, std::string const& what) {
  if (error == boost::asio::error::timed_out) {
    return {ErrorClass::timeout_local, SendState::never_sent, "could not " + what + " before the deadline"};
  }
  if (error == boost::asio::error::operation_aborted) {
    return {ErrorClass::cancelled, SendState::never_sent, "stopped trying to " + what};
  }
  auto const reason = error ? error.message() : "it has no address";
  return {ErrorClass::transport, SendState::never_sent, "cannot " + what + ": " + reason};
}

}  // namespace belay::net::detail
