// The writing half of json.hpp.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "belay/core/error.hpp"
#include "belay/core/json.hpp"
#include "belay/core/record_id.hpp"
#include "belay/core/value.hpp"

namespace belay::json {

namespace {

using detail::Shape;
using detail::Type;

[[noreturn]] void refuse(std::string message) {
  throw Error(ErrorClass::request, SendState::never_sent, std::move(message));
}

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> text;
  auto const end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(text.data(), static_cast<std::size_t>(end - text.data()));
}

template <class Real>
void append_real(std::string& out, Real number) {
  if (!std::isfinite(number)) refuse("JSON has no number for NaN or infinity");
  auto const start = out.size();
  append_number(out, number);
  if (out.find_first_of(".e", start) == std::string::npos) out += ".0";  // so that it reads back as a real number
}

template <class Number>
Number load(void const* number) noexcept {
  Number value;
  std::memcpy(&value, number, sizeof value);
  return value;
}

std::int64_t load_signed(void const* number, std::size_t size) noexcept {
  switch (size) {
    case 1: return load<std::int8_t>(number);
    case 2: return load<std::int16_t>(number);
    case 4: return load<std::int32_t>(number);
    default: return load<std::int64_t>(number);
  }
}

std::uint64_t load_unsigned(void const* number, std::size_t size) noexcept {
  switch (size) {
    case 1: return load<std::uint8_t>(number);
    case 2: return load<std::uint16_t>(number);
    case 4: return load<std::uint32_t>(number);
    default: return load<std::uint64_t>(number);
  }
}

class Writer {
 public:
  Writer(std::string& out, WriteOptions options) noexcept : out_(out), options_(options) {}

  void write(Type const& type, void const* value) {
    switch (type.shape) {  // no default: the compiler reports a missing enumerator
      case Shape::boolean: out_ += *static_cast<bool const*>(value) ? "true" : "false"; return;
      case Shape::signed_integer: append_number(out_, load_signed(value, type.size)); return;
      case Shape::unsigned_integer: append_number(out_, load_unsigned(value, type.size)); return;
      case Shape::real:
        type.size == sizeof(float) ? append_real(out_, load<float>(value)) : append_real(out_, load<double>(value));
        return;
      case Shape::string: append_json(out_, *static_cast<std::string const*>(value)); return;
      case Shape::string_view: append_json(out_, *static_cast<std::string_view const*>(value)); return;
      case Shape::text: write_text(*type.text, value); return;
      case Shape::optional: write_optional(*type.optional, value); return;
      case Shape::list: write_list(*type.list, value); return;
      case Shape::map: write_map(*type.map, value); return;
      case Shape::structure: write_structure(type, value); return;
      case Shape::value: write_value(*static_cast<Value const*>(value)); return;
    }
  }

 private:
  /// One level of nesting, with its brackets and the commas between its elements.
  class Level {
   public:
    Level(Writer& writer, char open, char close) : writer_(writer), close_(close) {
      if (writer_.depth_ >= value_depth_max) {
        refuse("the value is nested deeper than " + std::to_string(value_depth_max) + " levels");
      }
      ++writer_.depth_;
      writer_.out_ += open;
    }
    void begin_element() {
      if (!is_first_) writer_.out_ += ',';
      is_first_ = false;
    }
    void end() {
      --writer_.depth_;
      writer_.out_ += close_;
    }

   private:
    Writer& writer_;
    char close_;
    bool is_first_ = true;
  };

  void write_text(detail::TextOperations const& operations, void const* scalar) {
    text_.clear();
    if (!operations.append(text_, scalar)) refuse("a value is not " + operations.what());
    append_json(out_, std::string_view(text_));
  }

  void write_optional(detail::OptionalOperations const& operations, void const* optional) {
    if (auto const* content = operations.get(optional)) {
      write(operations.inner(), content);
    } else {
      out_ += "null";
    }
  }

  void write_list(detail::ListOperations const& operations, void const* list) {
    Level level(*this, '[', ']');
    auto const& inner = operations.inner();
    auto const size = operations.size(list);
    for (std::size_t i = 0; i < size; ++i) {
      level.begin_element();
      write(inner, operations.at(list, i));
    }
    level.end();
  }

  void write_map(detail::MapOperations const& operations, void const* map) {
    struct Visit {
      Writer& writer;
      Level level;
      Type const& inner;
    };
    Visit visit{*this, Level(*this, '{', '}'), operations.inner()};
    operations.each(map, &visit, [](void* context, std::string_view key, void const* value) {
      auto& [writer, level, inner] = *static_cast<Visit*>(context);
      level.begin_element();
      writer.write_name(key);
      writer.write(inner, value);
    });
    visit.level.end();
  }

