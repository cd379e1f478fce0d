// Values and record ids as SurrealQL literals.
#include <array>
#include <charconv>
#include <cmath>

#include "belay/core/detail/surrealql_name.hpp"
#include "belay/core/error.hpp"
#include "belay/core/record_id.hpp"
#include "belay/core/value.hpp"

namespace belay {

namespace {

class Writer {
 public:
  explicit Writer(std::string& out) noexcept : out_(out) {}

  void value(Value const& value) {
    switch (value.kind()) {
      case ValueKind::none: out_ += "NONE"; break;
      case ValueKind::null: out_ += "NULL"; break;
      case ValueKind::boolean: out_ += value.as_bool() ? "true" : "false"; break;
      case ValueKind::integer: out_ += std::to_string(value.as_int64()); break;
      case ValueKind::real: real(value.as_double()); break;
      case ValueKind::decimal: decimal(value.as_decimal()); break;
      case ValueKind::string: quoted(value.as_string()); break;
      case ValueKind::duration: out_ += value.as_duration().to_string(); break;
      case ValueKind::datetime: (out_ += "d'") += value.as_datetime().to_string() + '\''; break;
      case ValueKind::uuid: (out_ += "u'") += value.as_uuid().to_string() + '\''; break;
      case ValueKind::array: list('[', value.as_array(), ']'); break;
      case ValueKind::set: set(value.as_set()); break;
      case ValueKind::object: object(value.as_object()); break;
      case ValueKind::geometry: geometry(value.as_geometry()); break;
      case ValueKind::bytes: bytes(value.as_bytes()); break;
      case ValueKind::table: out_ += quoted_identifier(value.as_table().name); break;
      case ValueKind::record_id: record_id(value.as_record_id()); break;
      case ValueKind::file: file(value.as_file()); break;
      case ValueKind::range: range(value.as_range()); break;
    }
  }

  void record_id(RecordId const& id) {
    out_ += quoted_identifier(id.table);
    out_ += ':';
    if (auto const* number = std::get_if<std::int64_t>(&id.key)) {
      out_ += std::to_string(*number);
    } else if (auto const* text = std::get_if<std::string>(&id.key)) {
      out_ += detail::is_plain_key(*text) ? *text : detail::in_backticks(*text);
    } else if (auto const* uuid = std::get_if<Uuid>(&id.key)) {
      (out_ += "u'") += uuid->to_string() + '\'';
    } else if (auto const* array = std::get_if<Array>(&id.key)) {
      list('[', *array, ']');
    } else if (auto const* members = std::get_if<Object>(&id.key)) {
      object(*members);
    } else {
      range(std::get<Range>(id.key));
    }
  }

 private:
  /// One level of nesting for as long as it lives.
  class Level {
   public:
    explicit Level(std::size_t& depth) : depth_(depth) {
      if (depth_ >= value_depth_max) {
        throw Error(ErrorClass::request, SendState::never_sent,
                    "a value is nested deeper than " + std::to_string(value_depth_max) + " levels");
      }
      ++depth_;
    }
    Level(Level const&) = delete;
    Level& operator=(Level const&) = delete;
    ~Level() { --depth_; }

   private:
    std::size_t& depth_;
  };

  void real(double number) {
    if (std::isnan(number)) {
      out_ += "NaN";
    } else if (std::isinf(number)) {
      out_ += number < 0 ? "math::neg_inf" : "math::inf";
    } else {
      std::array<char, 32> text;
      auto const end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
      std::string_view const digits(text.data(), static_cast<std::size_t>(end - text.data()));
      out_ += digits;
      if (digits.find_first_of(".e") == std::string_view::npos) out_ += ".0";  // without a point it is an integer
    }
  }

  void decimal(Decimal const& number) {
    out_ += number.to_string();
    if (number.is_finite()) out_ += "dec";
  }

