#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace belay::testkit::detail {

/// A cell that holds one object: a function to be called, or a handler that is only kept. Cells are used again and
/// never move, so a queue of tasks is a queue of pointers.
class SimTask {
 public:
  SimTask() = default;
  SimTask(SimTask const&) = delete;
  SimTask& operator=(SimTask const&) = delete;

  template <class F>
  void hold(F&& f) {
    using Object = std::decay_t<F>;
    if constexpr (fits<Object>()) {
      ::new (static_cast<void*>(room_)) Object(std::forward<F>(f));
      object_ = room_;
    } else {
      object_ = new Object(std::forward<F>(f));
    }
    act_ = &act<Object>;
  }
  void* object() noexcept { return object_; }
  bool is_holding() const noexcept { return act_ != nullptr; }
  void call() { act_(*this, Action::call); }
  void destroy() noexcept {
    act_(*this, Action::destroy);
    act_ = nullptr;
  }

  static constexpr std::size_t per_chunk = 256;
  /// Where it waits; nowhere while it runs.
  enum class Place : std::uint8_t { nowhere, ready, timer, parked };

  std::uint64_t sequence = 0;  ///< 0 while nothing waits in the cell
  std::size_t index = 0;       ///< among the ready ones or the timers
  std::uint32_t label = 0;
  Place place = Place::nowhere;
  SimTask* next_free = nullptr;

 private:
  static constexpr std::size_t room = 64;
  enum class Action { call, destroy };

  template <class Object>
  static consteval bool fits() {
    if (alignof(Object) > alignof(std::max_align_t)) return false;
    return sizeof(Object) <= room;
  }

  template <class Object>
  static void act(SimTask& task, Action action) {
    auto* const object = static_cast<Object*>(task.object_);
    if (action == Action::call) {
      if constexpr (std::is_invocable_v<Object&>) {
        (*object)();
      } else if constexpr (std::is_invocable_v<Object>) {
        std::move (*object)();
      }
      return;
    }
    if constexpr (fits<Object>()) {
      std::destroy_at(object);
    } else {
      delete object;
    }
  }

  void (*act_)(SimTask&, Action) = nullptr;
  void* object_ = nullptr;
  alignas(std::max_align_t) std::byte room_[room];
};

}  // namespace belay::testkit::detail
