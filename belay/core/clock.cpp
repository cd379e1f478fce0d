#include "belay/core/clock.hpp"

#include <ctime>

namespace belay {

namespace {

class SystemClock final : public Clock {
 public:
  time_point now() const noexcept override { return std::chrono::steady_clock::now(); }
  std::chrono::nanoseconds since_boot() const noexcept override {
    timespec time{};
    clock_gettime(CLOCK_BOOTTIME, &time);  // fails only for a clock the kernel does not know (before Linux 2.6.39)
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
  }
  Datetime wall() const override { return Datetime::now(); }
};

}  // namespace

Clock const& system_clock() noexcept {
  static SystemClock const clock;
  return clock;
}

}  // namespace belay
