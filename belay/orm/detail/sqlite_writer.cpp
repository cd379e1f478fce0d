#include "belay/orm/detail/sqlite_writer.hpp"

#include <algorithm>
#include <bit>

#include "belay/core/error.hpp"
#include "belay/orm/detail/operand.hpp"
#include "belay/orm/dialect.hpp"

namespace belay::orm::detail {

namespace {

/// SQLite's own limit of parameters to a statement.
constexpr std::size_t parameters_max = 32766;

[[noreturn]] void refuse(std::string const& message) {
  throw Error(ErrorClass::request, SendState::never_sent, "sqlite: " + message, "unsupported");
}

[[noreturn]] void refuse(Column const& column, std::string const& message) {
  refuse("field " + std::string(column.name) + ": " + message);
}

/// As an operand. The collation is spelled out, so that a table made by others compares numbers as well.
std::string operand_of(Column const& column) {
  auto name = quoted_name(column.name);
  if (column.kind == Kind::decimal) name += " COLLATE belay_decimal";
  return name;
}

bool is_comparison(Lookup lookup) noexcept { return lookup <= Lookup::greater_equal; }

struct Operators {
  std::string_view plain;
  std::string_view opposite;  ///< where neither side is NULL
};

Operators operators_of(Lookup comparison) noexcept {
  switch (comparison) {
    case Lookup::less: return {" < ", " >= "};
    case Lookup::less_equal: return {" <= ", " > "};
    case Lookup::greater: return {" > ", " <= "};
    case Lookup::greater_equal: return {" >= ", " < "};
    default: return {" = ", " <> "};
  }
}

/// The pattern of belay_like that matches exactly this text.
std::string literal_pattern(std::string_view text) {
  std::string pattern;
  for (char const c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern += '\\';
    pattern += c;
  }
  return pattern;
}

/// The least text that is greater than all that begin with `prefix`, in byte order; empty when there is none.
std::string after_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xFF) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

void refuse_nul(Column const& column, std::string_view element) {
  if (element.find('\0') == std::string_view::npos && element.find("\\u0000") == std::string_view::npos) return;
  refuse(column, "an element with a NUL character, or with the text \\u0000, cannot be looked for in a list");
}

}  // namespace

void SqliteWriter::placeholder() {
  if (++values_ > parameters_max) {
    refuse("a statement takes at most " + std::to_string(parameters_max) + " values, and this one has more");
  }
  *this << "?" << std::to_string(values_);
}

void SqliteWriter::value(Column const& column, Scalar const& scalar) {
  placeholder();
  try {
    write_scalar(scalar, sink_);
  } catch (BadScalar const& bad) {
    throw_bad_operand(column, bad);
  }
}

void SqliteWriter::count(std::int64_t number) {
  placeholder();
  sink_.integer(number);
}

void SqliteWriter::where(Selection const& selection) {
  if (!selection.where) return;
  *this << " WHERE ";
  condition(*selection.where, Sense::plain);
}

void SqliteWriter::order(Selection const& selection) {
  std::string_view before = " ORDER BY ";
  for (auto const& key : selection.order_by) {
    // SQLite puts NULL before everything when ascending and last when descending, as is promised.
    *this << before << operand_of(*key.column) << (key.direction == Direction::ascending ? " ASC" : " DESC");
    before = ", ";
  }
}

void SqliteWriter::slice(Selection const& selection) {
  if (!selection.is_sliced()) return;
  *this << " LIMIT ";
  if (selection.limit) {
    count(*selection.limit);
  } else {
    *this << "-1";  // OFFSET alone is no SQL
  }
  if (selection.offset == 0) return;
  *this << " OFFSET ";
  count(selection.offset);
}

void SqliteWriter::where_in_slice(Selection const& selection) {
  if (!selection.is_sliced()) return where(selection);
  auto const id = quoted_name(selection.table->id().name);
  *this << " WHERE " << id << " IN (SELECT " << id << " FROM " << quoted_name(selection.table->name);
  where(selection);
  order(selection);
  slice(selection);
  *this << ")";
}

