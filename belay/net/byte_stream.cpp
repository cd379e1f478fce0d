#include "belay/net/byte_stream.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace belay::net {

namespace asio = boost::asio;
using boost::system::error_code;
using boost::system::system_error;

void ConstBuffers::consume(std::size_t count) noexcept {
  std::size_t sent_whole = 0;
  while (sent_whole < size_ && pieces_[sent_whole].size() <= count) count -= pieces_[sent_whole++].size();
  for (std::size_t i = sent_whole; i < size_; ++i) pieces_[i - sent_whole] = pieces_[i];
  size_ -= sent_whole;
  if (size_ > 0) pieces_[0] += count;
}

std::size_t ConstBuffers::bytes() const noexcept {
  std::size_t sum = 0;
  for (auto const& piece : *this) sum += piece.size();
  return sum;
}

asio::awaitable<std::size_t> ByteStream::read_some(std::span<std::byte> buffer) {
  error_code error;
  auto const count = co_await async_read_some(asio::mutable_buffer(buffer.data(), buffer.size()),
                                              asio::redirect_error(asio::use_awaitable, error));
  if (error == asio::error::eof) co_return 0;
  if (error) throw system_error(error);
  co_return count;
}

asio::awaitable<void> ByteStream::read_all(std::span<std::byte> buffer) {
  while (!buffer.empty()) {
    auto const count = co_await read_some(buffer);
    if (count == 0) throw system_error(asio::error::eof);
    buffer = buffer.subspan(count);
  }
}

asio::awaitable<void> ByteStream::write_all(ConstBuffers pieces) {
  while (!pieces.empty()) pieces.consume(co_await async_write_some(pieces, asio::use_awaitable));
}

asio::awaitable<void> ByteStream::write_all(std::string_view text) {
  return write_all(ConstBuffers(asio::const_buffer(text.data(), text.size())));
}

asio::awaitable<void> ByteStream::shutdown() { co_await async_shutdown(asio::use_awaitable); }

}  // namespace belay::net
