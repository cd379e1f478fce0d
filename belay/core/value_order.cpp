// The total order of values.
#include <algorithm>
#include <cmath>

#include "belay/core/record_id.hpp"
#include "belay/core/value.hpp"

namespace belay {

namespace {

std::strong_ordering compare(double a, double b) noexcept {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) <=> std::isnan(b);
  return a < b ? std::strong_ordering::less : a > b ? std::strong_ordering::greater : std::strong_ordering::equal;
}

/// Exactly: a conversion of the integer would make neighbours above 2^53 equal.
std::strong_ordering compare(std::int64_t a, double b) noexcept {
  constexpr double two_to_63 = 9223372036854775808.0;
  if (std::isnan(b) || b >= two_to_63) return std::strong_ordering::less;
  if (b < -two_to_63) return std::strong_ordering::greater;
  auto const whole = static_cast<std::int64_t>(b);
  if (a != whole) return a <=> whole;
  return compare(0.0, b - static_cast<double>(whole));
}

Decimal to_decimal(Value const& number) {
  if (number.kind() == ValueKind::integer) return Decimal(number.as_int64());
  if (number.kind() == ValueKind::real) return Decimal::from_exact(number.as_double());
  return number.as_decimal();
}

bool is_number(ValueKind kind) noexcept {
  return kind == ValueKind::integer || kind == ValueKind::real || kind == ValueKind::decimal;
}

std::strong_ordering compare_numbers(Value const& a, Value const& b) {
  bool const a_is_integer = a.kind() == ValueKind::integer;
  bool const b_is_integer = b.kind() == ValueKind::integer;
  if (a_is_integer && b_is_integer) return a.as_int64() <=> b.as_int64();
  if (a.kind() == ValueKind::decimal || b.kind() == ValueKind::decimal) return to_decimal(a) <=> to_decimal(b);
  if (a_is_integer) return compare(a.as_int64(), b.as_double());
  if (b_is_integer) return 0 <=> compare(b.as_int64(), a.as_double());
  return compare(a.as_double(), b.as_double());
}

template <class List, class Compare>
std::strong_ordering compare_lists(List const& a, List const& b, Compare compare_elements) {
  return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end(), compare_elements);
}

std::strong_ordering compare_arrays(Array const& a, Array const& b) {
  return compare_lists(a, b, [](Value const& x, Value const& y) { return x <=> y; });
}

/// How far a bound reaches at its value: as a begin, an included one starts earlier than an excluded one.
std::strong_ordering compare_begins(Bound const& a, Bound const& b) {
  bool const a_is_open = a.kind == Bound::Kind::unbounded;
  bool const b_is_open = b.kind == Bound::Kind::unbounded;
  if (a_is_open || b_is_open) return b_is_open <=> a_is_open;
  if (auto const order = a.value <=> b.value; order != 0) return order;
  return a.kind <=> b.kind;
}

std::strong_ordering compare_ends(Bound const& a, Bound const& b) {
  bool const a_is_open = a.kind == Bound::Kind::unbounded;
  bool const b_is_open = b.kind == Bound::Kind::unbounded;
  if (a_is_open || b_is_open) return a_is_open <=> b_is_open;
  if (auto const order = a.value <=> b.value; order != 0) return order;
  return b.kind <=> a.kind;
}

std::strong_ordering compare_points(Point const& a, Point const& b) noexcept {
  auto const order = compare(a.x, b.x);
  return order != 0 ? order : compare(a.y, b.y);
}

std::strong_ordering compare_lines(Geometry::Line const& a, Geometry::Line const& b) {
  return compare_lists(a, b, compare_points);
}

std::strong_ordering compare_polygons(Geometry::Polygon const& a, Geometry::Polygon const& b) {
  return compare_lists(a, b, compare_lines);
}

std::strong_ordering compare_keys(RecordKey const& a, RecordKey const& b) {
  if (a.index() != b.index()) return a.index() <=> b.index();
  return std::visit(
      [&b]<class Key>(Key const& key) -> std::strong_ordering {
        auto const& other = std::get<Key>(b);
        if constexpr (std::is_same_v<Key, Array>) {
          return compare_arrays(key, other);
        } else {
          return key <=> other;
        }
      },
      a);
}

}  // namespace

std::strong_ordering operator<=>(Value const& a, Value const& b) {
  if (is_number(a.kind()) && is_number(b.kind())) return compare_numbers(a, b);
  if (a.kind() != b.kind()) return a.kind() <=> b.kind();
  switch (a.kind()) {
    case ValueKind::none:
    case ValueKind::null: return std::strong_ordering::equal;
    case ValueKind::boolean: return a.as_bool() <=> b.as_bool();
    case ValueKind::integer:
    case ValueKind::real:
    case ValueKind::decimal: return compare_numbers(a, b);
    case ValueKind::string: return a.as_string() <=> b.as_string();
    case ValueKind::duration: return a.as_duration() <=> b.as_duration();
    case ValueKind::datetime: return a.as_datetime() <=> b.as_datetime();
    case ValueKind::uuid: return a.as_uuid() <=> b.as_uuid();
    case ValueKind::array: return compare_arrays(a.as_array(), b.as_array());
    case ValueKind::set: return a.as_set() <=> b.as_set();
    case ValueKind::object: return a.as_object() <=> b.as_object();
    case ValueKind::geometry: return a.as_geometry() <=> b.as_geometry();
    case ValueKind::bytes: return a.as_bytes() <=> b.as_bytes();
    case ValueKind::table: return a.as_table() <=> b.as_table();
    case ValueKind::record_id: return a.as_record_id() <=> b.as_record_id();
    case ValueKind::file: return a.as_file() <=> b.as_file();
    case ValueKind::range: return a.as_range() <=> b.as_range();
  }
  return std::strong_ordering::equal;
}

std::strong_ordering operator<=>(Set const& a, Set const& b) { return compare_arrays(a.values_, b.values_); }

std::strong_ordering operator<=>(Range const& a, Range const& b) {
  auto const order = compare_begins(a.begin, b.begin);
  return order != 0 ? order : compare_ends(a.end, b.end);
}

std::strong_ordering operator<=>(RecordId const& a, RecordId const& b) {
  auto const order = a.table <=> b.table;
  return order != 0 ? order : compare_keys(a.key, b.key);
}

std::strong_ordering operator<=>(Geometry const& a, Geometry const& b) noexcept {
  if (a.kind_ != b.kind_) return a.kind_ <=> b.kind_;
  auto const order = compare_lists(a.coordinates_, b.coordinates_, compare_polygons);
  return order != 0 ? order
                    : compare_lists(a.parts_, b.parts_, [](Geometry const& x, Geometry const& y) { return x <=> y; });
}

}  // namespace belay
