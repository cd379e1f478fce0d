#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "belay/core/detail/json_type.hpp"

/// JSON (RFC 8259) straight into and out of your own types, without a document in between.
///
/// Types: structs described with BOOST_DESCRIBE_STRUCT, bool, integers, float and double, std::string, described enums
/// (by name), whatever has a TextForm (Datetime, Duration, Uuid, Decimal, Bytes as base64, RecordId, Id<T>: a JSON
/// string), std::optional, std::vector, std::array, maps with string keys, and belay::Value.
///
/// Thread-safe: the functions share nothing.
namespace belay::json {

/// One thing that is wrong with a text, and where.
struct Issue {
  enum class Kind {
    missing,       ///< a member without a value
    unknown,       ///< a member the struct does not have
    wrong_type,    ///< a string for a number, null for what cannot be empty
    out_of_range,  ///< a number that does not fit, too many elements
    invalid        ///< not JSON, a duplicate member, a text of the wrong form
  };
  /// From the root: member names, and indexes as decimal numbers. Empty: the whole text.
  std::vector<std::string> path;
  Kind kind = Kind::invalid;
  /// A predicate that completes the path: "is missing". It never repeats the value, which may be a secret.
  std::string message;
};

/// "items.3.title is missing"; an empty path reads "the JSON text".
std::string to_string(Issue const&);

enum class UnknownMembers {
  refuse,  ///< an Issue each: a misspelt member is not lost silently
  ignore
};

struct ReadOptions {
  UnknownMembers unknown_members = UnknownMembers::refuse;
  /// Patch mode: a member that is not in the text is left as it is. Otherwise that is an Issue, except for optionals.
  bool keep_missing = false;
  /// Nested arrays and objects allowed; deeper text is malformed. 1…128.
  std::size_t depth_max = 64;
};

enum class EmptyMembers { omit, write_null };

struct WriteOptions {
  /// What becomes of a struct's member that is an empty optional.
  EmptyMembers empty_members = EmptyMembers::omit;
};

/// The most issues that are reported for one text.
inline constexpr std::size_t issues_max = 64;

namespace detail {

std::vector<Issue> read(std::string_view text, Type const&, void* out, ReadOptions);
void append(std::string& out, Type const&, void const* value, WriteOptions);
[[noreturn]] void refuse(Issue const&);

template <class T>
concept WrittenByTable = !std::convertible_to<T const&, std::string_view>;

}  // namespace detail

/// Reads `text` into `out`, and says all that is wrong with it; an empty result means that all is well. With issues,
/// `out` holds what could be read. A malformed text is one Issue with line and column.
///
/// What is not in the text is left as it was: so a fresh `out` keeps its defaults. A member given twice is refused
/// (which of the two counts differs between programs), and null only empties an optional. Whole numbers may be written
/// 1.0 or 1e3 as long as they are exact (at most 2^53 in magnitude); 1.5 for an integer and 1e999 for a double are
/// refused.
///
/// belay::Value: null is NULL, a number without fraction and exponent is int64 (out_of_range beyond), other numbers are
/// double, text stays text.
template <class T>
std::vector<Issue> read_json(std::string_view text, T& out, ReadOptions options = ReadOptions()) {
  return detail::read(text, detail::type_of<T>(), &out, options);
}

/// The value that `text` holds; Error(request) that tells the first issue when there is one.
template <class T>
T from_json(std::string_view text, ReadOptions options = ReadOptions()) {
  T out{};
  auto const issues = read_json(text, out, options);
  if (!issues.empty()) detail::refuse(issues.front());
  return out;
}

/// Appends a JSON string. Bytes that are not UTF-8 become U+FFFD, so that the output is always valid.
void append_json(std::string& out, std::string_view text);

/// Appends compact JSON, members in the order of the description. Doubles are written with the fewest digits that read
/// back exactly, and always with a point or an exponent.
///
/// Error(request) for what JSON cannot say: NaN and infinities, an enum's value that is no enumerator, a belay::Value
/// nested deeper than 128. `out` then ends with an incomplete text.
///
/// belay::Value: NONE is left out of objects and null elsewhere; decimals, dates, durations, UUIDs, record ids, ranges,
/// tables, files are text, bytes base64 text, sets arrays, geometries GeoJSON. Read back, these are text, arrays,
/// objects: JSON cannot tell.
template <detail::WrittenByTable T>
void append_json(std::string& out, T const& value, WriteOptions options = WriteOptions()) {
  detail::append(out, detail::type_of<T>(), &value, options);
}

/// The same as a string of its own.
template <class T>
std::string to_json(T const& value, WriteOptions options = WriteOptions()) {
  std::string out;
  if constexpr (detail::WrittenByTable<T>) {
    append_json(out, value, options);
  } else {
    append_json(out, std::string_view(value));
  }
  return out;
}

}  // namespace belay::json
