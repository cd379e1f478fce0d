#pragma once

#include <cstddef>

namespace belay::pool {

template <class T>
struct ListLink {
  T* previous = nullptr;
  T* next = nullptr;
};

/// A doubly linked list through a member of its elements: nothing is allocated, removal is O(1), an element is in at
/// most one list per link. The list does not own its elements; they must outlive their membership.
template <class T, ListLink<T> T::*link>
class IntrusiveList {
 public:
  IntrusiveList() = default;
  IntrusiveList(IntrusiveList const&) = delete;
  IntrusiveList& operator=(IntrusiveList const&) = delete;

  bool empty() const noexcept { return front_ == nullptr; }
  std::size_t size() const noexcept { return size_; }
  T* front() const noexcept { return front_; }
  T* back() const noexcept { return back_; }
  static T* next(T const& element) noexcept { return (element.*link).next; }
  static T* previous(T const& element) noexcept { return (element.*link).previous; }

  void push_front(T& element) noexcept { insert_before(front_, element); }
  void push_back(T& element) noexcept { insert_before(nullptr, element); }

  /// Null as the position means the end.
  void insert_before(T* position, T& element) noexcept {
    auto& own = element.*link;
    own.next = position;
    own.previous = position != nullptr ? (position->*link).previous : back_;
    (own.previous != nullptr ? (own.previous->*link).next : front_) = &element;
    (position != nullptr ? (position->*link).previous : back_) = &element;
    ++size_;
  }

  void remove(T& element) noexcept {
    auto& own = element.*link;
    (own.previous != nullptr ? (own.previous->*link).next : front_) = own.next;
    (own.next != nullptr ? (own.next->*link).previous : back_) = own.previous;
    own = {};
    --size_;
  }

  /// Null when there is none.
  T* pop_front() noexcept {
    T* const first = front_;
    if (first != nullptr) remove(*first);
    return first;
  }

 private:
  T* front_ = nullptr;
  T* back_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace belay::pool