void SqliteWriter::condition(Node const& node, Sense sense) {
  bool const is_plain = sense == Sense::plain;
  switch (node.shape) {
    case Node::Shape::negation: return condition(*node.children.front(), is_plain ? Sense::negated : Sense::plain);
    case Node::Shape::all_of: return joined(node, sense, is_plain);
    case Node::Shape::any_of: return joined(node, sense, !is_plain);
    case Node::Shape::lookup: return lookup(node, sense);
    case Node::Shape::columns:
      return comparison({node.lookup, operand_of(*node.column), operand_of(*node.other), nullptr, nullptr,
                         node.column->nullable || node.other->nullable},
                        sense);
  }
}

void SqliteWriter::joined(Node const& node, Sense sense, bool by_and) {
  if (node.children.empty()) {
    *this << (by_and ? "TRUE" : "FALSE");
  } else {
    joined(node.children, sense, by_and ? " AND " : " OR ");
  }
}

/// Long lists become a tree of parentheses: SQLite counts a OR b OR c as nested, and nests 1000 deep at most.
void SqliteWriter::joined(std::span<NodePointer const> parts, Sense sense, std::string_view operation) {
  constexpr std::size_t flat_max = 64;
  if (parts.size() > flat_max) {
    auto const half = parts.size() / 2;
    *this << "(";
    joined(parts.first(half), sense, operation);
    *this << ")" << operation << "(";
    joined(parts.subspan(half), sense, operation);
    *this << ")";
    return;
  }
  std::string_view before;
  for (auto const& part : parts) {
    *this << before;
    part_of_joined(*part, sense);
    before = operation;
  }
}

void SqliteWriter::part_of_joined(Node const& node, Sense sense) {
  auto const& inner = node.shape == Node::Shape::negation ? *node.children.front() : node;
  bool const needs_parentheses =
      (inner.shape == Node::Shape::all_of || inner.shape == Node::Shape::any_of) && inner.children.size() > 1;
  if (needs_parentheses) *this << "(";
  condition(node, sense);
  if (needs_parentheses) *this << ")";
}

void SqliteWriter::comparison(Comparison const& comparison, Sense sense) {
  auto const operators = operators_of(comparison.lookup);
  if (sense == Sense::plain) return write(comparison, operators.plain);
  if (!comparison.nullable) return write(comparison, operators.opposite);
  // A value is never NULL, so this is the exact opposite of "=", and shorter than what holds for all.
  if (comparison.value && comparison.lookup == Lookup::equal) return write(comparison, " IS NOT ");
  *this << "(";
  write(comparison, operators.plain);
  *this << ") IS NOT TRUE";
}

void SqliteWriter::write(Comparison const& comparison, std::string_view operation) {
  *this << comparison.left << operation << comparison.right;
  if (comparison.value) value(*comparison.value_of, *comparison.value);
}

void SqliteWriter::lookup(Node const& node, Sense sense) {
  auto const& column = *node.column;
  bool const is_plain = sense == Sense::plain;
  if (is_comparison(node.lookup)) {
    return comparison({node.lookup, operand_of(column), {}, &column, &node.values.front(), column.nullable}, sense);
  }
  if (node.lookup == Lookup::is_null) {
    *this << quoted_name(column.name) << (is_plain ? " IS NULL" : " IS NOT NULL");
    return;
  }
  if (node.values.empty() && (node.lookup == Lookup::in || node.lookup == Lookup::has_any_of)) {
    *this << (is_plain ? "FALSE" : "TRUE");
    return;
  }
  if (is_plain) return positive(node);
  *this << (column.nullable ? "(" : "NOT (");
  positive(node);
  *this << (column.nullable ? ") IS NOT TRUE" : ")");
}

