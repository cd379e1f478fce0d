#pragma once

#include <utility>

#include <boost/asio/append.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/post.hpp>

#include "belay/net/byte_stream.hpp"

namespace belay::net::detail {

/// A connected socket of any stream protocol as a ByteStream.
template <class Protocol>
class SocketStream final : public ByteStream {
 public:
  using Socket = boost::asio::basic_stream_socket<Protocol>;

  explicit SocketStream(Socket socket) : socket_(std::move(socket)) {}

  executor_type get_executor() noexcept override { return socket_.get_executor(); }
  bool is_open() const noexcept override { return socket_.is_open(); }
  void close() noexcept override {
    boost::system::error_code ignored;  // the descriptor is released whatever close() says
    socket_.close(ignored);
  }

 private:
  void start_read(boost::asio::mutable_buffer buffer, TransferHandler handler) override {
    socket_.async_read_some(buffer, std::move(handler));
  }
  void start_write(ConstBuffers const& pieces, TransferHandler handler) override {
    socket_.async_write_some(pieces, std::move(handler));
  }
  void start_shutdown(ShutdownHandler handler) override {
    boost::system::error_code error;
    socket_.shutdown(Socket::shutdown_send, error);
    boost::asio::post(socket_.get_executor(), boost::asio::append(std::move(handler), error));
  }

  Socket socket_;
};

}  // namespace belay::net::detail
