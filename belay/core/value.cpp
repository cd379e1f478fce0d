#include "belay/core/value.hpp"

#include <algorithm>

#include "belay/core/error.hpp"
#include "belay/core/record_id.hpp"

namespace belay {

namespace detail {

template <class T>
Box<T>::Box(T content) : content_(new T(std::move(content))) {}
template <class T>
Box<T>::Box(Box const& other) : content_(other.content_ == nullptr ? nullptr : new T(*other.content_)) {}
template <class T>
Box<T>::~Box() {
  delete content_;
}

template class Box<Decimal>;
template class Box<Set>;
template class Box<Object>;
template class Box<Geometry>;
template class Box<Table>;
template class Box<RecordId>;
template class Box<File>;
template class Box<Range>;

}  // namespace detail

namespace {

[[noreturn]] void refuse(std::string message) {
  throw Error(ErrorClass::request, SendState::never_sent, std::move(message));
}

std::string with_article(ValueKind kind) {
  if (kind == ValueKind::none || kind == ValueKind::null) return std::string(name_of(kind));
  bool const has_vowel = kind == ValueKind::integer || kind == ValueKind::array || kind == ValueKind::object;
  return (has_vowel ? "an " : "a ") + std::string(name_of(kind));
}

[[noreturn]] void refuse_kind(ValueKind is, ValueKind wanted) {
  refuse("the value is " + with_article(is) + ", " + with_article(wanted) + " was wanted");
}

template <class T, class Content>
auto& get(Content& content, ValueKind is, ValueKind wanted) {
  auto* found = std::get_if<T>(&content);
  if (found == nullptr) refuse_kind(is, wanted);
  return *found;
}

}  // namespace

std::string_view name_of(ValueKind kind) noexcept {
  switch (kind) {  // no default: the compiler reports a missing enumerator
    case ValueKind::none: return "NONE";
    case ValueKind::null: return "NULL";
    case ValueKind::boolean: return "boolean";
    case ValueKind::integer: return "integer";
    case ValueKind::real: return "floating-point number";
    case ValueKind::decimal: return "decimal number";
    case ValueKind::string: return "string";
    case ValueKind::duration: return "duration";
    case ValueKind::datetime: return "date and time";
    case ValueKind::uuid: return "UUID";
    case ValueKind::array: return "array";
    case ValueKind::set: return "set";
    case ValueKind::object: return "object";
    case ValueKind::geometry: return "geometry";
    case ValueKind::bytes: return "byte string";
    case ValueKind::table: return "table";
    case ValueKind::record_id: return "record id";
    case ValueKind::file: return "file";
    case ValueKind::range: return "range";
  }
  return "unknown kind";
}

Value::Value() noexcept = default;
Value::Value(None) noexcept {}
Value::Value(Null) noexcept : content_(Null()) {}
Value::Value(std::nullptr_t) noexcept : content_(Null()) {}
Value::Value(double value) noexcept : content_(value) {}
Value::Value(Decimal value) : content_(detail::Box<Decimal>(std::move(value))) {}
Value::Value(std::string value) noexcept : content_(std::move(value)) {}
Value::Value(std::string_view value) : content_(std::string(value)) {}
Value::Value(char const* value) : content_(std::string(value)) {}
Value::Value(Duration value) noexcept : content_(value) {}
Value::Value(Datetime value) noexcept : content_(value) {}
Value::Value(Uuid value) noexcept : content_(value) {}
Value::Value(Array value) noexcept : content_(std::move(value)) {}
Value::Value(Set value) : content_(detail::Box<Set>(std::move(value))) {}
Value::Value(Object value) : content_(detail::Box<Object>(std::move(value))) {}
Value::Value(Geometry value) : content_(detail::Box<Geometry>(std::move(value))) {}
Value::Value(Bytes value) noexcept : content_(std::move(value)) {}
Value::Value(Table value) : content_(detail::Box<Table>(std::move(value))) {}
Value::Value(RecordId value) : content_(detail::Box<RecordId>(std::move(value))) {}
Value::Value(File value) : content_(detail::Box<File>(std::move(value))) {}
Value::Value(Range value) : content_(detail::Box<Range>(std::move(value))) {}

Value::Value(Value const&) = default;
Value::Value(Value&& other) noexcept : content_(std::exchange(other.content_, None())) {}
Value& Value::operator=(Value const& other) {
  Value copy(other);  // `other` may be a part of this
  content_.swap(copy.content_);
  return *this;
}
Value& Value::operator=(Value&& other) noexcept {
  Value taken(std::move(other));
  content_.swap(taken.content_);
  return *this;
}
Value::~Value() = default;

ValueKind Value::kind() const noexcept {
  using Content = decltype(content_);
  static_assert(
      std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(ValueKind::range), Content>,
                     detail::Box<Range>> &&
          std::is_same_v<std::variant_alternative_t<static_cast<std::size_t>(ValueKind::bytes), Content>, Bytes>,
      "the alternatives are in the order of ValueKind");
  return static_cast<ValueKind>(content_.index());
}

bool Value::as_bool() const { return get<bool>(content_, kind(), ValueKind::boolean); }
std::int64_t Value::as_int64() const { return get<std::int64_t>(content_, kind(), ValueKind::integer); }

double Value::as_double() const {
  auto const* integer = std::get_if<std::int64_t>(&content_);
  if (integer == nullptr) return get<double>(content_, kind(), ValueKind::real);
  auto const real = static_cast<double>(*integer);
  if (Decimal(*integer) != Decimal::from_exact(real)) {
    refuse("the integer " + std::to_string(*integer) + " has no exact floating-point number");
  }
  return real;
}

Decimal const& Value::as_decimal() const { return *get<detail::Box<Decimal>>(content_, kind(), ValueKind::decimal); }
std::string const& Value::as_string() const { return get<std::string>(content_, kind(), ValueKind::string); }
Duration Value::as_duration() const { return get<Duration>(content_, kind(), ValueKind::duration); }
Datetime Value::as_datetime() const { return get<Datetime>(content_, kind(), ValueKind::datetime); }
Uuid const& Value::as_uuid() const { return get<Uuid>(content_, kind(), ValueKind::uuid); }
Array const& Value::as_array() const { return get<Array>(content_, kind(), ValueKind::array); }
Array& Value::as_array() { return get<Array>(content_, kind(), ValueKind::array); }
Set const& Value::as_set() const { return *get<detail::Box<Set>>(content_, kind(), ValueKind::set); }
Object const& Value::as_object() const { return *get<detail::Box<Object>>(content_, kind(), ValueKind::object); }
Object& Value::as_object() { return *get<detail::Box<Object>>(content_, kind(), ValueKind::object); }
Geometry const& Value::as_geometry() const {
  return *get<detail::Box<Geometry>>(content_, kind(), ValueKind::geometry);
}
Bytes const& Value::as_bytes() const { return get<Bytes>(content_, kind(), ValueKind::bytes); }
Table const& Value::as_table() const { return *get<detail::Box<Table>>(content_, kind(), ValueKind::table); }
RecordId const& Value::as_record_id() const {
  return *get<detail::Box<RecordId>>(content_, kind(), ValueKind::record_id);
}
File const& Value::as_file() const { return *get<detail::Box<File>>(content_, kind(), ValueKind::file); }
Range const& Value::as_range() const { return *get<detail::Box<Range>>(content_, kind(), ValueKind::range); }

Set::Set() noexcept = default;

Set::Set(Array values) : values_(std::move(values)) {
  std::stable_sort(values_.begin(), values_.end());
  values_.erase(std::unique(values_.begin(), values_.end()), values_.end());
}

bool Set::contains(Value const& value) const { return std::binary_search(values_.begin(), values_.end(), value); }

bool Set::insert(Value value) {
  auto const place = std::lower_bound(values_.begin(), values_.end(), value);
  if (place != values_.end() && *place == value) return false;
  values_.insert(place, std::move(value));
  return true;
}

Bound Bound::included(Value value) { return {Kind::included, std::move(value)}; }
Bound Bound::excluded(Value value) { return {Kind::excluded, std::move(value)}; }

Geometry Geometry::point(Point point) { return {Kind::point, {{{point}}}}; }
Geometry Geometry::line(Line line) { return {Kind::line, {{std::move(line)}}}; }
Geometry Geometry::polygon(Polygon polygon) {
  if (polygon.empty()) refuse("a polygon needs its outer ring");
  return {Kind::polygon, {std::move(polygon)}};
}
Geometry Geometry::multi_point(MultiPoint points) { return {Kind::multi_point, {{std::move(points)}}}; }
Geometry Geometry::multi_line(std::vector<Line> lines) { return {Kind::multi_line, {std::move(lines)}}; }
Geometry Geometry::multi_polygon(std::vector<Polygon> polygons) {
  if (std::any_of(polygons.begin(), polygons.end(), [](Polygon const& polygon) { return polygon.empty(); })) {
    refuse("each polygon of a multi polygon needs its outer ring");
  }
  return {Kind::multi_polygon, std::move(polygons)};
}
Geometry Geometry::collection(std::vector<Geometry> parts) {
  Geometry geometry(Kind::collection, {});
  geometry.parts_ = std::move(parts);
  return geometry;
}

std::string_view Geometry::type_name() const noexcept {
  switch (kind_) {
    case Kind::point: return "Point";
    case Kind::line: return "LineString";
    case Kind::polygon: return "Polygon";
    case Kind::multi_point: return "MultiPoint";
    case Kind::multi_line: return "MultiLineString";
    case Kind::multi_polygon: return "MultiPolygon";
    case Kind::collection: return "GeometryCollection";
  }
  return "";
}

}  // namespace belay
