#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "belay/core/fits_int64.hpp"
#include "belay/core/text_form.hpp"
#include "belay/core/uuid.hpp"

namespace belay {

/// The key of a record where it is a single value; monostate = none yet. The integer 5 and the text "5" differ.
using ScalarKey = std::variant<std::monostate, std::int64_t, std::string, Uuid>;

/// The key as plain text, without quotes; "" when there is none.
std::string to_string(ScalarKey const&);

/// The id of a record of T's table: a key that cannot be mistaken for another table's. T may be incomplete.
///
/// Default-constructed it is empty: the record has no key yet, and an insert gives it one.
template <class T>
class Id {
 public:
  Id() = default;
  template <FitsInt64 Integer>
  explicit Id(Integer key) noexcept : key_(static_cast<std::int64_t>(key)) {}
  template <std::integral Other>
  requires(!FitsInt64<Other>) explicit Id(Other) = delete;
  explicit Id(std::string key) noexcept : key_(std::move(key)) {}
  explicit Id(std::string_view key) : key_(std::string(key)) {}
  explicit Id(char const* key) : key_(std::string(key)) {}
  explicit Id(Uuid key) noexcept : key_(key) {}
  explicit Id(ScalarKey key) noexcept : key_(std::move(key)) {}
  bool empty() const noexcept { return key_.index() == 0; }
  ScalarKey const& key() const noexcept { return key_; }
  /// The key alone, as plain text; "" when empty.
  std::string to_string() const { return belay::to_string(key_); }

  friend bool operator==(Id const&, Id const&) = default;
  friend auto operator<=>(Id const&, Id const&) = default;

 private:
  ScalarKey key_;
};

/// The text of an id is that of its key, and text read is a string key: specialise it for your model's id when its keys
/// are integers or UUIDs, or when ids shall carry the table's name.
template <class T>
struct TextForm<Id<T>> {
  static constexpr std::string_view what = "a record's key";
  static std::string to_text(Id<T> const& id) { return id.to_string(); }
  static std::optional<Id<T>> from_text(std::string_view text) {
    if (text.empty()) return std::nullopt;
    return Id<T>(text);
  }
};

}  // namespace belay

template <class T>
struct std::hash<belay::Id<T>> {
  std::size_t operator()(belay::Id<T> const& id) const noexcept { return std::hash<belay::ScalarKey>()(id.key()); }
};