void SqliteWriter::positive(Node const& node) {
  auto const& column = *node.column;
  auto const text = [&]() -> std::string const& { return std::get<std::string>(node.values.front()); };
  switch (node.lookup) {
    case Lookup::in: return in(operand_of(column), column, node.values);
    case Lookup::between: return between(column, node.values);
    case Lookup::like: return like(column, text(), "0");
    case Lookup::ilike: return like(column, text(), "1");
    case Lookup::contains: return contains(column, node.values.front());
    case Lookup::icontains: return like(column, "%" + literal_pattern(text()) + "%", "1");
    case Lookup::starts_with: return starts_with(column, text());
    case Lookup::istarts_with: return like(column, literal_pattern(text()) + "%", "1");
    case Lookup::ends_with: return like(column, "%" + literal_pattern(text()), "0");
    case Lookup::iends_with: return like(column, "%" + literal_pattern(text()), "1");
    case Lookup::regex: return regex(column, node.values.front(), "0");
    case Lookup::iregex: return regex(column, node.values.front(), "1");
    case Lookup::has_any_of: return has_any_of(column, node.values);
    case Lookup::match: refuse(column, "match (full text search) is not available on this engine");
    case Lookup::is_none:
      refuse(column, "is_none is not available on this engine, which does not tell NONE from NULL; use is_null");
    case Lookup::equal:
    case Lookup::less:
    case Lookup::less_equal:
    case Lookup::greater:
    case Lookup::greater_equal:
    case Lookup::is_null: break;  // written by lookup()
  }
}

void SqliteWriter::between(Column const& column, std::vector<Scalar> const& values) {
  *this << "(" << operand_of(column) << " BETWEEN ";
  value(column, values[0]);
  *this << " AND ";
  value(column, values[1]);
  *this << ")";
}

void SqliteWriter::like(Column const& column, std::string pattern, std::string_view ignore_case) {
  *this << "belay_like(" << quoted_name(column.name) << ", ";
  value(column, Scalar(std::move(pattern)));
  *this << ", " << ignore_case << ")";
}

void SqliteWriter::contains(Column const& column, Scalar const& part) {
  *this << "instr(" << quoted_name(column.name) << ", ";
  value(column, part);
  *this << ") > 0";
}

void SqliteWriter::regex(Column const& column, Scalar const& pattern, std::string_view ignore_case) {
  *this << "belay_regexp(";
  value(column, pattern);
  *this << ", " << quoted_name(column.name) << ", " << ignore_case << ")";
}

/// As a range, which an index serves.
void SqliteWriter::starts_with(Column const& column, std::string const& prefix) {
  *this << "(" << quoted_name(column.name) << " >= ";
  value(column, Scalar(prefix));
  if (auto end = after_prefix(prefix); !end.empty()) {
    *this << " AND " << quoted_name(column.name) << " < ";
    value(column, Scalar(std::move(end)));
  }
  *this << ")";
}

/// Short lists are filled up to a power of two with their last value, so that lists of any length share few texts, and
/// so few prepared statements.
void SqliteWriter::in(std::string const& subject, Column const& column, std::vector<Scalar> const& values) {
  constexpr std::size_t filled_max = 1024;
  auto const width = values.size() > filled_max ? values.size() : std::bit_ceil(values.size());
  std::string_view before = " IN (";
  *this << subject;
  for (std::size_t i = 0; i < width; ++i) {
    *this << before;
    value(column, values[std::min(i, values.size() - 1)]);
    before = ", ";
  }
  *this << ")";
}

void SqliteWriter::has_any_of(Column const& column, std::vector<Scalar> const& values) {
  bool const is_decimal = std::holds_alternative<Decimal>(values.front());
  bool const is_text = std::holds_alternative<std::string>(values.front());
  auto const name = quoted_name(column.name);
  // Without the question, one row with malformed JSON would fail the whole query.
  *this << "EXISTS (SELECT 1 FROM json_each(iif(json_valid(" << name << "), " << name << ", NULL)) AS element WHERE ";
  in(is_decimal ? "element.value COLLATE belay_decimal" : "element.value", column, values);
  if (is_text) {
    for (auto const& value : values) refuse_nul(column, std::get<std::string>(value));
    // json_each ends a text at its first NUL: what looks equal may be the beginning of a longer text.
    *this << " AND instr(" << name << " -> element.fullkey, '\\u0000') = 0";
  }
  *this << ")";
}

}  // namespace belay::orm::detail
