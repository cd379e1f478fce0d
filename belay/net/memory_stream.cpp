#include "belay/net/memory_stream.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

namespace belay::net {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// One direction: a ring of bytes between a writer and a reader, each of which may have one operation waiting.
class Pipe : public std::enable_shared_from_this<Pipe> {
 public:
  using Handler = ByteStream::TransferHandler;

  Pipe(asio::any_io_executor executor, std::size_t capacity) : executor_(std::move(executor)), ring_(capacity) {}

  void read(asio::mutable_buffer buffer, Handler handler) {
    read_to_ = buffer;
    reader_.emplace(std::move(handler));
    watch_cancellation(*reader_, &Pipe::cancel_read);
    progress();
  }

  void write(ConstBuffers const& pieces, Handler handler) {
    write_from_ = pieces;
    writer_.emplace(std::move(handler));
    watch_cancellation(*writer_, &Pipe::cancel_write);
    progress();
  }

  /// The writer says that no more comes: the reader gets eof after what is buffered.
  void end() {
    is_ended_ = true;
    progress();
  }

  /// The reader is gone: what is buffered is lost and writes fail.
  void abandon() {
    cancel_read();
    is_abandoned_ = true;
    size_ = 0;
    progress();
  }

  void cancel_read() { complete(reader_, asio::error::operation_aborted, 0); }
  void cancel_write() { complete(writer_, asio::error::operation_aborted, 0); }

 private:
  void watch_cancellation(Handler& handler, void (Pipe::*cancel)()) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (!slot.is_connected()) return;
    slot.assign([pipe = weak_from_this(), cancel](asio::cancellation_type) {
      if (auto const alive = pipe.lock()) ((*alive).*cancel)();
    });
  }

  void complete(std::optional<Handler>& waiting, error_code error, std::size_t count) {
    if (!waiting) return;
    auto handler = std::move(*waiting);
    waiting.reset();
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.clear();
    asio::post(executor_, asio::append(std::move(handler), error, count));
  }

  /// Lets whoever waits go on as far as the ring allows. The writer comes first, so that a read finds all there is;
  /// a reader that made room may let the writer in once more.
  void progress() {
    try_to_write();
    try_to_read();
    try_to_write();
  }

  void try_to_write() {
    if (!writer_) return;
    if (write_from_.empty()) return complete(writer_, {}, 0);
    if (is_abandoned_) return complete(writer_, asio::error::broken_pipe, 0);
    std::size_t count = 0;
    for (auto const& piece : write_from_) count += put(static_cast<std::byte const*>(piece.data()), piece.size());
    if (count > 0) complete(writer_, {}, count);
  }

  void try_to_read() {
    if (!reader_) return;
    auto const count = take(static_cast<std::byte*>(read_to_.data()), read_to_.size());
    if (count > 0 || read_to_.size() == 0) return complete(reader_, {}, count);
    if (is_ended_) complete(reader_, asio::error::eof, 0);
  }

  std::size_t put(std::byte const* from, std::size_t count) {
    count = std::min(count, ring_.size() - size_);
    if (count == 0) return 0;
    auto const end = (begin_ + size_) % ring_.size();
    auto const before_wrap = std::min(count, ring_.size() - end);
    std::memcpy(ring_.data() + end, from, before_wrap);
    std::memcpy(ring_.data(), from + before_wrap, count - before_wrap);
    size_ += count;
    return count;
  }

  std::size_t take(std::byte* to, std::size_t count) {
    count = std::min(count, size_);
    if (count == 0) return 0;
    auto const before_wrap = std::min(count, ring_.size() - begin_);
    std::memcpy(to, ring_.data() + begin_, before_wrap);
    std::memcpy(to + before_wrap, ring_.data(), count - before_wrap);
    begin_ = (begin_ + count) % ring_.size();
    size_ -= count;
    return count;
  }

  asio::any_io_executor executor_;
  std::vector<std::byte> ring_;
  std::size_t begin_ = 0;
  std::size_t size_ = 0;
  bool is_ended_ = false;
  bool is_abandoned_ = false;
  std::optional<Handler> reader_;
  std::optional<Handler> writer_;
  asio::mutable_buffer read_to_;
  ConstBuffers write_from_;
};

class MemoryStream final : public ByteStream {
 public:
  MemoryStream(asio::any_io_executor executor, std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out)
      : executor_(std::move(executor)), in_(std::move(in)), out_(std::move(out)) {}
  ~MemoryStream() override { close(); }

  executor_type get_executor() noexcept override { return executor_; }
  bool is_open() const noexcept override { return is_open_; }
  void close() noexcept override {
    if (!std::exchange(is_open_, false)) return;
    out_->cancel_write();
    out_->end();
    in_->abandon();
  }

 private:
  void start_read(asio::mutable_buffer buffer, TransferHandler handler) override {
    if (!is_open_) return fail(std::move(handler), asio::error::bad_descriptor);
    in_->read(buffer, std::move(handler));
  }
  void start_write(ConstBuffers const& pieces, TransferHandler handler) override {
    if (!is_open_) return fail(std::move(handler), asio::error::bad_descriptor);
    if (is_shut_down_) return fail(std::move(handler), asio::error::broken_pipe);
    out_->write(pieces, std::move(handler));
  }
  void start_shutdown(ShutdownHandler handler) override {
    error_code error;
    if (is_open_) {
      is_shut_down_ = true;
      out_->end();
    } else {
      error = asio::error::bad_descriptor;
    }
    asio::post(executor_, asio::append(std::move(handler), error));
  }

  void fail(TransferHandler handler, error_code error) {
    asio::post(executor_, asio::append(std::move(handler), error, std::size_t{0}));
  }

  asio::any_io_executor executor_;
  std::shared_ptr<Pipe> in_;
  std::shared_ptr<Pipe> out_;
  bool is_open_ = true;
  bool is_shut_down_ = false;
};

}  // namespace

std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>> make_memory_streams(asio::any_io_executor executor,
                                                                                        std::size_t capacity) {
  auto const forth = std::make_shared<Pipe>(executor, capacity);
  auto const back = std::make_shared<Pipe>(executor, capacity);
  return {std::make_unique<MemoryStream>(executor, back, forth), std::make_unique<MemoryStream>(executor, forth, back)};
}

}  // namespace belay::net
