#include "belay/net/detail/connect_socket.hpp"

#include "belay/net/stream_error.hpp"

namespace belay::net::detail {

Error late_error(std::string const& what) {
  return {ErrorClass::timeout_local, SendState::never_sent, "could not " + what + " before the deadline"};
}

Error connect_error(boost::system::error_code error, std::string const& what) {
  if (error) return to_error(error, SendState::never_sent, what);
  return {ErrorClass::transport, SendState::never_sent, "cannot " + what + ": it has no address"};
}

}  // namespace belay::net::detail
