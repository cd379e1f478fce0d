#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

#include "belay/net/byte_stream.hpp"
#include "belay/net/time_service.hpp"

namespace belay::testkit {

/// What goes wrong with an operation of a stream.
enum class StreamFault {
  error,        ///< it fails and has done nothing
  error_after,  ///< it fails although it was carried out: bytes have left, or were read and are lost
  cut,          ///< this end sees the connection gone, from here on: reads give eof, writes broken_pipe
  stall,        ///< it never completes, nor does any later one: cancelled or closed only
  fragment      ///< it transfers one byte at most, and so do all later ones
};
inline constexpr StreamFault all_stream_faults[] = {StreamFault::error, StreamFault::error_after, StreamFault::cut,
                                                    StreamFault::stall, StreamFault::fragment};
char const* name_of(StreamFault) noexcept;

enum class StreamOperation { read, write, shutdown };
char const* name_of(StreamOperation) noexcept;

/// A stream around another one that breaks the operation of a chosen number, counted over reads, writes and shutdowns
/// in the order in which they start. Runs on any executor; as any ByteStream otherwise.
class FaultyStream final : public net::ByteStream {
 public:
  struct Plan {
    StreamFault fault = StreamFault::error;
    std::uint64_t at_step = 1;  ///< from 1; 0: nothing ever goes wrong, steps are counted only
    boost::system::error_code error = boost::asio::error::connection_reset;  ///< for error and error_after
  };

  /// `time` must outlive the stream's operations.
  FaultyStream(std::unique_ptr<net::ByteStream>, Plan, net::TimeService& time);
  ~FaultyStream() override;

  /// Called when the planned step starts, before its fault acts; not after the stream is gone.
  void on_fault(std::function<void(StreamOperation)>);

  std::uint64_t steps() const noexcept;  ///< operations started so far
  bool was_hit() const noexcept;         ///< the planned step has come
  /// What the inner stream has taken over.
  std::uint64_t bytes_written() const noexcept;

  executor_type get_executor() noexcept override;
  void close() noexcept override;
  bool is_open() const noexcept override;

 private:
  struct State;
  void start_read(boost::asio::mutable_buffer, TransferHandler) override;
  void start_write(net::ConstBuffers const&, TransferHandler) override;
  void start_shutdown(ShutdownHandler) override;

  std::shared_ptr<State> state_;
};

}  // namespace belay::testkit
