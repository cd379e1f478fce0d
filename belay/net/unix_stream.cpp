#include "belay/net/unix_stream.hpp"

#include <utility>

#include <boost/asio/this_coro.hpp>

#include "belay/core/error.hpp"
#include "belay/net/detail/connect_socket.hpp"
#include "belay/net/detail/socket_stream.hpp"

namespace belay::net {

namespace asio = boost::asio;
using asio::local::stream_protocol;

std::unique_ptr<ByteStream> make_unix_stream(stream_protocol::socket socket) {
  return std::make_unique<detail::SocketStream<stream_protocol>>(std::move(socket));
}

asio::awaitable<std::unique_ptr<ByteStream>> connect_unix(std::string path, Deadline deadline) {
  constexpr std::size_t path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > path_bytes_max) {
    throw Error(ErrorClass::request, SendState::never_sent,
                "the socket's path '" + path + "' is longer than " + std::to_string(path_bytes_max) + " bytes");
  }
  stream_protocol::socket socket(co_await asio::this_coro::executor);
  stream_protocol::endpoint const endpoint(path);
  co_await detail::connect_socket(socket, endpoint, path, deadline);
  co_return make_unix_stream(std::move(socket));
}

}  // namespace belay::net
