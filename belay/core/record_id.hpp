#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "belay/core/id.hpp"
#include "belay/core/text_form.hpp"
#include "belay/core/value.hpp"

namespace belay {

/// What follows the colon of a record id. Ordered by kind in the order below, then by content. A range names a set of
/// records, as in SELECT * FROM person:1..5.
using RecordKey = std::variant<std::int64_t, std::string, Uuid, Array, Object, Range>;

/// A record of any table. 5 and "5" are different keys.
struct RecordId {
  std::string table;
  RecordKey key;

  RecordId() = default;
  template <class Key>
  requires std::constructible_from<RecordKey, Key> RecordId(std::string table_name, Key&& record_key)
      : table(std::move(table_name)), key(std::forward<Key>(record_key)) {}

  /// SurrealQL with a key that is an integer, a name, a quoted name or a UUID: person:1, dossier:b7017c19984f,
  /// person:`a b`, person:⟨a b⟩, person:u'018e3c3c-1111-7abc-8def-0123456789ab'. Digits alone are an integer, or a
  /// string when int64 does not hold them. nullopt for all else, arrays, objects and ranges as keys included, and for
  /// anything that follows the key.
  static std::optional<RecordId> parse(std::string_view);
  /// SurrealQL, names quoted with backticks where needed: person:`5` is not person:5.
  std::string to_string() const;

  friend bool operator==(RecordId const& a, RecordId const& b) { return (a <=> b) == 0; }
  friend std::strong_ordering operator<=>(RecordId const&, RecordId const&);
};

/// The record id of a typed id; Error(request) when the id is empty.
RecordId record_id_of(std::string table, ScalarKey const&);

/// A SurrealQL identifier: as it is when that is safe, else in backticks.
std::string quoted_identifier(std::string_view name);

template <>
struct TextForm<RecordId> {
  static constexpr std::string_view what = "a record id such as person:1";
  static std::string to_text(RecordId const& value) { return value.to_string(); }
  static std::optional<RecordId> from_text(std::string_view text) { return RecordId::parse(text); }
};

}  // namespace belay
