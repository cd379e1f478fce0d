#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>

namespace belay::net {

/// A few pieces of memory that one write sends in order: the gather list of ByteStream::async_write_some.
///
/// It refers to the memory and does not own it. A sequence with more pieces than fit is cut short, which a write that
/// may be partial anyway allows.
class ConstBuffers {
 public:
  static constexpr std::size_t capacity = 8;

  ConstBuffers() = default;
  template <class ConstBufferSequence>
  explicit ConstBuffers(ConstBufferSequence const& sequence) {
    auto const end = boost::asio::buffer_sequence_end(sequence);
    for (auto piece = boost::asio::buffer_sequence_begin(sequence); piece != end && size_ < capacity; ++piece) {
      add(boost::asio::const_buffer(*piece));
    }
  }

  /// Adds a piece unless it is empty. There must be room: size() < capacity.
  void add(boost::asio::const_buffer piece) noexcept {
    if (piece.size() > 0) pieces_[size_++] = piece;
  }
  /// Drops the first `count` bytes; count <= bytes().
  void consume(std::size_t count) noexcept;
  std::size_t bytes() const noexcept;

  bool empty() const noexcept { return size_ == 0; }
  boost::asio::const_buffer const* begin() const noexcept { return pieces_.data(); }
  boost::asio::const_buffer const* end() const noexcept { return pieces_.data() + size_; }

 private:
  std::array<boost::asio::const_buffer, capacity> pieces_{};
  std::size_t size_ = 0;
};

/// A connected, bidirectional stream of bytes behind one type: TCP, Unix socket, memory, and whatever wraps them.
///
/// Satisfies Asio's AsyncReadStream and AsyncWriteStream, so Beast and asio::async_read run over it. Protocol code is
/// instantiated once for all transports, and a test puts a faulty stream under it.
///
/// * Threads: one at a time, on the executor's thread; a completion never runs inside the call that started it.
/// * At most one read, one write and one shutdown are pending at once. The stream and the memory of the buffers must
///   live until the operation completes.
/// * Errors: asio::error::eof when the peer has ended its direction (reads only), asio::error::operation_aborted when
///   the stream was closed or the operation cancelled, the system's own code for the rest.
/// * Cancellation: per operation by its handler's cancellation slot. A cancelled read has consumed nothing; a cancelled
///   write has sent what the completion says. The stream stays usable.
class ByteStream {
 public:
  using executor_type = boost::asio::any_io_executor;
  using TransferHandler = boost::asio::any_completion_handler<void(boost::system::error_code, std::size_t)>;
  using ShutdownHandler = boost::asio::any_completion_handler<void(boost::system::error_code)>;

  virtual ~ByteStream() = default;
  ByteStream(ByteStream const&) = delete;
  ByteStream& operator=(ByteStream const&) = delete;

  virtual executor_type get_executor() noexcept = 0;

  /// Reads at least one byte into the first non-empty buffer of the sequence, or zero into none.
  /// Completes with (error_code, bytes).
  template <class MutableBufferSequence,
            boost::asio::completion_token_for<void(boost::system::error_code, std::size_t)> Token>
  auto async_read_some(MutableBufferSequence const& buffers, Token&& token) {
    boost::asio::mutable_buffer first;
    auto const end = boost::asio::buffer_sequence_end(buffers);
    for (auto piece = boost::asio::buffer_sequence_begin(buffers); piece != end && first.size() == 0; ++piece) {
      first = boost::asio::mutable_buffer(*piece);
    }
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, boost::asio::mutable_buffer buffer) {
          start_read(buffer, TransferHandler(std::move(handler)));
        },
        token, first);
  }

  /// Writes at least one byte of the sequence in its order, or none of an empty one; as many pieces as possible go out
  /// together. Completes with (error_code, bytes).
  template <class ConstBufferSequence,
            boost::asio::completion_token_for<void(boost::system::error_code, std::size_t)> Token>
  auto async_write_some(ConstBufferSequence const& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
        [this](auto handler, ConstBuffers pieces) { start_write(pieces, TransferHandler(std::move(handler))); }, token,
        ConstBuffers(buffers));
  }

  /// Ends our direction in good order once all that was written is sent; reading goes on until the peer ends its own.
  /// Completes with (error_code).
  template <boost::asio::completion_token_for<void(boost::system::error_code)> Token>
  auto async_shutdown(Token&& token) {
    return boost::asio::async_initiate<Token, void(boost::system::error_code)>(
        [this](auto handler) { start_shutdown(ShutdownHandler(std::move(handler))); }, token);
  }

  /// Gives the connection up at once; pending operations complete with operation_aborted. Idempotent. Operations
  /// started later fail with bad_descriptor.
  virtual void close() noexcept = 0;
  virtual bool is_open() const noexcept = 0;

  /// The same operations for coroutines; they throw boost::system::system_error.
  /// Zero means that the peer has ended its direction (or that the buffer is empty).
  boost::asio::awaitable<std::size_t> read_some(std::span<std::byte> buffer);
  /// Fills the buffer; throws eof when the peer ends before.
  boost::asio::awaitable<void> read_all(std::span<std::byte> buffer);
  boost::asio::awaitable<void> write_all(ConstBuffers);
  boost::asio::awaitable<void> write_all(std::string_view);
  boost::asio::awaitable<void> shutdown();

 protected:
  ByteStream() = default;

 private:
  /// `buffer` may be empty: completes with zero bytes then.
  virtual void start_read(boost::asio::mutable_buffer buffer, TransferHandler) = 0;
  virtual void start_write(ConstBuffers const&, TransferHandler) = 0;
  virtual void start_shutdown(ShutdownHandler) = 0;
};

}  // namespace belay::net
