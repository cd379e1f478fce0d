#include "belay/orm/scalar.hpp"

#include <type_traits>

namespace belay::orm {

std::string_view name_of(Kind kind) noexcept {
  switch (kind) {  // no default: the compiler reports a missing enumerator
    case Kind::boolean: return "boolean";
    case Kind::integer: return "integer";
    case Kind::real: return "real";
    case Kind::text: return "text";
    case Kind::text_form: return "text form";
    case Kind::enumeration: return "enumeration";
    case Kind::bytes: return "bytes";
    case Kind::datetime: return "datetime";
    case Kind::duration: return "duration";
    case Kind::uuid: return "UUID";
    case Kind::decimal: return "decimal";
    case Kind::key: return "record key";
    case Kind::json: return "JSON";
  }
  return "unknown";
}

namespace {

struct Writer {
  ScalarSink& sink;
  void operator()(std::monostate) const { sink.null(); }
  void operator()(bool value) const { sink.boolean(value); }
  void operator()(std::int64_t value) const { sink.integer(value); }
  void operator()(double value) const { sink.real(value); }
  void operator()(std::string const& value) const { sink.text(value); }
  void operator()(Bytes const& value) const { sink.bytes(value); }
  void operator()(Datetime const& value) const { sink.datetime(value); }
  void operator()(Duration const& value) const { sink.duration(value); }
  void operator()(Uuid const& value) const { sink.uuid(value); }
  void operator()(Decimal const& value) const { sink.decimal(value); }
  void operator()(ScalarKey const& value) const { sink.key(value); }
  void operator()(JsonText const& value) const { sink.json(value.text); }
};

}  // namespace

void write_scalar(Scalar const& scalar, ScalarSink& sink) { std::visit(Writer{sink}, scalar); }

bool same_scalar(Scalar const& a, Scalar const& b) {
  if (auto const* left = std::get_if<Decimal>(&a), *right = std::get_if<Decimal>(&b); left && right) {
    return *left == *right && left->scale() == right->scale();
  }
  return a == b;
}

std::string quoted_for_message(std::string_view text) {
  constexpr std::size_t bytes_max = 40;
  auto shown = text.substr(0, bytes_max);
  // Do not cut a UTF-8 character in two.
  while (shown.size() < text.size() && !shown.empty() &&
         (static_cast<unsigned char>(text[shown.size()]) & 0xC0u) == 0x80u) {
    shown.remove_suffix(1);
  }
  std::string quoted = "'";
  for (char const c : shown) quoted += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  quoted += shown.size() < text.size() ? "…'" : "'";
  return quoted;
}

}  // namespace belay::orm