  void quoted(std::string_view text) {
    out_ += '\'';
    for (char const c : text) {
      switch (c) {
        case '\'': out_ += "\\'"; break;
        case '\\': out_ += "\\\\"; break;
        case '\n': out_ += "\\n"; break;
        case '\r': out_ += "\\r"; break;
        case '\t': out_ += "\\t"; break;
        default: out_ += c;
      }
    }
    out_ += '\'';
  }

  void bytes(Bytes const& bytes) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    out_ += "b\"";
    for (auto const byte : bytes) {
      out_ += hex[std::to_integer<std::size_t>(byte >> 4)];
      out_ += hex[std::to_integer<std::size_t>(byte & std::byte{15})];
    }
    out_ += '"';
  }

  void file(File const& file) {
    out_ += "f\"";
    for (auto const& part : {file.bucket + ':', file.key}) {
      for (char const c : part) {
        if (c == '"' || c == '\\') out_ += '\\';
        out_ += c;
      }
    }
    out_ += '"';
  }

  void list(char open, Array const& values, char close) {
    Level const level(depth_);
    out_ += open;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) out_ += ", ";
      value(values[i]);
    }
    out_ += close;
  }

  void set(Set const& set) {
    if (set.empty()) {
      out_ += "{,}";  // {} is the empty object
    } else if (set.size() == 1) {
      Level const level(depth_);
      out_ += '{';
      value(set.values().front());
      out_ += ",}";  // {a} could be a block
    } else {
      list('{', set.values(), '}');
    }
  }

  void object(Object const& object) {
    Level const level(depth_);
    if (object.empty()) {
      out_ += "{}";
      return;
    }
    out_ += "{ ";
    bool is_first = true;
    for (auto const& [name, content] : object) {
      if (!std::exchange(is_first, false)) out_ += ", ";
      if (detail::is_plain_name(name)) {
        out_ += name;
      } else {
        quoted(name);
      }
      out_ += ": ";
      value(content);
    }
    out_ += " }";
  }

  void range(Range const& range) {
    Level const level(depth_);
    if (range.begin.kind != Bound::Kind::unbounded) value(range.begin.value);
    if (range.begin.kind == Bound::Kind::excluded) out_ += '>';
    out_ += "..";
    if (range.end.kind == Bound::Kind::included) out_ += '=';
    if (range.end.kind != Bound::Kind::unbounded) value(range.end.value);
  }

  void point(Point const& point) {
    out_ += '[';
    real(point.x);
    out_ += ", ";
    real(point.y);
    out_ += ']';
  }

  template <class Element, class Write>
  void each(std::vector<Element> const& elements, Write write) {
    out_ += '[';
    for (std::size_t i = 0; i < elements.size(); ++i) {
      if (i > 0) out_ += ", ";
      write(elements[i]);
    }
    out_ += ']';
  }

  void geometry(Geometry const& geometry) {
    using Kind = Geometry::Kind;
    Level const level(depth_);
    auto const write_line = [this](Geometry::Line const& line) { each(line, [this](Point const& p) { point(p); }); };
    auto const write_polygon = [&](Geometry::Polygon const& polygon) { each(polygon, write_line); };
    ((out_ += "{ type: '") += geometry.type_name()) += "', ";
    out_ += geometry.kind() == Kind::collection ? "geometries: " : "coordinates: ";
    auto const& coordinates = geometry.coordinates();
    switch (geometry.kind()) {
      case Kind::point: point(coordinates[0][0][0]); break;
      case Kind::line:
      case Kind::multi_point: write_line(coordinates[0][0]); break;
      case Kind::polygon:
      case Kind::multi_line: write_polygon(coordinates[0]); break;
      case Kind::multi_polygon: each(coordinates, write_polygon); break;
      case Kind::collection: each(geometry.parts(), [this](Geometry const& part) { this->geometry(part); }); break;
    }
    out_ += " }";
  }

  std::string& out_;
  std::size_t depth_ = 0;
};

}  // namespace

std::string Value::to_string() const {
  std::string text;
  Writer(text).value(*this);
  return text;
}

std::string RecordId::to_string() const {
  std::string text;
  Writer(text).record_id(*this);
  return text;
}

}  // namespace belay
