#include "belay/net/family_memory.hpp"

#include <utility>

namespace belay::net {

bool FamilyMemory::is_fresh(std::optional<Win> const& win, time_point now) noexcept {
  return win && now - win->at < kept_for;
}

void FamilyMemory::remember(AddressFamily family, std::string address, time_point now) {
  std::lock_guard const lock(mutex_);
  wins_[family == AddressFamily::ipv6] = Win{std::move(address), now, ++wins_so_far_};
}

void FamilyMemory::forget(AddressFamily family) {
  std::lock_guard const lock(mutex_);
  wins_[family == AddressFamily::ipv6].reset();
}

std::optional<AddressFamily> FamilyMemory::preferred(time_point now) const {
  std::lock_guard const lock(mutex_);
  auto const& ipv4 = win_of(AddressFamily::ipv4);
  auto const& ipv6 = win_of(AddressFamily::ipv6);
  if (!is_fresh(ipv4, now) && !is_fresh(ipv6, now)) return std::nullopt;
  if (!is_fresh(ipv4, now)) return AddressFamily::ipv6;
  if (!is_fresh(ipv6, now)) return AddressFamily::ipv4;
  return ipv6->order > ipv4->order ? AddressFamily::ipv6 : AddressFamily::ipv4;
}

std::string FamilyMemory::winner(AddressFamily family, time_point now) const {
  std::lock_guard const lock(mutex_);
  auto const& win = win_of(family);
  return is_fresh(win, now) ? win->address : std::string();
}

}  // namespace belay::net
