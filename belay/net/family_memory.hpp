#pragma once

#include <array>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "belay/core/deadline.hpp"

namespace belay::net {

enum class AddressFamily { ipv4, ipv6 };

/// Which address of each family was the last to work: what the next race for the same host begins with.
///
/// An entry is kept for 10 minutes (RFC 8305, section 4, suggests about that) and forgotten at once when an attempt of
/// its family fails. One memory belongs to one endpoint. Thread-safe, because an endpoint's connections may live on
/// several executors; it is touched when connecting only.
class FamilyMemory {
 public:
  using time_point = Deadline::time_point;
  static constexpr std::chrono::minutes kept_for{10};

  void remember(AddressFamily, std::string address, time_point now);
  void forget(AddressFamily);

  /// The family that won last, as long as that is remembered.
  std::optional<AddressFamily> preferred(time_point now) const;
  /// The address of the family that won last; empty when none is remembered.
  std::string winner(AddressFamily, time_point now) const;

 private:
  struct Win {
    std::string address;
    time_point at;
    unsigned long order;  ///< two wins may carry the same time
  };
  std::optional<Win> const& win_of(AddressFamily family) const { return wins_[family == AddressFamily::ipv6]; }
  static bool is_fresh(std::optional<Win> const&, time_point now) noexcept;

  mutable std::mutex mutex_;
  std::array<std::optional<Win>, 2> wins_;
  unsigned long wins_so_far_ = 0;
};

}  // namespace belay::net
