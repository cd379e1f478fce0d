#pragma once

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "belay/core/deadline.hpp"

namespace belay::pool {

inline constexpr std::uint32_t not_in_heap = std::numeric_limits<std::uint32_t>::max();

/// Elements by the instant at which each is due, the earliest first: O(log n) to add, move and remove, O(1) to look.
///
/// An element carries its place in `heap_position`, not_in_heap while it is in none. Room for `reserve`d elements is
/// allocated beforehand; no more may be in it at once.
template <class T>
class DeadlineHeap {
 public:
  using time_point = Deadline::time_point;

  void reserve(std::size_t elements) { entries_.reserve(elements); }

  bool empty() const noexcept { return entries_.empty(); }
  /// time_point::max() when empty.
  time_point earliest() const noexcept { return entries_.empty() ? time_point::max() : entries_.front().due; }
  T* front() const noexcept { return entries_.front().element; }
  time_point due(T const& element) const noexcept {
    return element.heap_position == not_in_heap ? time_point::max() : entries_[element.heap_position].due;
  }

  /// Adds it or moves it; time_point::max() takes it out.
  void set(T& element, time_point due) noexcept {
    if (due == time_point::max()) return remove(element);
    if (element.heap_position == not_in_heap) {
      entries_.push_back({due, &element});
      return rise(static_cast<std::uint32_t>(entries_.size() - 1));
    }
    auto const position = element.heap_position;
    auto const was = std::exchange(entries_[position].due, due);
    due < was ? rise(position) : sink(position);
  }

  void remove(T& element) noexcept {
    auto const position = std::exchange(element.heap_position, not_in_heap);
    if (position == not_in_heap) return;
    auto const last = entries_.back();
    entries_.pop_back();
    if (last.element == &element) return;
    place(position, last);
    rise(position);
    sink(last.element->heap_position);
  }

 private:
  struct Entry {
    time_point due;
    T* element;
  };

  void place(std::uint32_t position, Entry entry) noexcept {
    entries_[position] = entry;
    entry.element->heap_position = position;
  }

  void rise(std::uint32_t position) noexcept {
    auto const entry = entries_[position];
    while (position > 0) {
      auto const parent = (position - 1) / 2;
      if (entries_[parent].due <= entry.due) break;
      place(position, entries_[parent]);
      position = parent;
    }
    place(position, entry);
  }

  void sink(std::uint32_t position) noexcept {
    auto const entry = entries_[position];
    auto const size = static_cast<std::uint32_t>(entries_.size());
    for (auto child = 2 * position + 1; child < size; child = 2 * position + 1) {
      if (child + 1 < size && entries_[child + 1].due < entries_[child].due) ++child;
      if (entry.due <= entries_[child].due) break;
      place(position, entries_[child]);
      position = child;
    }
    place(position, entry);
  }

  std::vector<Entry> entries_;
};

}  // namespace belay::pool
