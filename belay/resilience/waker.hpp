#pragma once

namespace belay::resilience {

/// Somebody who waits for the news of a gate that many share.
///
/// wake() is called from any thread, after the gate's own lock is released and perhaps more often than there is news;
/// it has the waiter look again and returns at once.
class Waker {
 public:
  virtual void wake() noexcept = 0;

 protected:
  Waker() = default;
  ~Waker() = default;
};

}  // namespace belay::resilience
