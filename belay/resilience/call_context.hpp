#pragma once

#include <chrono>

#include "belay/core/deadline.hpp"
#include "belay/resilience/retry.hpp"

namespace belay::resilience {

/// Whether the caller has something to fall back on (a cached value) that needs time of its own.
enum class Fallback { none, available };

/// What travels with a call through every layer, by value.
struct CallContext {
  Deadline deadline = Deadline::never();
  Idempotent idempotent = Idempotent::no;
  RetryLayer retry_layer = RetryLayer::outermost;
  Fallback fallback = Fallback::none;
  /// An attempt with less time left than this is not worth making: the pool's estimate of a typical hold, 1 to 100 ms.
  std::chrono::nanoseconds min_useful_budget = std::chrono::milliseconds(1);
};

}  // namespace belay::resilience