  void write_structure(Type const& type, void const* object) {
    Level level(*this, '{', '}');
    for (std::size_t i = 0; i < type.member_count; ++i) {
      auto const& member = type.members[i];
      auto const* value = member.address(const_cast<void*>(object));
      auto const& member_type = member.type();
      if (is_absent(member_type, value)) continue;
      level.begin_element();
      write_name(member.name);
      write(member_type, value);
    }
    level.end();
  }

  bool is_absent(Type const& type, void const* value) const noexcept {
    if (type.shape == Shape::value) return static_cast<Value const*>(value)->is_none();
    return type.shape == Shape::optional && options_.empty_members == EmptyMembers::omit &&
           type.optional->get(value) == nullptr;
  }

  void write_name(std::string_view name) {
    append_json(out_, name);
    out_ += ':';
  }

  void write_value(Value const& value) {
    switch (value.kind()) {  // no default: the compiler reports a missing enumerator
      case ValueKind::none:
      case ValueKind::null: out_ += "null"; return;
      case ValueKind::boolean: out_ += value.as_bool() ? "true" : "false"; return;
      case ValueKind::integer: append_number(out_, value.as_int64()); return;
      case ValueKind::real: append_real(out_, value.as_double()); return;
      case ValueKind::decimal: append_json(out_, value.as_decimal().to_string()); return;
      case ValueKind::string: append_json(out_, value.as_string()); return;
      case ValueKind::duration: append_json(out_, value.as_duration().to_string()); return;
      case ValueKind::datetime: append_json(out_, value.as_datetime().to_string()); return;
      case ValueKind::uuid: append_json(out_, value.as_uuid().to_string()); return;
      case ValueKind::array: write_values(value.as_array()); return;
      case ValueKind::set: write_values(value.as_set().values()); return;
      case ValueKind::object: write_object(value.as_object()); return;
      case ValueKind::geometry: write_geometry(value.as_geometry()); return;
      case ValueKind::bytes: append_json(out_, to_base64(value.as_bytes())); return;
      case ValueKind::table: append_json(out_, value.as_table().name); return;
      case ValueKind::record_id:
      case ValueKind::file:
      case ValueKind::range: append_json(out_, value.to_string()); return;
    }
  }

  void write_values(Array const& values) {
    Level level(*this, '[', ']');
    for (auto const& value : values) {
      level.begin_element();
      write_value(value);
    }
    level.end();
  }

  void write_object(Object const& object) {
    Level level(*this, '{', '}');
    for (auto const& [name, value] : object) {
      if (value.is_none()) continue;
      level.begin_element();
      write_name(name);
      write_value(value);
    }
    level.end();
  }

  template <class Element, class Write>
  void write_each(std::vector<Element> const& elements, Write write_element) {
    Level level(*this, '[', ']');
    for (auto const& element : elements) {
      level.begin_element();
      write_element(element);
    }
    level.end();
  }

  void write_point(Point const& point) {
    out_ += '[';
    append_real(out_, point.x);
    out_ += ',';
    append_real(out_, point.y);
    out_ += ']';
  }

  void write_geometry(Geometry const& geometry) {
    using Kind = Geometry::Kind;
    Level level(*this, '{', '}');
    auto const write_line = [this](Geometry::Line const& line) {
      write_each(line, [this](Point const& point) { write_point(point); });
    };
    auto const write_polygon = [&](Geometry::Polygon const& polygon) { write_each(polygon, write_line); };
    ((out_ += "\"type\":\"") += geometry.type_name()) += "\",";
    out_ += geometry.kind() == Kind::collection ? "\"geometries\":" : "\"coordinates\":";
    auto const& coordinates = geometry.coordinates();
    switch (geometry.kind()) {
      case Kind::point: write_point(coordinates[0][0][0]); break;
      case Kind::line:
      case Kind::multi_point: write_line(coordinates[0][0]); break;
      case Kind::polygon:
      case Kind::multi_line: write_polygon(coordinates[0]); break;
      case Kind::multi_polygon: write_each(coordinates, write_polygon); break;
      case Kind::collection:
        write_each(geometry.parts(), [this](Geometry const& part) { write_geometry(part); });
        break;
    }
    level.end();
  }

  std::string& out_;
  WriteOptions options_;
  std::string text_;  ///< of a scalar before it is escaped; kept for its memory
  std::size_t depth_ = 0;
};

}  // namespace

void detail::append(std::string& out, Type const& type, void const* value, WriteOptions options) {
  Writer(out, options).write(type, value);
}

}  // namespace belay::json
