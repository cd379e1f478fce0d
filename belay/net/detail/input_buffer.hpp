#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace belay::net::detail {

/// Bytes between a stream and a parser: filled at the end, used up at the front, never larger than its maximum (> 0).
class InputBuffer {
 public:
  explicit InputBuffer(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

  std::string_view bytes() const noexcept { return {memory_.get() + begin_, end_ - begin_}; }
  bool empty() const noexcept { return begin_ == end_; }

  /// Room for more behind bytes(), made by moving them to the front or by growing. Empty only when bytes_max are held.
  std::span<std::byte> room() {
    if (begin_ > 0 && end_ == capacity_) {
      std::memmove(memory_.get(), memory_.get() + begin_, end_ - begin_);
      end_ -= std::exchange(begin_, 0);
    }
    if (end_ == capacity_) grow();
    return std::as_writable_bytes(std::span(memory_.get() + end_, capacity_ - end_));
  }
  /// The first `count` bytes of room() have been filled.
  void commit(std::size_t count) noexcept { end_ += count; }
  void consume(std::size_t count) noexcept {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }

 private:
  static constexpr std::size_t first_capacity = 16 * 1024;

  void grow() {
    auto const capacity = std::min(bytes_max_, capacity_ == 0 ? first_capacity : capacity_ * 4);
    if (capacity == capacity_) return;
    auto memory = std::make_unique_for_overwrite<char[]>(capacity);
    if (end_ > 0) std::memcpy(memory.get(), memory_.get(), end_);
    memory_ = std::move(memory);
    capacity_ = capacity;
  }

  std::size_t bytes_max_;
  std::size_t capacity_ = 0;
  std::unique_ptr<char[]> memory_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace belay::net::detail
