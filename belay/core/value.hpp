#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "belay/core/bytes.hpp"
#include "belay/core/datetime.hpp"
#include "belay/core/decimal.hpp"
#include "belay/core/duration.hpp"
#include "belay/core/fits_int64.hpp"
#include "belay/core/uuid.hpp"

namespace belay {

class Value;
class Object;
class Set;
class Geometry;
struct File;
struct Range;
struct RecordId;
struct Table;

using Array = std::vector<Value>;

/// Nested arrays, sets and objects that are read from foreign text and that are printed: deeper is Error(request).
/// Values that a program nests deeper itself also make copying, comparing and destroying them recurse as deep.
inline constexpr std::size_t value_depth_max = 128;

/// The name of something, as opposed to its rows.
struct Table {
  std::string name;
  friend auto operator<=>(Table const&, Table const&) = default;
};

/// A file in SurrealDB's bucket storage; the key begins with '/'.
struct File {
  std::string bucket;
  std::string key;
  friend auto operator<=>(File const&, File const&) = default;
};

/// Names and values, each name once, in the order of insertion. Two objects are equal whatever their order.
///
/// Lookups are linear up to 16 members and logarithmic beyond, whatever names a stranger chose.
class Object {
 public:
  using Member = std::pair<std::string, Value>;
  using const_iterator = Member const*;

  Object() noexcept;
  /// Error(request) naming the member when one is given twice.
  Object(std::initializer_list<Member> members);
  explicit Object(std::vector<Member> members);
  Object(Object const&);
  Object(Object&&) noexcept;
  Object& operator=(Object const&);
  Object& operator=(Object&&) noexcept;
  ~Object();

  std::size_t size() const noexcept;
  bool empty() const noexcept { return size() == 0; }
  /// In the order of insertion.
  const_iterator begin() const noexcept;
  const_iterator end() const noexcept;

  bool contains(std::string_view name) const noexcept { return find(name) != nullptr; }
  /// nullptr when there is no such member. Valid until the object changes.
  Value const* find(std::string_view name) const noexcept;
  Value* find(std::string_view name) noexcept;
  /// Error(request) that names the member when there is none.
  Value const& at(std::string_view name) const;
  /// Adds the member at the end, or replaces its value at its old place.
  Value& set(std::string name, Value);
  /// Whether there was such a member. The others keep their order.
  bool erase(std::string_view name);
  /// The members' positions in byte order of their names.
  std::vector<std::size_t> sorted_positions() const;

  /// By the members in byte order of their names, as SurrealDB does.
  friend bool operator==(Object const& a, Object const& b) { return (a <=> b) == 0; }
  friend std::strong_ordering operator<=>(Object const&, Object const&);

 private:
  std::ptrdiff_t position(std::string_view name) const noexcept;
  void index();

  std::vector<Member> members_;
  std::vector<std::uint32_t> by_name_;  ///< positions in order of names; empty while a linear search is as fast
};

namespace detail {

/// A T on the heap, copied with its owner: what is large or holds values itself. Defined where T is complete.
template <class T>
class Box {
 public:
  explicit Box(T);
  Box(Box const&);
  Box(Box&& other) noexcept : content_(std::exchange(other.content_, nullptr)) {}
  Box& operator=(Box other) noexcept {
    std::swap(content_, other.content_);
    return *this;
  }
  ~Box();
  /// Not after the box was moved from.
  T& operator*() noexcept { return *content_; }
  T const& operator*() const noexcept { return *content_; }

 private:
  T* content_;
};

}  // namespace detail

/// What a value is. The order is the order of values of different kinds, SurrealDB's.
enum class ValueKind : unsigned char {
  none,  ///< there is no value: an absent field
  null,  ///< there is one, and it is empty
  boolean,
  integer,
  real,
  decimal,
  string,
  duration,
  datetime,
  uuid,
  array,
  set,
  object,
  geometry,
  bytes,
  table,
  record_id,
  file,
  range
};

/// "record id", with the article it takes in a sentence left out.
std::string_view name_of(ValueKind) noexcept;

/// Any value that an engine may return or take. Copying copies all of it. Thread-safe like any value: reading it from
/// many threads is fine.
///
/// Ordered totally: first by kind (see ValueKind; the three kinds of numbers are one), then by content. Numbers compare
/// by their exact value whatever their kind, so 1 == 1.0 == Decimal(1), and NaN equals NaN and is above all other
/// numbers; text and names compare by bytes. Source: SurrealDB, "Comparing and ordering values".
class Value {
 public:
  struct None {
    friend auto operator<=>(None const&, None const&) = default;
  };
  struct Null {
    friend auto operator<=>(Null const&, Null const&) = default;
  };

  /// NONE.
  Value() noexcept;
  Value(None) noexcept;
  Value(Null) noexcept;
  Value(std::nullptr_t) noexcept;
  template <std::same_as<bool> B>
  Value(B value) noexcept : content_(value) {}
  template <FitsInt64 Integer>
  Value(Integer value) noexcept : content_(static_cast<std::int64_t>(value)) {}
  template <std::integral Other>
  requires(!FitsInt64<Other> && !std::same_as<Other, bool>) Value(Other)
  = delete;
  Value(double) noexcept;
  Value(Decimal);
  Value(std::string) noexcept;
  Value(std::string_view);
  Value(char const*);
  Value(Duration) noexcept;
  Value(Datetime) noexcept;
  Value(Uuid) noexcept;
  Value(Array) noexcept;
  Value(Set);
  Value(Object);
  Value(Geometry);
  Value(Bytes) noexcept;
  Value(Table);
  Value(RecordId);
  Value(File);
  Value(Range);

