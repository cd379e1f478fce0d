#include <algorithm>
#include <numeric>

#include "belay/core/error.hpp"
#include "belay/core/value.hpp"

namespace belay {

namespace {

/// Up to here a linear search is as fast as an index, and needs no room.
constexpr std::size_t linear_max = 16;

[[noreturn]] void refuse(std::string message) {
  throw Error(ErrorClass::request, SendState::never_sent, std::move(message));
}

}  // namespace

Object::Object() noexcept = default;
Object::Object(Object const&) = default;
Object::Object(Object&&) noexcept = default;
Object& Object::operator=(Object const&) = default;
Object& Object::operator=(Object&&) noexcept = default;
Object::~Object() = default;

Object::Object(std::initializer_list<Member> members) : Object(std::vector<Member>(members)) {}

Object::Object(std::vector<Member> members) : members_(std::move(members)) {
  auto const positions = sorted_positions();
  auto const same = std::adjacent_find(positions.begin(), positions.end(), [this](std::size_t a, std::size_t b) {
    return members_[a].first == members_[b].first;
  });
  if (same != positions.end()) refuse("an object has the member '" + members_[*same].first + "' twice");
  index();
}

std::size_t Object::size() const noexcept { return members_.size(); }
Object::const_iterator Object::begin() const noexcept { return members_.data(); }
Object::const_iterator Object::end() const noexcept { return members_.data() + members_.size(); }

void Object::index() {
  by_name_.clear();
  if (members_.size() <= linear_max) return;
  auto const positions = sorted_positions();
  by_name_.reserve(positions.size());
  for (auto const position : positions) by_name_.push_back(static_cast<std::uint32_t>(position));
}

std::ptrdiff_t Object::position(std::string_view name) const noexcept {
  if (by_name_.empty()) {
    auto const found = std::find_if(members_.begin(), members_.end(), [&](auto const& m) { return m.first == name; });
    return found == members_.end() ? -1 : found - members_.begin();
  }
  auto const found = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                      [this](std::uint32_t i, std::string_view n) { return members_[i].first < n; });
  return found == by_name_.end() || members_[*found].first != name ? -1 : static_cast<std::ptrdiff_t>(*found);
}

Value const* Object::find(std::string_view name) const noexcept {
  auto const found = position(name);
  return found < 0 ? nullptr : &members_[static_cast<std::size_t>(found)].second;
}

Value* Object::find(std::string_view name) noexcept {
  auto const found = position(name);
  return found < 0 ? nullptr : &members_[static_cast<std::size_t>(found)].second;
}

Value const& Object::at(std::string_view name) const {
  if (auto const* value = find(name)) return *value;
  refuse("the object has no member '" + std::string(name) + "'");
}

Value& Object::set(std::string name, Value value) {
  if (auto* old = find(name)) return *old = std::move(value);
  auto& added = members_.emplace_back(std::move(name), std::move(value));
  if (by_name_.empty()) {
    index();
  } else {
    auto const place = std::lower_bound(by_name_.begin(), by_name_.end(), std::string_view(added.first),
                                        [this](std::uint32_t i, std::string_view n) { return members_[i].first < n; });
    by_name_.insert(place, static_cast<std::uint32_t>(members_.size() - 1));
  }
  return added.second;
}

bool Object::erase(std::string_view name) {
  auto const found = position(name);
  if (found < 0) return false;
  members_.erase(members_.begin() + found);
  index();
  return true;
}

std::vector<std::size_t> Object::sorted_positions() const {
  if (!by_name_.empty()) return {by_name_.begin(), by_name_.end()};
  std::vector<std::size_t> positions(members_.size());
  std::iota(positions.begin(), positions.end(), std::size_t{0});
  std::sort(positions.begin(), positions.end(),
            [this](std::size_t a, std::size_t b) { return members_[a].first < members_[b].first; });
  return positions;
}

std::strong_ordering operator<=>(Object const& a, Object const& b) {
  auto const in_a = a.sorted_positions();
  auto const in_b = b.sorted_positions();
  for (std::size_t i = 0; i < std::min(in_a.size(), in_b.size()); ++i) {
    auto const& [name_a, value_a] = a.members_[in_a[i]];
    auto const& [name_b, value_b] = b.members_[in_b[i]];
    if (auto const order = name_a <=> name_b; order != 0) return order;
    if (auto const order = value_a <=> value_b; order != 0) return order;
  }
  return in_a.size() <=> in_b.size();
}

}  // namespace belay