  Value(Value const&);
  /// The other becomes NONE.
  Value(Value&&) noexcept;
  Value& operator=(Value const&);
  Value& operator=(Value&&) noexcept;
  ~Value();

  ValueKind kind() const noexcept;
  bool is_none() const noexcept { return kind() == ValueKind::none; }
  bool is_null() const noexcept { return kind() == ValueKind::null; }
  /// NONE or NULL.
  bool is_empty() const noexcept { return is_none() || is_null(); }

  // The content. Error(request) that says what the value is and what was wanted, when it is of another kind; only
  // as_double() converts, and only an integer that a double holds exactly.
  bool as_bool() const;
  std::int64_t as_int64() const;
  double as_double() const;
  Decimal const& as_decimal() const;
  std::string const& as_string() const;
  Duration as_duration() const;
  Datetime as_datetime() const;
  Uuid const& as_uuid() const;
  Array const& as_array() const;
  Array& as_array();
  Set const& as_set() const;
  Object const& as_object() const;
  Object& as_object();
  Geometry const& as_geometry() const;
  Bytes const& as_bytes() const;
  Table const& as_table() const;
  RecordId const& as_record_id() const;
  File const& as_file() const;
  Range const& as_range() const;

  /// A SurrealQL literal: 'text', 1.5dec, d'2024-01-02T03:04:05Z', person:1, { a: [1, NONE] }. Error(request) when it
  /// is nested deeper than value_depth_max.
  std::string to_string() const;

  friend bool operator==(Value const& a, Value const& b) { return (a <=> b) == 0; }
  friend std::strong_ordering operator<=>(Value const&, Value const&);

 private:
  std::variant<None, Null, bool, std::int64_t, double, detail::Box<Decimal>, std::string, Duration, Datetime, Uuid,
               Array, detail::Box<Set>, detail::Box<Object>, detail::Box<Geometry>, Bytes, detail::Box<Table>,
               detail::Box<RecordId>, detail::Box<File>, detail::Box<Range>>
      content_;
};

/// Values in order, each once.
class Set {
 public:
  Set() noexcept;
  /// Sorts and drops what is there already.
  explicit Set(Array values);
  std::size_t size() const noexcept { return values_.size(); }
  bool empty() const noexcept { return values_.empty(); }
  Array const& values() const noexcept { return values_; }
  bool contains(Value const&) const;
  /// Whether it was not there before.
  bool insert(Value);
  friend bool operator==(Set const&, Set const&) = default;
  friend std::strong_ordering operator<=>(Set const&, Set const&);

 private:
  Array values_;
};

/// One end of a range.
struct Bound {
  enum class Kind : unsigned char { unbounded, included, excluded };
  Kind kind = Kind::unbounded;
  Value value;  ///< NONE when unbounded
  static Bound unbounded() { return {}; }
  static Bound included(Value);
  static Bound excluded(Value);
  friend bool operator==(Bound const&, Bound const&) = default;
};

/// From `begin` to `end`, either may be open: 1..5, 1>..=5, ..
struct Range {
  Bound begin;
  Bound end;
  friend bool operator==(Range const&, Range const&) = default;
  /// By the begins, then by the ends. An unbounded begin is below, an unbounded end above all others; at the same value
  /// the wider bound is below as a begin and above as an end.
  friend std::strong_ordering operator<=>(Range const&, Range const&);
};

struct Point {
  double x = 0;  ///< longitude
  double y = 0;  ///< latitude
  friend bool operator==(Point const&, Point const&) = default;
};

/// A GeoJSON geometry (RFC 7946).
class Geometry {
 public:
  using Line = std::vector<Point>;
  using Polygon = std::vector<Line>;  ///< the outer ring, then the holes
  using MultiPoint = std::vector<Point>;
  enum class Kind : unsigned char { point, line, polygon, multi_point, multi_line, multi_polygon, collection };

  static Geometry point(Point);
  static Geometry line(Line);
  /// Error(request) without an outer ring.
  static Geometry polygon(Polygon);
  static Geometry multi_point(MultiPoint);
  static Geometry multi_line(std::vector<Line>);
  static Geometry multi_polygon(std::vector<Polygon>);
  static Geometry collection(std::vector<Geometry>);

  Kind kind() const noexcept { return kind_; }
  /// "Point", "LineString", …: GeoJSON's name.
  std::string_view type_name() const noexcept;
  /// Point: one polygon of one line of one point; line, multi point: one polygon of one line; polygon, multi line: one
  /// polygon; multi polygon: all. Empty for a collection.
  std::vector<Polygon> const& coordinates() const noexcept { return coordinates_; }
  /// Of a collection; empty otherwise.
  std::vector<Geometry> const& parts() const noexcept { return parts_; }

  friend bool operator==(Geometry const& a, Geometry const& b) noexcept { return (a <=> b) == 0; }
  friend std::strong_ordering operator<=>(Geometry const&, Geometry const&) noexcept;

 private:
  Geometry(Kind kind, std::vector<Polygon> coordinates) : kind_(kind), coordinates_(std::move(coordinates)) {}
  Kind kind_;
  std::vector<Polygon> coordinates_;
  std::vector<Geometry> parts_;
};

}  // namespace belay
